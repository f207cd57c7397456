"""What is told of an event: the topic, how severe it is, and by what it differs from what is told alike. Pure functions."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from certworker.vault.events import Event, EventType
from certworker.vault.notification.facts import one_line
from certworker.vault.notification.message import Severity, Topic

CONTACTS: Final = "contacts"
"""In the detail of an event: "no" where people are not to be told, but programs."""
SEVERITY: Final = "severity"
"""In the detail of an event: how severe it is, where its type does not say."""
_NOT_FACTS: Final = frozenset({"vault", CONTACTS, SEVERITY})
_MADE_BY_PEOPLE: Final = frozenset({"create", "import", "restore", "merge"})
"""Reasons of new versions that are no renewals."""

_TOPICS: Final[Mapping[EventType, tuple[Topic, Severity]]] = MappingProxyType(
    {
        EventType.CERTIFICATE_NEW_VERSION: (Topic.NEW_VERSION, Severity.INFO),
        EventType.KEY_NEW_VERSION: (Topic.NEW_VERSION, Severity.INFO),
        EventType.SECRET_NEW_VERSION: (Topic.NEW_VERSION, Severity.INFO),
        EventType.CERTIFICATE_NEAR_EXPIRY: (Topic.NEAR_EXPIRY, Severity.WARNING),
        EventType.KEY_NEAR_EXPIRY: (Topic.NEAR_EXPIRY, Severity.WARNING),
        EventType.SECRET_NEAR_EXPIRY: (Topic.NEAR_EXPIRY, Severity.WARNING),
        EventType.CERTIFICATE_EXPIRED: (Topic.EXPIRED, Severity.CRITICAL),
        EventType.KEY_EXPIRED: (Topic.EXPIRED, Severity.CRITICAL),
        EventType.SECRET_EXPIRED: (Topic.EXPIRED, Severity.CRITICAL),
        EventType.RENEWAL_PLANNED: (Topic.RENEWAL_STARTS, Severity.INFO),
        EventType.RENEWAL_OVERDUE: (Topic.RENEWAL_OVERDUE, Severity.WARNING),
        EventType.OPERATION_FAILED: (Topic.RENEWAL_FAILED, Severity.WARNING),
        EventType.CERTIFICATE_REVOKED: (Topic.REVOKED, Severity.WARNING),
        EventType.CERTIFICATE_FOUND_REVOKED: (Topic.REVOKED, Severity.CRITICAL),
        EventType.KEY_COMPROMISED: (Topic.KEY_COMPROMISED, Severity.CRITICAL),
        EventType.REVOCATION_UNKNOWN: (Topic.REVOCATION_UNKNOWN, Severity.WARNING),
        EventType.RENEWAL_PAUSED: (Topic.RENEWAL_PAUSED, Severity.WARNING),
        EventType.ISSUER_DOWN: (Topic.ISSUER_DOWN, Severity.WARNING),
        EventType.ISSUER_FAILED_OVER: (Topic.FAILED_OVER, Severity.WARNING),
    }
)
_ONCE: Final = frozenset({Topic.NEW_VERSION, Topic.RENEWED})
"""Topics that are told once of a version."""
ALARMS: Final = frozenset({Topic.REVOKED, Topic.KEY_COMPROMISED})
"""Topics that a silence covers only by their name: nobody who wanted some quiet meant these."""
REMINDERS: Final = frozenset({Topic.NEAR_EXPIRY, Topic.RENEWAL_OVERDUE, Topic.RENEWAL_FAILED, Topic.REVOCATION_UNKNOWN})
"""Topics that are told again of a version, until somebody acknowledges."""
OVERTAKEN: Final = frozenset({Topic.NEAR_EXPIRY, Topic.RENEWAL_STARTS, Topic.RENEWAL_FAILED, Topic.RENEWAL_OVERDUE})
"""Topics that are of no interest any more once there is another version."""
_RANKS: Final = (Severity.INFO, Severity.WARNING, Severity.CRITICAL)


@dataclass(frozen=True, slots=True)
class Word:
    """What is to be told of an event, whoever hears it."""

    topic: Topic
    severity: Severity
    version: str
    threshold: str
    facts: Mapping[str, str]
    to_contacts: bool = True


def words_of(event: Event) -> tuple[Word, ...]:
    """Say what is told of an event; nothing of most.

    The version is the event's. Of a renewal people hear that it was one, and programs of the new version.
    """
    found = _TOPICS.get(event.type)
    if found is None:
        return ()
    topic, severity = found
    said = event.detail.get(SEVERITY)
    word = Word(
        topic=topic,
        severity=Severity(said) if said in _RANKS else severity,
        version=event.version or "",
        # what a CA wrote may hold what no database takes
        threshold=one_line(_threshold(event, topic)),
        facts=_facts(event),
        to_contacts=event.detail.get(CONTACTS) != "no",
    )
    if event.type is EventType.CERTIFICATE_NEW_VERSION and event.detail.get("reason") not in _MADE_BY_PEOPLE:
        return word, replace(word, topic=Topic.RENEWED)
    return (word,)


def _facts(event: Event) -> Mapping[str, str]:
    facts = {name: value for name, value in event.detail.items() if value and name not in _NOT_FACTS}
    if event.type is EventType.ISSUER_FAILED_OVER and "issuer" in facts:
        facts["from"] = facts["issuer"]
    return MappingProxyType(facts)


def is_as_severe(one: Severity, other: Severity) -> bool:
    """Whether one is as severe as another, or more."""
    return _RANKS.index(one) >= _RANKS.index(other)


def _threshold(event: Event, topic: Topic) -> str:
    """Tell apart what is told several times of one version: by the part of its time, the end that it had then, the failure."""
    if topic in _ONCE:
        return ""
    if topic is Topic.RENEWAL_FAILED:
        return event.detail.get("code", "")
    if topic is Topic.REVOKED:
        return event.detail.get("about", "")  # empty for the certificate itself, whoever had it revoked
    if "threshold" in event.detail or event.type in (EventType.RENEWAL_PLANNED, EventType.CERTIFICATE_EXPIRED):
        return event.detail.get("threshold", "")
    # the end of a key or a secret can be changed, and is told again then
    if topic in (Topic.NEAR_EXPIRY, Topic.EXPIRED):
        return event.detail.get("exp", "")
    return str(event.sequence)
