"""Column types: how values lie in both databases.

A time is a whole number of seconds since 1970 in UTC, in a BIGINT: the same on SQLite and PostgreSQL, ordered, free of time
zones, and comparable with a database's own clock. Structured values are JSON in text; nothing is ever asked about their inside.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar, Final

from pydantic import TypeAdapter
from sqlalchemy import BigInteger, Dialect, Integer, LargeBinary, String
from sqlalchemy.types import TypeDecorator, TypeEngine

from certworker.vault.events import EventType
from certworker.vault.notification.ledger import NoticeStatus
from certworker.vault.notification.message import Severity, Topic
from certworker.vault.objects import KeyReleasePolicy, ObjectKind
from certworker.vault.operations import OperationReason, OperationStatus
from certworker.vault.policy import Policy
from certworker.vault.resilience.gates import GateReason
from certworker.vault.revocation.sources import SourceKind
from certworker.vault.revocation.standing import Standing
from certworker.vault.rights.roles import Permission, PrincipalType
from certworker.vault.rotation_policy import RotationPolicy
from certworker.vault.sign_in.grants import DeviceState
from certworker.vault.summary.records import Measure, State, Urgency
from certworker.vault.vaults import Deployment, NetworkRules, Sku
from certworker.vault.watches import WatchKind

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND: Final = timedelta(seconds=1)
_LENGTH_BYTES: Final = 4


class UnixTime(TypeDecorator[datetime]):
    """An aware UTC datetime as whole seconds since 1970; what is below a second is cut off."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        """Cut to seconds."""
        return None if value is None else (value - _EPOCH) // _SECOND

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Give back an aware time."""
        return None if value is None else _EPOCH + timedelta(seconds=value)


class Serial(TypeDecorator[int]):
    """A number that the database counts up by itself. SQLite does that for INTEGER only."""

    impl = BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[int]:
        """Choose the type that counts."""
        return dialect.type_descriptor(Integer() if dialect.name == "sqlite" else BigInteger())


class OrderedText(TypeDecorator[str]):
    """Text that lists are ordered and paged by: byte by byte, whatever language the database was made for."""

    impl = String
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[str]:
        """Give PostgreSQL the order that SQLite has."""
        return dialect.type_descriptor(String(collation="C") if dialect.name == "postgresql" else String())


class MappingText(TypeDecorator[Mapping[str, str]]):
    """A mapping of words as JSON."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: Mapping[str, str] | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Write JSON."""
        return None if value is None else json.dumps(dict(value))

    def process_result_value(self, value: str | None, dialect: Dialect) -> dict[str, str] | None:  # noqa: ARG002
        """Read JSON; most mappings are empty."""
        if value is None or value == "{}":
            return None if value is None else {}
        return dict(json.loads(value))


class WordsText(TypeDecorator[tuple[str, ...]]):
    """Words, in order, as JSON."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: tuple[str, ...] | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Write JSON."""
        return None if value is None else json.dumps(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> tuple[str, ...] | None:  # noqa: ARG002
        """Read JSON."""
        return None if value is None else tuple(json.loads(value))


class JsonText(TypeDecorator[Any]):
    """A record as JSON, read and written by pydantic; a subclass names its shape."""

    impl = String
    cache_ok = True
    shape: ClassVar[TypeAdapter[Any]]

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:  # noqa: ANN401, ARG002
        """Write JSON."""
        return None if value is None else self.shape.dump_json(value).decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:  # noqa: ANN401, ARG002
        """Read JSON."""
        return None if value is None else self.shape.validate_json(value)


class PolicyText(JsonText):
    """A certificate policy."""

    cache_ok = True
    shape = TypeAdapter(Policy)


class RotationText(JsonText):
    """A key's rotation policy."""

    cache_ok = True
    shape = TypeAdapter(RotationPolicy)


class ReleaseText(JsonText):
    """A key's release policy."""

    cache_ok = True
    shape = TypeAdapter(KeyReleasePolicy)


class NetworkText(JsonText):
    """From where a vault may be called."""

    cache_ok = True
    shape = TypeAdapter(NetworkRules)


class DeploymentText(JsonText):
    """What may fetch secrets from a vault while it deploys."""

    cache_ok = True
    shape = TypeAdapter(Deployment)


class GrantsText(JsonText):
    """What an access policy grants: noun -> words."""

    cache_ok = True
    shape = TypeAdapter(dict[str, tuple[str, ...]])


class PermissionsText(JsonText):
    """What a role permits."""

    cache_ok = True
    shape = TypeAdapter(tuple[Permission, ...])


class ChainBytes(TypeDecorator[tuple[bytes, ...]]):
    """Some byte strings as one: each after its length in four bytes, big-endian."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: tuple[bytes, ...] | None, dialect: Dialect) -> bytes | None:  # noqa: ARG002
        """Join."""
        return None if value is None else b"".join(len(part).to_bytes(_LENGTH_BYTES, "big") + part for part in value)

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> tuple[bytes, ...] | None:  # noqa: ARG002
        """Split."""
        if value is None:
            return None
        parts: list[bytes] = []
        begin = 0
        while begin < len(value):
            data = begin + _LENGTH_BYTES
            begin = data + int.from_bytes(value[begin:data], "big")
            parts.append(value[data:begin])
        return tuple(parts)


class WordText(TypeDecorator[StrEnum]):
    """One of the words of an enumeration, which a subclass names."""

    impl = String
    cache_ok = True
    words: ClassVar[type[StrEnum]]

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:  # noqa: ANN401, ARG002
        """Write the word, and nothing that is none."""
        return None if value is None else self.words(value).value

    def process_result_value(self, value: str | None, dialect: Dialect) -> StrEnum | None:  # noqa: ARG002
        """Read the word."""
        return None if value is None else self.words(value)


class KindText(WordText):
    """A kind of object."""

    cache_ok = True
    words = ObjectKind


class SkuText(WordText):
    """What a vault can hold."""

    cache_ok = True
    words = Sku


class StatusText(WordText):
    """An operation's status."""

    cache_ok = True
    words = OperationStatus


class ReasonText(WordText):
    """Why a certificate is issued."""

    cache_ok = True
    words = OperationReason


class WatchText(WordText):
    """What a watch looks at."""

    cache_ok = True
    words = WatchKind


class SourceText(WordText):
    """What tells of revocations."""

    cache_ok = True
    words = SourceKind


class TopicText(WordText):
    """What a notice is about."""

    cache_ok = True
    words = Topic


class SeverityText(WordText):
    """How soon somebody has to do something about it."""

    cache_ok = True
    words = Severity


class NoticeStatusText(WordText):
    """How far a notice has come."""

    cache_ok = True
    words = NoticeStatus


class GateText(WordText):
    """Why a gate is closed."""

    cache_ok = True
    words = GateReason


class EventTypeText(WordText):
    """What an event tells."""

    cache_ok = True
    words = EventType


class DeviceStateText(WordText):
    """What became of a device code."""

    cache_ok = True
    words = DeviceState


class PrincipalTypeText(WordText):
    """What a principal is."""

    cache_ok = True
    words = PrincipalType


class StateText(WordText):
    """How a certificate stands."""

    cache_ok = True
    words = State


class StandingText(WordText):
    """What is known of a revocation."""

    cache_ok = True
    words = Standing


class MeasureText(WordText):
    """What is counted over the fleet."""

    cache_ok = True
    words = Measure


class UrgencyText(WordText):
    """In which order certificates are told."""

    cache_ok = True
    words = Urgency
