"""Certificates' policies and renewals: what is asked and what is changed."""

from sqlalchemy import bindparam, select

from certworker.errors import LeaseLost
from certworker.store.tables.certificates import (
    CERTIFICATE,
    certificate_record,
    certificate_values,
    renewal_values,
)
from certworker.store.tables.row import Values
from certworker.store.transaction import Transaction
from certworker.vault.objects import fold_name
from certworker.vault.operations import Certificate, Renewal

_CERTIFICATE = select(CERTIFICATE).where(
    CERTIFICATE.c.vault_id == bindparam("vault_id"), CERTIFICATE.c.folded == bindparam("folded")
)


class CertificateReader(Transaction):
    """What can be asked of certificates."""

    def certificate(self, vault_id: str, name: str) -> Certificate | None:
        """Find a certificate's policy and renewal."""
        row = self._one(_CERTIFICATE, vault_id=vault_id, folded=fold_name(name))
        return certificate_record(row) if row else None


class CertificateWriter(CertificateReader):
    """What can be changed in certificates."""

    def put_certificate(self, certificate: Certificate) -> None:
        """Add or replace a certificate's policy and renewal; lease and fence are left alone."""
        values = certificate_values(certificate) | {"fence": 0}
        self._put(CERTIFICATE, values, key=("vault_id", "folded"), keep=("name", "fence"))

    def set_renewal(self, vault_id: str, name: str, fence: int | None, renewal: Renewal) -> None:
        """Replace a certificate's renewal, and end a lease on it.

        Raises LeaseLost where `fence` is given and has moved on, or the lease was ended.
        """
        this: Values = {"vault_id": vault_id, "folded": fold_name(name)}
        if fence is not None:
            # what was changed in between has ended the lease, and goes before what the worker knew
            this["fence"] = fence
        ended = renewal_values(renewal) | {"lease_owner": None, "lease_until": None}
        changed = self._update(CERTIFICATE, this, ended, leased=fence is not None)
        if fence is not None and changed == 0:
            raise LeaseLost(f"The renewal of {name} was taken over by another worker.")
