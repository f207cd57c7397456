"""What a channel carries: one message to one address, under an id that stays the same however often it is sent."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from certworker.vault.objects import ObjectKind


class Severity(StrEnum):
    """How soon a person has to do something about it."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class Topic(StrEnum):
    """What a message is about."""

    NEAR_EXPIRY = "near_expiry"
    EXPIRED = "expired"
    NEW_VERSION = "new_version"
    RENEWAL_STARTS = "renewal_starts"
    RENEWED = "renewed"
    RENEWAL_FAILED = "renewal_failed"
    RENEWAL_OVERDUE = "renewal_overdue"
    RENEWAL_PAUSED = "renewal_paused"
    REVOKED = "revoked"
    REVOCATION_UNKNOWN = "revocation_unknown"
    KEY_COMPROMISED = "key_compromised"
    ISSUER_DOWN = "issuer_down"
    FAILED_OVER = "failed_over"
    DIGEST = "digest"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class Message:
    """A message, before a channel gives it its form.

    `id` is the ledger's own: the Message-ID of a mail, the id of a CloudEvent. `at` is when it came about. `facts` has a fixed
    schema for each topic: ids, names, times (RFC 3339) and what a CA said, never a secret. `to` is an address in the
    channel's own sense. `kind`, `name` and `version` say what it is about; a digest has `parts` instead.
    """

    id: str
    topic: Topic
    severity: Severity
    at: datetime
    vault: str
    kind: ObjectKind
    name: str
    version: str | None
    to: str
    facts: Mapping[str, str] = field(default_factory=dict)
    parts: tuple["Message", ...] = ()


@dataclass(frozen=True, slots=True)
class Delivery:
    """What came of handing a message over: `done`, or the reason why not in one sentence.

    `retry_at` is the earliest time to try again, where the other side said one. What is `final` is not tried again.
    """

    done: bool
    message: str = ""
    retry_at: datetime | None = None
    final: bool = False


class Channel(Protocol):
    """A way to tell somebody. It is handed one message at a time, in no transaction, and never sleeps."""

    def deliver(self, message: Message, at: datetime) -> Delivery:
        """Hand a message over to its address. What goes wrong is a delivery that was not done, never an error."""
