"""What follows when a certificate is revoked, or its key is known to others: all of it in the transaction that records it."""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

from certworker.crypto.x509 import read_certificate
from certworker.vault.events import Event, EventType
from certworker.vault.objects import CertificateVersion, ObjectKind
from certworker.vault.operations import Certificate, Operation, OperationStatus
from certworker.vault.policy import ActionType
from certworker.vault.renewal.planning import Planner
from certworker.vault.revocation.compromised import CompromisedKey, digest_of
from certworker.vault.revocation.standing import (
    KEY_COMPROMISE,
    NEVER_LOOKED,
    Request,
    Standing,
    Status,
    show_time,
    write_status,
)
from certworker.vault.store import Reader, Writer
from certworker.vault.watches import Watch, WatchKind

COMPROMISED = "The key that this was begun with is known to be compromised."


class Consequences:
    """Acts on what was found out: tells it, plans the replacement, and keeps a compromised key from being used again."""

    def __init__(self, planner: Planner) -> None:
        self._planner = planner

    def found_revoked(self, writer: Writer, version: CertificateVersion, status: Status, at: datetime) -> None:
        """Act on a revocation that was found, as part of a larger transaction in which the watch says so already."""
        certificate = writer.certificate(version.vault_id, version.name)
        detail = {
            "vault": _vault_name(writer, version.vault_id),
            "issuer": certificate.policy.issuer.name if certificate else "",
            "reason": status.reason or "unspecified",
            "revoked_at": show_time(status.revoked_at or status.since),
            "source": status.source,
            "host": status.host,
            "about": status.about,
            "action": _action(writer, version, certificate),
        }
        writer.add_event(_event(EventType.CERTIFICATE_FOUND_REVOKED, version, at, detail))
        if status.reason == KEY_COMPROMISE and not status.about:
            self.compromised(writer, version, at, told={version.version})
        self._planner.replan(writer, version.vault_id, version.name, at)

    def revoked_by_owner(self, writer: Writer, version: CertificateVersion, reason: str, at: datetime) -> None:
        """Act on a revocation that was asked for here: lists and responders may tell of it only later.

        It is told already; and one that its owner gave up is replaced as far as its policy says so, like any other.
        """
        current = writer.certificate_version(version.vault_id, version.name, None)
        if current and current.version == version.version:
            why = f"Its owner had it revoked here ({reason})."
            status = Status(Standing.REVOKED, at, why, reason, at, source="owner", looked_at=at)
            status = replace(status, request=request_for(writer, version))
            due_at = at if status.request is Request.WANTED else None
            place = (WatchKind.REVOCATION, version.vault_id, version.name, version.version)
            writer.put_watch(Watch(*place, due_at, write_status(status)))
        if reason == KEY_COMPROMISE:
            self.compromised(writer, version, at, told={version.version})
        self._planner.replan(writer, version.vault_id, version.name, at)

    def came(self, writer: Writer, version: CertificateVersion, at: datetime) -> None:
        """Tell of a version that came with a key that is known to others already: out of a backup, say."""
        known = writer.compromised_key(read_certificate(version.der).public_key)
        if known:
            detail = {"vault": _vault_name(writer, version.vault_id), "since": show_time(known.since), "found_with": known.name}
            writer.add_event(_event(EventType.KEY_COMPROMISED, version, at, detail))

    def taken_back(self, writer: Writer, version: CertificateVersion, at: datetime) -> None:
        """Plan anew: what was on hold is good again, or nobody can tell any more."""
        self._planner.replan(writer, version.vault_id, version.name, at)

    def compromised(self, writer: Writer, version: CertificateVersion, at: datetime, told: Collection[str] = ()) -> None:
        """Keep the key of a version from being used again, in all vaults, and have what uses it replaced.

        `told` are versions of which it is told otherwise.
        """
        public_key = read_certificate(version.der).public_key
        known = CompromisedKey(digest_of(public_key), at, version.vault_id, version.name, version.version)
        is_new = writer.add_compromised_key(known)
        for operation in writer.operations_with_key(public_key):
            _call_off(writer, operation, at)
        for other in writer.versions_with_key(public_key):
            if is_new and other.version not in told:
                detail = {"vault": _vault_name(writer, other.vault_id), "since": show_time(at), "found_with": version.name}
                writer.add_event(_event(EventType.KEY_COMPROMISED, other, at, detail))
            self._planner.replan(writer, other.vault_id, other.name, at)
            if writer.watch(WatchKind.REVOCATION, other.vault_id, other.name):
                writer.hasten_watches(WatchKind.REVOCATION, other.vault_id, other.name)
            else:
                # one that is watched has been told of: see `came`
                state = write_status(Status(Standing.UNKNOWN, at, NEVER_LOOKED))
                writer.put_watch(Watch(WatchKind.REVOCATION, other.vault_id, other.name, other.version, at, state))


def request_for(reader: Reader, version: CertificateVersion) -> Request:
    """Tell whether a certificate that is not trusted any more needs a signing request, which a person carries to a CA.

    Not where it is renewed by itself, nor where it was imported: nobody here has made its key.
    """
    certificate = reader.certificate(version.vault_id, version.name)
    return Request.WANTED if _action(reader, version, certificate) == Request.WANTED else Request.NONE


def _action(reader: Reader, version: CertificateVersion, certificate: Certificate | None) -> str:
    """Say what comes of it, in a word: it is replaced, a request is made, or there is nothing that is done by itself."""
    if certificate is None or not version.attributes.enabled:
        return "none"
    policy = certificate.policy
    if policy.is_manual:
        made_here = reader.operation_of_version(version.vault_id, version.name, version.version) is not None
        return Request.WANTED.value if made_here else "none"
    renews = any(action.action is ActionType.AUTO_RENEW for action in policy.lifetime_actions)
    return "replaced" if renews and not certificate.renewal.pause else "none"


def _call_off(writer: Writer, operation: Operation, at: datetime) -> None:
    """End an operation whose certificate would be for a compromised key; a worker that is at it finds its lease lost."""
    ended = replace(
        operation,
        status=OperationStatus.CANCELLED,
        status_details=COMPROMISED,
        due_at=None,
        updated=at,
        cancellation_requested=True,
    )
    writer.update_operation(ended)
    writer.add_journal(operation.id, at, "cancelled", {"why": "key compromised"})
    writer.count_attempt(operation.vault_id, operation.policy.issuer.name, "cancelled")
    detail = {"vault": _vault_name(writer, operation.vault_id), "issuer": operation.policy.issuer.name}
    kind = ObjectKind.CERTIFICATE
    writer.add_event(Event(EventType.OPERATION_CANCELLED, at, operation.vault_id, kind, operation.name, detail=detail))
    # what the current version needs is decided anew, and not put off by this
    writer.hasten_watches(WatchKind.REVOCATION, operation.vault_id, operation.name)


def _vault_name(reader: Reader, vault_id: str) -> str:
    vault = reader.vault(vault_id)
    return vault.name if vault else ""


def _event(event_type: EventType, version: CertificateVersion, at: datetime, detail: dict[str, str]) -> Event:
    place = (version.vault_id, ObjectKind.CERTIFICATE, version.name)
    return Event(event_type, at, *place, version=version.version, detail=detail)
