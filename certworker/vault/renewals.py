"""Renewals: begun when they fall due, put off when they fail."""

from dataclasses import replace
from datetime import datetime

from certworker.clock import Clock, whole_second
from certworker.errors import NotFound
from certworker.vault.issuances import Issuances
from certworker.vault.lifetime import next_attempt
from certworker.vault.operations import Certificate, Operation
from certworker.vault.store import Store, Writer


class Renewals:
    """Carries out what `lifetime` decided. For the worker; it asks for no caller."""

    def __init__(self, store: Store, issuances: Issuances, clock: Clock) -> None:
        self._store = store
        self._issuances = issuances
        self._clock = clock

    def begin(self, certificate: Certificate) -> Operation:
        """Begin the renewal of a certificate that was claimed. Raises LeaseLost where the claim ran out meanwhile."""
        with self._store.reading() as reader:
            vault = reader.vault(certificate.vault_id)
            current = reader.certificate_version(certificate.vault_id, certificate.name, None)
        if vault is None or current is None:
            raise NotFound(f"The certificate {certificate.name} is gone.")
        return self._issuances.renew(vault, certificate, current)

    def put_off(self, certificate: Certificate, error: str) -> None:
        """Plan the next attempt at a renewal that could not even begin."""
        with self._store.writing() as writer:
            put_off(writer, certificate.vault_id, certificate.name, whole_second(self._clock()), error, configuration=False)


def put_off(writer: Writer, vault_id: str, name: str, at: datetime, error: str, *, configuration: bool) -> None:
    """Plan the next attempt at a renewal that failed, as part of a larger transaction."""
    certificate = writer.certificate(vault_id, name)
    if certificate is None:
        return
    current = writer.certificate_version(vault_id, name, None)
    failures = certificate.renewal.failures + 1
    not_after = current.attributes.expires if current else None
    due_at = next_attempt(failures, at, not_after, configuration=configuration)
    renewal = replace(certificate.renewal, due_at=due_at, failures=failures, last_error=error)
    writer.set_renewal(vault_id, name, None, renewal)
