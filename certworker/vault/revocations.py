"""Revocation: whoever issued a certificate is asked to take it back (RFC 5280 section 5.3.1)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import cast

from certworker.clock import Clock, whole_second
from certworker.errors import BadParameter, Conflict
from certworker.measures import Measures, Purpose, asking
from certworker.vault.access import Access, Caller
from certworker.vault.events import Event, EventType
from certworker.vault.issuance import Revoker
from certworker.vault.issuers import Issuers, refusal
from certworker.vault.objects import CertificateVersion, ObjectKind, check_name, not_found
from certworker.vault.policy import Policy
from certworker.vault.revocation.consequences import Consequences
from certworker.vault.store import Reader, Store
from certworker.vault.vaults import Issuer, Vault


class Reason(StrEnum):
    """Why a certificate is revoked, in the words of RFC 5280: those that its owner can give."""

    UNSPECIFIED = "unspecified"
    KEY_COMPROMISE = "keyCompromise"
    AFFILIATION_CHANGED = "affiliationChanged"
    SUPERSEDED = "superseded"
    CESSATION_OF_OPERATION = "cessationOfOperation"


CODES: Mapping[Reason, int] = MappingProxyType(
    {
        Reason.UNSPECIFIED: 0,
        Reason.KEY_COMPROMISE: 1,
        Reason.AFFILIATION_CHANGED: 3,
        Reason.SUPERSEDED: 4,
        Reason.CESSATION_OF_OPERATION: 5,
    }
)


@dataclass(frozen=True, slots=True)
class RevokedVersion:
    """A version of a certificate that its issuer has revoked."""

    version: CertificateVersion
    issuer: str
    reason: Reason


class Revocations:
    """Asks issuers for revocations. What was revoked stays in the vault as it is; what follows is as if it had been found."""

    def __init__(
        self,
        store: Store,
        access: Access,
        issuers: Issuers,
        consequences: Consequences,
        clock: Clock,
        measures: Measures,
    ) -> None:
        self._store = store
        self._access = access
        self._issuers = issuers
        self._consequences = consequences
        self._clock = clock
        self._measures = measures

    def revoke(self, caller: Caller, vault: Vault, name: str, version: str | None, reason: str | int) -> RevokedVersion:
        """Have a version revoked, the current one where `version` is none. The CA is asked in no transaction.

        One that is revoked already counts as done. Raises CertificateNotFound, BadParameter for a reason that is none, Conflict
        where there is nobody to ask or the CA refuses, and Unavailable where it has to be asked again later.
        """
        self._access.require(caller, vault, "certificates", "delete", name=name)
        check_name(name)
        given = read_reason(reason)
        with self._store.reading() as reader:
            found, issuer = _find(reader, vault, name, version)
        revoker = cast("Revoker", self._issuers.provider_that_can("revoke", issuer))
        at = whole_second(self._clock())
        with asking(self._measures, Purpose.REVOCATION, issuer.name, self._clock):
            result = revoker.revoke(self._issuers.request(issuer), found.der, CODES[given], at)
        if not result.done:
            raise refusal(f"The certificate {name} is not revoked.", result.message, result.retry_at, at)
        with self._store.writing() as writer:
            at = whole_second(self._clock())
            writer.add_event(_event(vault, found, issuer, given, at))
            self._consequences.revoked_by_owner(writer, found, given.value, at)
        return RevokedVersion(found, issuer.name, given)


def read_reason(text: str | int) -> Reason:
    """Read a reason, as a word in any case or as its number. Raises BadParameter."""
    given = str(text).strip().casefold()
    for reason, code in CODES.items():
        if given in (reason.casefold(), str(code)):
            return reason
    known = ", ".join(f"{reason} ({code})" for reason, code in CODES.items())
    raise BadParameter(f"reason has the value {str(text)[:40]!r}; a certificate's owner can give {known}.", "reason")


def _find(reader: Reader, vault: Vault, name: str, version: str | None) -> tuple[CertificateVersion, Issuer]:
    head = reader.head(vault.id, ObjectKind.CERTIFICATE, name)
    certificate = reader.certificate(vault.id, name)
    found = reader.certificate_version(vault.id, name, version) if head and not head.deletion else None
    if certificate is None or found is None:
        raise not_found(ObjectKind.CERTIFICATE, name, version)
    operation = reader.operation_of_version(vault.id, name, found.version)
    policy = operation.policy if operation else certificate.policy
    if not policy.is_integrated:
        raise Conflict(_nobody(name, policy))
    issuer = reader.issuer(vault.id, policy.issuer.name)
    if issuer is None:
        text = f"The issuer {policy.issuer.name}, which the certificate {name} is from, does not exist any more: set it again."
        raise Conflict(text)
    return found, issuer


def _nobody(name: str, policy: Policy) -> str:
    if policy.is_self_signed:
        return f"The certificate {name} is self-signed, and there is nobody to revoke it: whoever trusts it has to stop that."
    return (
        f"The certificate {name} was imported, or signed outside of the vault (issuer {policy.issuer.name}): have it revoked "
        "where it was issued."
    )


def _event(vault: Vault, found: CertificateVersion, issuer: Issuer, reason: Reason, at: datetime) -> Event:
    detail = {"vault": vault.name, "issuer": issuer.name, "reason": reason.value}
    kind = ObjectKind.CERTIFICATE
    return Event(EventType.CERTIFICATE_REVOKED, at, vault.id, kind, found.name, version=found.version, detail=detail)
