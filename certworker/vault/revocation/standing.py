"""How a certificate stands: what was found out last about its revocation, in the state of its watch."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from certworker.vault.watches import Watch, WatchKind, WatchReader


class Standing(StrEnum):
    """The results. Unknown is not good, and what cannot be checked is neither."""

    GOOD = "good"
    REVOKED = "revoked"
    UNKNOWN = "unknown"
    UNCHECKED = "unchecked"


class Request(StrEnum):
    """What has become of the certificate signing request that takes the place of a revoked certificate."""

    NONE = ""
    WANTED = "wanted"
    MADE = "made"


KEY_COMPROMISE = "keyCompromise"
ON_HOLD = "certificateHold"
NEVER_LOOKED = "It has not been looked at yet."


@dataclass(frozen=True, slots=True)
class Status:
    """What is known of one version. `since` is from when on it has stood so, as far as is known; `why` is one sentence.

    `about` is the subject of the certificate above it that was revoked, or is not known of; empty where it is itself.
    `source` is crl, ocsp or owner, `host` where that was told. `serials` are those that lists are searched for, in hex.
    `looked_at` is none before the first look. `told` says that somebody was told of the unknown.
    """

    standing: Standing
    since: datetime
    why: str = ""
    reason: str | None = None
    revoked_at: datetime | None = None
    about: str = ""
    source: str = ""
    host: str = ""
    fresh_until: datetime | None = None
    looked_at: datetime | None = None
    failures: int = 0
    serials: tuple[str, ...] = ()
    told: bool = False
    request: Request = Request.NONE

    @property
    def is_final(self) -> bool:
        """Whether it is revoked for good: only what is on hold may be good again."""
        return self.standing is Standing.REVOKED and self.reason != ON_HOLD


@dataclass(frozen=True, slots=True)
class WatchedCertificate:
    """A certificate of a vault with its status, and when it is looked at again; no status before it is watched."""

    name: str
    version: str
    status: Status | None
    next_look: datetime | None = None


def read_status(watch: Watch | None, version: str) -> Status | None:
    """Read the status of a version out of its watch; none where the watch is about another one, or has seen nothing."""
    if watch is None or watch.version != version or "standing" not in watch.state:
        return None
    state = watch.state
    return Status(
        standing=Standing(state["standing"]),
        since=_time(state["since"]),
        why=state.get("why", ""),
        reason=state.get("reason"),
        revoked_at=_optional_time(state.get("revoked_at")),
        about=state.get("about", ""),
        source=state.get("source", ""),
        host=state.get("host", ""),
        fresh_until=_optional_time(state.get("fresh_until")),
        looked_at=_optional_time(state.get("looked_at")),
        failures=int(state.get("failures", "0")),
        serials=tuple(state.get("serials", "").split()),
        told="told" in state,
        request=Request(state.get("request", "")),
    )


def write_status(status: Status) -> dict[str, str]:
    """Write a status as a watch keeps it."""
    state = {
        "standing": status.standing.value,
        "since": show_time(status.since),
        "why": status.why,
        "reason": status.reason,
        "revoked_at": show_time(status.revoked_at) if status.revoked_at else None,
        "about": status.about,
        "source": status.source,
        "host": status.host,
        "fresh_until": show_time(status.fresh_until) if status.fresh_until else None,
        "looked_at": show_time(status.looked_at) if status.looked_at else None,
        "failures": str(status.failures) if status.failures else None,
        "serials": " ".join(status.serials),
        "told": "yes" if status.told else None,
        "request": status.request.value,
    }
    return {name: value for name, value in state.items() if value}


def status_of(reader: WatchReader, vault_id: str, name: str, version: str) -> Status | None:
    """Find the status of a certificate's version; none where nothing is known of it."""
    return read_status(reader.watch(WatchKind.REVOCATION, vault_id, name), version)


def revocation_of(reader: WatchReader, vault_id: str, name: str, version: str) -> Status | None:
    """Find the status of a version that is known to be revoked, itself or something above it; none where it is not."""
    status = status_of(reader, vault_id, name, version)
    return status if status and status.standing is Standing.REVOKED else None


def show_time(at: datetime) -> str:
    """Show a time in UTC (RFC 3339)."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _optional_time(text: str | None) -> datetime | None:
    return _time(text) if text else None
