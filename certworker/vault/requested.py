"""Renewals that somebody asks for, whenever they would have fallen due."""

from certworker.errors import Conflict, Disabled, OperationInProgress
from certworker.vault.access import Access, Caller
from certworker.vault.issuances import Issuances
from certworker.vault.objects import CertificateVersion, ObjectKind, check_name, not_found
from certworker.vault.operations import Certificate, Operation, OperationStatus
from certworker.vault.store import Reader, Store
from certworker.vault.vaults import Vault


class RequestedRenewals:
    """Begins renewals at once, by the same journal as those that fall due. What fails is not tried again by itself."""

    def __init__(self, store: Store, access: Access, issuances: Issuances) -> None:
        self._store = store
        self._access = access
        self._issuances = issuances

    def renew_now(self, caller: Caller, vault: Vault, name: str) -> Operation:
        """Begin a certificate's next version, by its policy as it is. A self-signed one is complete when this returns.

        Raises CertificateNotFound, OperationInProgress, Disabled, Conflict where there is nobody to ask or nothing to renew,
        and IssuerNotFound.
        """
        self._access.require(caller, vault, "certificates", "create", name=name)
        check_name(name)
        with self._store.reading() as reader:
            certificate = _live_certificate(reader, vault, name)
            current = _renewable(reader, vault, certificate)
        return self._issuances.renew_now(vault, certificate, current)


def _live_certificate(reader: Reader, vault: Vault, name: str) -> Certificate:
    head = reader.head(vault.id, ObjectKind.CERTIFICATE, name)
    certificate = reader.certificate(vault.id, name)
    if head is None or head.deletion or certificate is None:
        raise not_found(ObjectKind.CERTIFICATE, name)
    return certificate


def _renewable(reader: Reader, vault: Vault, certificate: Certificate) -> CertificateVersion:
    name = certificate.name
    last = reader.operation(vault.id, name)
    if last and last.status is OperationStatus.IN_PROGRESS:
        message = f"The certificate {name} has an operation in progress already: {last.id}. Cancel it, or wait for its end."
        raise OperationInProgress(message, last.id)
    current = reader.certificate_version(vault.id, name, None)
    if current is None:
        raise Conflict(f"The certificate {name} has no version that could be renewed: create it anew.")
    if certificate.policy.is_manual:
        raise Conflict(
            f"The certificate {name} has the issuer Unknown, whom nobody can ask to sign: make a certificate signing request "
            f"for its next version with `certworker csr create {name}`, or set an issuer in its policy."
        )
    if not current.attributes.enabled:
        raise Disabled(f"The certificate {name} is disabled, and is not renewed: enable it first.")
    return current
