"""The log's line for each event, once it is committed: what a certificate, a key or a secret goes through, and its issuer.

The events in the database are the truth; these lines are for whoever reads the log. None is of the service's own faults, so
none is an error: what somebody should look into is a warning.
"""

import logging
from collections.abc import Iterable
from types import MappingProxyType
from typing import Final

from certworker.vault.audit.acts import is_act
from certworker.vault.events import Event, EventType
from certworker.vault.vaults import Vault

_log = logging.getLogger("certworker.events")

_DEBUG, _INFO, _WARNING = logging.DEBUG, logging.INFO, logging.WARNING
_WORDS: Final = MappingProxyType(
    {
        EventType.CERTIFICATE_NEW_VERSION: (_INFO, "has a new version from {issuer} ({reason})"),
        EventType.KEY_NEW_VERSION: (_INFO, "has a new version ({reason})"),
        EventType.SECRET_NEW_VERSION: (_INFO, "has a new version ({reason})"),
        EventType.CERTIFICATE_NEAR_EXPIRY: (_WARNING, "expires soon"),
        EventType.CERTIFICATE_EXPIRED: (_WARNING, "has expired"),
        EventType.KEY_NEAR_EXPIRY: (_WARNING, "expires soon"),
        EventType.KEY_EXPIRED: (_WARNING, "has expired"),
        EventType.SECRET_NEAR_EXPIRY: (_WARNING, "expires soon"),
        EventType.SECRET_EXPIRED: (_WARNING, "has expired"),
        EventType.OPERATION_CREATED: (_INFO, "is pending at {issuer} ({reason})"),
        EventType.OPERATION_STEP: (_INFO, "has come to the step {step}"),
        EventType.OPERATION_RETRY: (_WARNING, "could not be issued; the next attempt is at {next}: {error}"),
        EventType.OPERATION_FAILED: (_WARNING, "was not issued ({code}): {error}"),
        EventType.OPERATION_CANCELLED: (_INFO, "is not issued: the operation was cancelled"),
        EventType.RENEWAL_PLANNED: (_DEBUG, "is renewed soon"),
        EventType.RENEWAL_OVERDUE: (_WARNING, "should have been renewed by now"),
        EventType.RENEWAL_STARTED: (_INFO, "is being renewed ({reason})"),
        EventType.RENEWAL_PAUSED: (_WARNING, "is not renewed until somebody resumes it: {why}"),
        EventType.RENEWAL_RESUMED: (_INFO, "is renewed again"),
        EventType.RENEWAL_ADVISED: (_INFO, "is to be renewed at another time, says {issuer}"),
        EventType.ISSUER_FAILED_OVER: (_WARNING, "goes from {issuer} to {to}"),
        EventType.CERTIFICATE_REVOKED: (_WARNING, "was revoked ({reason})"),
        EventType.CERTIFICATE_FOUND_REVOKED: (_WARNING, "was found revoked ({reason})"),
        EventType.KEY_COMPROMISED: (_WARNING, "has a compromised key"),
        EventType.REVOCATION_UNKNOWN: (_WARNING, "may be revoked; nobody can tell: {why}"),
        EventType.KEY_RELEASED: (_INFO, "was released"),
        EventType.OBJECT_DELETED: (_INFO, "was deleted"),
        EventType.OBJECT_RECOVERED: (_INFO, "was recovered"),
        EventType.OBJECT_PURGED: (_INFO, "was purged"),
    }
)
"""How severe it is, and what is said of the object. With `issuer` and the like the event's own detail is meant."""
_OF_ISSUERS: Final = MappingProxyType(
    {
        EventType.ISSUER_DOWN: (_WARNING, "is down"),
        EventType.ISSUER_UP: (_INFO, "is up again"),
        EventType.ISSUER_THROTTLED: (_WARNING, "takes no more requests until {until}"),
    }
)
_COMPANIONS: Final = frozenset({EventType.KEY_NEW_VERSION, EventType.SECRET_NEW_VERSION})
_THEN: Final = "; the next attempt is at {next}"


def log_events(events: Iterable[Event]) -> None:
    """Log a line for each event. A certificate's key and secret are its companions, and have none of their own."""
    for event in events:
        level, words = _OF_ISSUERS.get(event.type) or _WORDS[event.type]
        if _log.isEnabledFor(level) and (is_act(event) or event.type not in _COMPANIONS):
            _log.log(level, "%s", _said(event, words), extra={"fields": _fields(event)})


def tell_vault(vault: Vault, what: str) -> None:
    """Log what has become of a vault, once it is committed; there is no event of it."""
    fields = {"vault": vault.name, "vault_id": vault.id, "resource_group": vault.resource_group}
    _log.info("The vault %s %s", vault.name, what, extra={"fields": fields})


def _said(event: Event, words: str) -> str:
    if event.type is EventType.OPERATION_FAILED and event.detail.get("next"):
        words = words.replace(":", f"{_THEN}:", 1)
    vault = event.detail.get("vault", "")
    noun = f"issuer {event.detail.get('issuer', '')}" if event.type in _OF_ISSUERS else f"{event.kind.value} {event.name}"
    return f"The {noun} of the vault {vault} {words.format_map(_Detail(event.detail))}"


class _Detail(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return "?"


def _fields(event: Event) -> dict[str, str]:
    fields = {
        "event": event.type.value.rpartition(".")[2],
        "at": f"{event.at:%Y-%m-%dT%H:%M:%SZ}",
        "kind": event.kind.value,
        "name": event.name,
    }
    if event.version:
        fields["version"] = event.version
    return fields | {name: value for name, value in event.detail.items() if value}
