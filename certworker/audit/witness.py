"""The witness: what the database says of the chains, against which their files are held; and itself as a file, for others."""

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

from certworker.audit.statements import signed_cut, signed_head
from certworker.crypto.audit_signatures import is_signed
from certworker.errors import BadParameter
from certworker.vault.audit.port import ChainCut, ChainHead
from certworker.vault.store import Store


@dataclass(frozen=True, slots=True)
class Witness:
    """Heads and cuts by chain, and public keys by id. `findings` are about what does not hold by itself.

    `at` is when it was written down; none where it is the database as it is.
    """

    keys: Mapping[str, bytes]
    heads: Mapping[str, ChainHead]
    cuts: Mapping[str, ChainCut]
    findings: tuple[str, ...] = ()
    at: datetime | None = None

    def as_json(self, at: datetime) -> str:
        """Write it down, for whoever verifies elsewhere."""
        shown = {
            "at": int(at.timestamp()),
            "keys": {key_id: b64encode(public).decode() for key_id, public in self.keys.items()},
            "heads": [_shown(head) for head in self.heads.values()],
            "cuts": [_shown(cut) for cut in self.cuts.values()],
        }
        return json.dumps(shown, indent=2)


def read_witness(store: Store, broken_keys: tuple[str, ...] = ()) -> Witness:
    """Read what the database says, and leave out what is not signed as it should be. Raises Unavailable."""
    with store.reading() as reader:
        keys = {key.id: key.public_key for key in reader.audit_keys() if key.id not in broken_keys}
        heads, cuts = reader.chain_heads(), reader.chain_cuts()
    broken = tuple(f"the audit key {key_id} in the database is not one that was made here" for key_id in broken_keys)
    return _checked(keys, heads, cuts, broken)


def parse_witness(text: str) -> Witness:
    """Read what `as_json` has written. Raises BadParameter."""
    try:
        found = json.loads(text)
        keys = {key_id: b64decode(public) for key_id, public in found["keys"].items()}
        heads = tuple(ChainHead(**_read(head)) for head in found["heads"])
        cuts = tuple(ChainCut(**_read(cut)) for cut in found["cuts"])
        at = datetime.fromtimestamp(found["at"], UTC)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise BadParameter("The file is not what `certworker audit heads` writes.") from error
    return replace(_checked(keys, heads, cuts, ()), at=at)


def _checked(
    keys: Mapping[str, bytes], heads: tuple[ChainHead, ...], cuts: tuple[ChainCut, ...], findings: tuple[str, ...]
) -> Witness:
    good_heads = {head.chain_id: head for head in heads if _holds(keys, head.key_id, head.signature, signed_head(head))}
    good_cuts = {cut.chain_id: cut for cut in cuts if _holds(keys, cut.key_id, cut.signature, signed_cut(cut))}
    bad_heads = [head.chain_id for head in heads if head.chain_id not in good_heads]
    bad_cuts = [cut.chain_id for cut in cuts if cut.chain_id not in good_cuts]
    bad = [f"the head of the chain {chain_id} in the database has a wrong signature" for chain_id in bad_heads]
    bad += [f"the cut of the chain {chain_id} in the database has a wrong signature" for chain_id in bad_cuts]
    return Witness(keys, good_heads, good_cuts, (*findings, *bad))


def _holds(keys: Mapping[str, bytes], key_id: str, signature: bytes, signed: bytes) -> bool:
    return key_id in keys and is_signed(keys[key_id], signature, signed)


def _shown(record: ChainHead | ChainCut) -> dict[str, Any]:
    values = asdict(record)
    values["signature"] = b64encode(record.signature).decode()
    return {name: int(value.timestamp()) if isinstance(value, datetime) else value for name, value in values.items()}


def _read(values: Mapping[str, Any]) -> dict[str, Any]:
    times = {name: datetime.fromtimestamp(values[name], UTC) for name in ("at", "opened") if name in values}
    return {**values, **times, "signature": b64decode(values["signature"])}
