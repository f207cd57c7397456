"""What is looked for in the audit log."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from certworker.vault.audit.record import CATEGORY

Shown = Mapping[str, Any]
"""A record as it was written: its JSON."""

Position = tuple[str, str]
"""Where a record stands among all: its time and its id. A record that was written twice stands at one place."""


@dataclass(frozen=True, slots=True)
class Search:
    """What a record has to be, in all that is given; compared without regard to case. Times as records have them, inclusive.

    `object` is a part of the object's URL, or its name; `caller` the value of any claim: an object id, an application, a name.
    `before` is the position after which a list of the newest first goes on.
    """

    vault: str | None = None
    operation: str | None = None
    caller: str | None = None
    since: str | None = None
    until: str | None = None
    result: str | None = None
    object: str | None = None
    correlation: str | None = None
    limit: int = 100
    before: Position | None = None

    def covers(self, time: str) -> bool:
        """Tell whether a time is one that is looked for."""
        if self.before and time > self.before[0]:
            return False
        return (not self.since or time >= self.since) and (not self.until or time <= self.until)

    def fits(self, record: Shown) -> bool:
        """Tell whether a record is one that is looked for, its time aside."""
        if record.get("category") != CATEGORY or (self.before and position_of(record) >= self.before):
            return False
        return (
            _same(self.operation, record.get("operationName"))
            and _same(self.result, record.get("resultType"))
            and _same(self.correlation, record.get("correlationId"))
            and (not self.caller or any(_same(self.caller, claim) for claim in claims_of(record).values()))
            and (not self.vault or _same(self.vault, vault_of(record)))
            and (not self.object or self.object.casefold() in _object_of(record).casefold())
        )


def position_of(record: Shown) -> Position:
    """Tell where a record stands."""
    return str(record.get("time", "")), str(record.get("recordId", ""))


def claims_of(record: Shown) -> Mapping[str, Any]:
    """Give the claims of the identity."""
    identity = record.get("identity")
    claims = identity.get("claim") if isinstance(identity, dict) else None
    return claims if isinstance(claims, dict) else {}


def properties_of(record: Shown) -> Mapping[str, Any]:
    """Give the properties."""
    properties = record.get("properties")
    return properties if isinstance(properties, dict) else {}


def vault_of(record: Shown) -> str:
    """Tell the name of a record's vault; empty where it is of none."""
    _, found, rest = str(record.get("resourceId", "")).casefold().partition("/providers/microsoft.keyvault/vaults/")
    return rest.partition("/")[0] if found else str(properties_of(record).get("vault", ""))


def _object_of(record: Shown) -> str:
    properties = properties_of(record)
    return f"{properties.get('id', '')} {properties.get('name', '')}"


def _same(wanted: str | None, found: object) -> bool:
    return not wanted or wanted.casefold() == str(found).casefold()
