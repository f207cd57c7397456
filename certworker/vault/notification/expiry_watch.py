"""The watch over a version's time: each mark that is passed becomes an event, once."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from certworker.clock import whole_second
from certworker.vault.events import Event, EventType
from certworker.vault.expiries import times
from certworker.vault.notification.marks import Mark, Threshold, due_marks, marks, overdue
from certworker.vault.notification.message import Severity, Topic
from certworker.vault.notification.topics import CONTACTS, SEVERITY
from certworker.vault.objects import CertificateVersion, ObjectKind
from certworker.vault.operations import Certificate, Renewal
from certworker.vault.policy import ActionType, Policy
from certworker.vault.renewal.planning import Planner
from certworker.vault.renewal.situation import Situation
from certworker.vault.store import Reader, Store
from certworker.vault.watches import Watch, WatchKind

TOLD: Final = "told"
"""In the state of a watch: the marks that were passed."""
OVERDUE: Final = "overdue"
"""In the state of a watch: how severe it is that there was no renewal; empty where there is no reason for one."""

DISABLED_INTERVAL: Final = timedelta(days=1)
"""So often what is disabled is looked at: once it is enabled, the last of what was passed meanwhile is told."""

_EVENTS: Final[Mapping[Topic, EventType]] = MappingProxyType(
    {
        Topic.NEAR_EXPIRY: EventType.CERTIFICATE_NEAR_EXPIRY,
        Topic.EXPIRED: EventType.CERTIFICATE_EXPIRED,
        Topic.RENEWAL_STARTS: EventType.RENEWAL_PLANNED,
        Topic.RENEWAL_OVERDUE: EventType.RENEWAL_OVERDUE,
    }
)


@dataclass(frozen=True, slots=True)
class _Look:
    """What is known of a version at a look at it."""

    certificate: Certificate
    current: CertificateVersion
    renewal_at: datetime | None
    marks: tuple[Mark, ...]


class ExpiryWatch:
    """Looks at versions whose marks have come. For the worker; it asks for no caller."""

    def __init__(self, store: Store, planner: Planner, thresholds: tuple[Threshold, ...], before_renewal: timedelta) -> None:
        self._store = store
        self._planner = planner
        self._thresholds = thresholds
        self._before_renewal = before_renewal

    def look(self, watch: Watch, at: datetime) -> None:
        """Tell the marks of a claimed watch that were passed, and plan the next look: one transaction. Raises LeaseLost."""
        with self._store.writing() as writer:
            # its name is held first, as by everybody: of two that wait for each other, the database gives one up
            writer.head(watch.vault_id, ObjectKind.CERTIFICATE, watch.name)
            found = _look(writer, self._planner, watch, self._thresholds, self._before_renewal, at)
            if found is None:
                writer.set_watch(replace(watch, due_at=None))
                return
            told = watch.state.get(TOLD, "").split()
            if not found.current.attributes.enabled:
                # nobody has to hear of it, until it is enabled again
                coming = _next(found.marks, at)
                due_at = min(coming, whole_second(at) + DISABLED_INTERVAL) if coming else None
                writer.set_watch(replace(watch, due_at=due_at, state={**watch.state, OVERDUE: ""}))
                return
            for mark in due_marks(found.marks, told, at):
                writer.add_event(_event(writer, found, mark, at))
            passed = {*told, *(mark.key for mark in found.marks if mark.at <= at)}
            severity = overdue(found.marks, at)
            state = {TOLD: " ".join(sorted(passed)), OVERDUE: severity.value if severity else ""}
            writer.set_watch(replace(watch, due_at=_next(found.marks, at), state=state))

    def put_off(self, watch: Watch, at: datetime) -> None:
        """Look again in an hour, since this look went wrong. Raises LeaseLost."""
        with self._store.writing() as writer:
            writer.set_watch(replace(watch, due_at=whole_second(at) + timedelta(hours=1)))


def first_look(
    reader: Reader,
    planner: Planner,
    event: Event,
    thresholds: tuple[Threshold, ...],
    before_renewal: timedelta,
    at: datetime,
) -> Watch | None:
    """Plan the first look at a version that an event tells of; none where it is not the current one."""
    watch = Watch(WatchKind.EXPIRY, event.vault_id, event.name, event.version or "", at)
    found = _look(reader, planner, watch, thresholds, before_renewal, at)
    return replace(watch, due_at=found.marks[0].at) if found else None


def overdue_of(watch: Watch) -> Severity | None:
    """Tell how overdue a renewal was at the last look."""
    said = watch.state.get(OVERDUE)
    return Severity(said) if said else None


def _look(
    reader: Reader,
    planner: Planner,
    watch: Watch,
    thresholds: tuple[Threshold, ...],
    before_renewal: timedelta,
    at: datetime,
) -> _Look | None:
    certificate = reader.certificate(watch.vault_id, watch.name)
    current = reader.certificate_version(watch.vault_id, watch.name, None)
    if certificate is None or current is None or current.version != watch.version:
        return None
    situation = planner.situation(reader, certificate, current, at)
    renewal_at = _renewal_point(planner, situation)
    return _Look(certificate, current, renewal_at, marks(situation, renewal_at, thresholds, before_renewal))


def _renewal_point(planner: Planner, situation: Situation) -> datetime | None:
    """Tell when the renewal should begin, or should have begun, whatever has come between: failures, a pause, a request."""
    undisturbed = replace(situation, at=situation.not_before, changed_at=None, requested_at=None, is_paused=False)
    found = planner.foresee(undisturbed, Renewal(None, None, situation.jitter))
    return found.due_at if found else None


def _next(found: tuple[Mark, ...], at: datetime) -> datetime | None:
    return min((mark.at for mark in found if mark.at > at), default=None)


def _event(reader: Reader, found: _Look, mark: Mark, at: datetime) -> Event:
    certificate, current, vault = found.certificate, found.current, reader.vault(found.current.vault_id)
    renewal = certificate.renewal
    detail = {
        "vault": vault.name if vault else "",
        "issuer": certificate.policy.issuer.name,
        **times(current.attributes),
        "threshold": mark.threshold,
        "action": _action(certificate.policy),
        "renewal_at": found.renewal_at.isoformat() if found.renewal_at else "",
        "failures": str(renewal.failures) if renewal.failures else "",
        "error": renewal.last_error or "",
        "next": renewal.due_at.isoformat() if renewal.due_at and mark.topic is Topic.RENEWAL_OVERDUE else "",
        SEVERITY: mark.severity.value,
        CONTACTS: "" if mark.to_contacts else "no",
    }
    shown = {name: value for name, value in detail.items() if value}
    kind = ObjectKind.CERTIFICATE
    return Event(_EVENTS[mark.topic], at, current.vault_id, kind, certificate.name, version=current.version, detail=shown)


def _action(policy: Policy) -> str:
    """Name what the policy does before the end: to renew goes before to tell."""
    actions = {action.action for action in policy.lifetime_actions}
    wanted = (ActionType.AUTO_RENEW, ActionType.EMAIL_CONTACTS)
    return next((action.value for action in wanted if action in actions), "")
