"""How one certificate stands: what the tables tell of it, put together."""

from collections.abc import Mapping

from certworker.vault.notification.expiry_watch import overdue_of
from certworker.vault.operations import OperationStatus
from certworker.vault.renewal.advice import window_of
from certworker.vault.revocation.standing import Standing, Status, read_status
from certworker.vault.summary.records import FleetEntry, Member, Place, State
from certworker.vault.watches import Watch, WatchKind


def state_of(entry: FleetEntry, revocation: Standing | None = None) -> State:
    """Say in a word how a certificate stands."""
    in_progress = entry.operation_status is OperationStatus.IN_PROGRESS
    if entry.not_after is None:
        if in_progress:
            return State.WAITS_FOR_SIGNATURE if entry.operation_due_at is None else State.BEING_ISSUED
        return State.FAILED if entry.operation_status is OperationStatus.FAILED else State.EMPTY
    found = (
        (revocation is Standing.REVOKED, State.REVOKED),
        (not entry.enabled, State.DISABLED),
        (in_progress, State.RENEWING),
        (entry.renewal.pause is not None, State.PAUSED),
        (entry.renewal.failures > 0, State.RENEWAL_FAILED),
    )
    return next((word for holds, word in found if holds), State.VALID)


def member_of(place: Place, entry: FleetEntry, watches: Mapping[WatchKind, Watch]) -> Member:
    """Put together what is known of a certificate; watches over another version than the current one tell nothing."""
    version, renewal = entry.version or "", entry.renewal
    status = read_status(watches.get(WatchKind.REVOCATION), version) if version else None
    window = window_of(watches.get(WatchKind.ADVICE), version) if version else None
    expiry = watches.get(WatchKind.EXPIRY)
    late = expiry and expiry.version == version and renewal.reason
    in_progress = entry.operation_status is OperationStatus.IN_PROGRESS
    return Member(
        place=place,
        vault=entry.vault,
        name=entry.name,
        issuer=entry.issuer,
        state=state_of(entry, status.standing if status else None),
        version=entry.version,
        enabled=entry.enabled,
        not_before=entry.not_before,
        not_after=entry.not_after,
        due_at=renewal.due_at,
        source=renewal.reason,
        deadline=renewal.deadline,
        window_start=window.start if window else None,
        window_end=window.end if window else None,
        failures=renewal.failures,
        last_error=renewal.last_error,
        next_attempt=entry.operation_due_at if in_progress else renewal.due_at if renewal.failures else None,
        paused_since=renewal.pause.since if renewal.pause else None,
        overdue=overdue_of(expiry) if expiry and late else None,
        pending_since=entry.operation_created if in_progress else None,
        revocation=status.standing if status else None,
        revocation_since=status.since if status else None,
        checked=status.looked_at if status else None,
        method=_method(status),
    )


def _method(status: Status | None) -> str:
    return status.source or "none" if status else ""
