"""Release policies of keys: which attestations a key may leave the vault for.

The grammar is Key Vault's own ("Azure Key Vault secure key release policy grammar", version 1.0.0): authorities, any of which
will do, each with conditions on claims that are joined by anyOf and allOf. The one operator is equals.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn
from urllib.parse import urlsplit

from certworker.errors import BadParameter
from certworker.vault.objects import KeyReleasePolicy

DEFAULT_CONTENT_TYPE = "application/json; charset=utf-8"
MAX_POLICY = 32 * 1024
"""So many characters has a release policy at the most."""
VERSION: Final = "1.0.0"
MOST_NESTED: Final = 8
_FIELD: Final = "release_policy.data"
_JOINTS: Final = ("anyOf", "allOf")

Claims = Mapping[str, Any]
Value = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Condition:
    """A claim that must have a value, or others of which any or all must hold (`joint`)."""

    joint: str | None = None
    parts: tuple["Condition", ...] = ()
    claim: str = ""
    equals: Value = ""

    def holds(self, claims: Claims) -> bool:
        """Whether claims meet the condition. A claim that is not there does not."""
        if self.joint:
            return (any if self.joint == "anyOf" else all)(part.holds(claims) for part in self.parts)
        return _same(_find(claims, self.claim), self.equals)


@dataclass(frozen=True, slots=True)
class ReleaseRules:
    """A release policy that was read: what each authority must attest, by its URL without a slash at the end."""

    authorities: tuple[tuple[str, Condition], ...]

    def names(self, authority: str) -> bool:
        """Whether the policy believes an authority at all."""
        return any(name == authority for name, _ in self.authorities)

    def allow(self, authority: str, claims: Claims) -> bool:
        """Whether what an authority attests is enough."""
        return any(name == authority and condition.holds(claims) for name, condition in self.authorities)


def check_release_policy(policy: KeyReleasePolicy) -> KeyReleasePolicy:
    """Give back a release policy that can be kept. Raises BadParameter, which says what would be right."""
    if policy.content_type.partition(";")[0].strip().lower() != "application/json":
        name = "release_policy.contentType"
        raise BadParameter(f"{name} is '{DEFAULT_CONTENT_TYPE}': a release policy is JSON.", name)
    if len(policy.data) > MAX_POLICY:
        _refuse(f"has {len(policy.data)} characters; at most {MAX_POLICY} are allowed")
    read_release_policy(policy.data)
    return policy


def read_release_policy(data: str) -> ReleaseRules:
    """Read a policy. Raises BadParameter."""
    try:
        document = json.loads(data, object_pairs_hook=_once, parse_constant=_no_number)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        _refuse("is not a JSON object, in base64url")
    if document.get("version") != VERSION:
        _refuse(f'has no "version": "{VERSION}", the one that is known')
    authorities = document.get("anyOf")
    if not isinstance(authorities, list) or not authorities or set(document) != {"version", "anyOf"}:
        _refuse('has beside its version one "anyOf", a list of authorities, and nothing else')
    return ReleaseRules(tuple(map(_read_authority, authorities)))


def plain_authority(url: str) -> str:
    """Name an authority as it is compared. Raises ValueError for what is no https URL of one."""
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname or parts.query or parts.fragment or "@" in parts.netloc or parts.port == 0:
        raise ValueError("an authority is an https URL, without a query")
    return url.rstrip("/")


def _read_authority(entry: object) -> tuple[str, Condition]:
    if not isinstance(entry, dict) or not isinstance(authority := entry.get("authority"), str):
        _refuse('has an entry without "authority", the URL that an attestation is issued by')
    try:
        name = plain_authority(authority)
    except ValueError:
        _refuse(f"names the authority '{authority[:200]}', which is not an https URL")
    return name, _read_condition({joint: value for joint, value in entry.items() if joint != "authority"}, 1, joined=True)


def _read_condition(entry: object, depth: int, *, joined: bool = False) -> Condition:
    if isinstance(entry, dict) and len(entry) == 1 and (joint := next(iter(entry))) in _JOINTS:
        if depth > MOST_NESTED:
            _refuse(f"is nested deeper than {MOST_NESTED} levels")
        parts = entry[joint]
        if not isinstance(parts, list) or not parts:
            _refuse(f'has an "{joint}" without conditions')
        return Condition(joint, tuple(_read_condition(part, depth + 1) for part in parts))
    if joined:
        _refuse('has an authority without exactly one of "anyOf" and "allOf"')
    if not isinstance(entry, dict) or set(entry) != {"claim", "equals"}:
        _refuse('has a condition that is neither {"claim": ..., "equals": ...} nor one "anyOf" or "allOf"')
    claim, equals = entry["claim"], entry["equals"]
    if not isinstance(claim, str) or not all(claim.split(".")):
        _refuse('has a "claim" that is no name, or names with dots between them')
    if not isinstance(equals, str | int | float | bool):
        _refuse('has an "equals" that is no text, number, true or false')
    return Condition(claim=claim, equals=equals)


def _find(claims: Claims, path: str) -> object:
    found: object = claims
    for name in path.split("."):
        if not isinstance(found, Mapping) or name not in found:
            return None
        found = found[name]
    return found


def _same(found: object, wanted: Value) -> bool:
    """Compare as JSON does, where true is not 1; a policy may write true and false as texts."""
    if isinstance(found, bool):
        return wanted is found or wanted == ("true" if found else "false")
    if isinstance(wanted, bool):
        return False
    return isinstance(found, str | int | float) and isinstance(found, str) == isinstance(wanted, str) and found == wanted


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Read an object whose names are told once: of two, another reader could take the other."""
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError("a name is told twice")
    return values


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _refuse(why: str) -> NoReturn:
    raise BadParameter(f"{_FIELD} {why}.", _FIELD)
