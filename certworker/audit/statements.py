"""What is signed: openings, closings, heads and cuts, each as bytes that mean nothing else. Specified in docs/audit.md."""

import json
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

from certworker.vault.audit.port import ChainCut, ChainHead

CATEGORY: Final = "AuditChain"
OPENING: Final = "AuditChainOpen"
CLOSING: Final = "AuditChainClose"
SIGNATURE: Final = b',"signature":"'

Sign = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class Instance:
    """Which process a chain is of."""

    host: str
    pid: int
    role: str
    most_unsynced: int
    """So many records may wait for the disk; none where each is brought to disk by itself."""


def opening_text(
    chain_id: str, instance: Instance, at: datetime, key: tuple[str, bytes], known: Sequence[ChainHead], sign: Sign
) -> str:
    """Write a chain's first record: whose it is, which key signs it, and the newest heads that were known then."""
    properties: dict[str, Any] = {
        "chain": chain_id,
        "host": instance.host,
        "pid": instance.pid,
        "role": instance.role,
        "mostUnsynced": instance.most_unsynced,
        "keyId": key[0],
        "publicKey": b64encode(key[1]).decode(),
    }
    if known:
        properties["known"] = [{"chain": head.chain_id, "sequence": head.sequence, "hash": head.hash} for head in known]
    return _signed(OPENING, at, properties, "", sign)


def closing_text(chain_id: str, at: datetime, last: bytes, sign: Sign) -> str:
    """Write a chain's last record, at a clean stop. `last` is the hash of the record before it."""
    return _signed(CLOSING, at, {"chain": chain_id}, last.hex(), sign)


def signed_line(operation: str, last: str, begin: bytes) -> bytes:
    """Give what is signed of an opening or a closing: `begin` is its line up to its signature."""
    return f"certworker audit {operation}\n{last}\n".encode() + begin


def signed_head(head: ChainHead) -> bytes:
    """Give what is signed of a head."""
    return _lines(
        "certworker audit head",
        head.chain_id,
        head.host,
        head.key_id,
        int(head.opened.timestamp()),
        int(head.at.timestamp()),
        head.sequence,
        head.hash,
        "closed" if head.closed else "open",
    )


def signed_cut(cut: ChainCut) -> bytes:
    """Give what is signed of a cut."""
    return _lines("certworker audit cut", cut.chain_id, cut.key_id, int(cut.at.timestamp()), cut.sequence, cut.hash)


def _lines(*values: object) -> bytes:
    return "".join(f"{value}\n" for value in values).encode()


def _signed(operation: str, at: datetime, properties: Mapping[str, Any], last: str, sign: Sign) -> str:
    record = {
        "recordId": str(uuid4()),
        "time": f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}",
        "category": CATEGORY,
        "operationName": operation,
        "resultType": "Success",
        "properties": properties,
    }
    text = json.dumps(record, ensure_ascii=True, separators=(",", ":"))[:-1]
    signature = b64encode(sign(signed_line(operation, last, text.encode()))).decode()
    return f'{text}{SIGNATURE.decode()}{signature}"}}'
