"""Pauses: renewals of a certificate are held until somebody lets them go on; who holds them, and why, is there to see."""

from datetime import datetime

from certworker.clock import Clock, whole_second
from certworker.errors import BadParameter
from certworker.vault.access import Access, Caller
from certworker.vault.events import Event, EventType
from certworker.vault.heads import live_head
from certworker.vault.objects import ObjectHead, ObjectKind, check_name, not_found
from certworker.vault.operations import Certificate, Pause
from certworker.vault.renewal.planning import Planner
from certworker.vault.store import Reader, Store, Writer
from certworker.vault.vaults import Vault

LONGEST_REASON = 500


class Pauses:
    """Pauses renewals, and resumes them. What is under way already goes on."""

    def __init__(self, store: Store, access: Access, planner: Planner, clock: Clock) -> None:
        self._store = store
        self._access = access
        self._planner = planner
        self._clock = clock

    def pause(self, caller: Caller, vault: Vault, name: str, why: str) -> Certificate:
        """Hold the renewals of a certificate, the urgent ones too; what was asked for before is forgotten.

        Raises CertificateNotFound, and BadParameter for a reason that is empty, too long, or no line of text.
        """
        self._access.require(caller, vault, "certificates", "update", name=name)
        check_name(name)
        pause = Pause(whole_second(self._clock()), self._name_of(caller), _checked(why))
        with self._store.writing() as writer:
            head = live_head(writer, vault, ObjectKind.CERTIFICATE, name)
            self._planner.hold(writer, vault.id, head.name, pause.since, pause)
            tell_paused(writer, vault.name, head, pause)
            return _certificate(writer, head)

    def resume(self, caller: Caller, vault: Vault, name: str) -> Certificate:
        """Let the renewals of a certificate go on; nothing changes where they are not held. Raises CertificateNotFound."""
        self._access.require(caller, vault, "certificates", "update", name=name)
        check_name(name)
        at = whole_second(self._clock())
        with self._store.writing() as writer:
            head = live_head(writer, vault, ObjectKind.CERTIFICATE, name)
            if _certificate(writer, head).renewal.pause:
                self._planner.hold(writer, vault.id, head.name, at, None)
                detail = {"vault": vault.name, "by": self._name_of(caller)}
                writer.add_event(_event(EventType.RENEWAL_RESUMED, head, at, detail))
            return _certificate(writer, head)

    def _name_of(self, caller: Caller) -> str:
        with self._store.glance() as reader:
            principal = reader.principal(caller.object_id)
        return principal.display_name if principal else caller.client_id


def tell_paused(writer: Writer, vault_name: str, head: ObjectHead, pause: Pause) -> None:
    """Tell that the renewals of a certificate are held, as part of a larger transaction."""
    detail = {"vault": vault_name, "by": pause.by, "why": pause.why}
    writer.add_event(_event(EventType.RENEWAL_PAUSED, head, pause.since, detail))


def _checked(why: str) -> str:
    why = why.strip()
    if not why or len(why) > LONGEST_REASON or not why.isprintable():
        raise BadParameter(f"why says in 1 to {LONGEST_REASON} signs, on one line, why the renewals are held.", "why")
    return why


def _certificate(reader: Reader, head: ObjectHead) -> Certificate:
    certificate = reader.certificate(head.vault_id, head.name)
    if certificate is None:
        raise not_found(ObjectKind.CERTIFICATE, head.name)
    return certificate


def _event(event_type: EventType, head: ObjectHead, at: datetime, detail: dict[str, str]) -> Event:
    return Event(event_type, at, head.vault_id, ObjectKind.CERTIFICATE, head.name, version=head.current_version, detail=detail)
