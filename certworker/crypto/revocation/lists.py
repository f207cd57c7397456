"""Certificate revocation lists (RFC 5280 section 5), read once and looked into for as many certificates as are asked about."""

from collections.abc import Hashable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import AuthorityInformationAccessOID

from certworker.crypto.revocation.certificates import UNREADABLE, found
from certworker.crypto.revocation.names import NameKey, directory_names, name_key, shown
from certworker.crypto.revocation.points import ALL_REASONS, Reasons, access_urls, delta_urls, point_names
from certworker.errors import BadParameter

MOST_BYTES = 64 * 1024 * 1024
"""The longest list that is read: the largest in the wild have some 20 MB."""
_PEM = b"-----BEGIN X509 CRL-----"
_KNOWN = (
    x509.AuthorityKeyIdentifier,
    x509.CRLNumber,
    x509.DeltaCRLIndicator,
    x509.IssuingDistributionPoint,
    x509.FreshestCRL,
    x509.IssuerAlternativeName,
    x509.AuthorityInformationAccess,
)
_KNOWN_OF_ENTRIES = (x509.CRLReason, x509.InvalidityDate, x509.CertificateIssuer)


@dataclass(frozen=True, slots=True)
class Scope:
    """What a list is about (RFC 5280 section 5.2.5). Without the extension it is about all that its issuer issued."""

    names: frozenset[Hashable] | None = None
    reasons: Reasons = ALL_REASONS
    only_users: bool = False
    only_authorities: bool = False
    only_attributes: bool = False
    indirect: bool = False


class Entry(NamedTuple):
    """What a list says of one certificate; `flag` is None where it gives no reason."""

    revoked_at: datetime
    flag: x509.ReasonFlags | None

    @property
    def removes(self) -> bool:
        """Whether a delta CRL takes back what its base says."""
        return self.flag is x509.ReasonFlags.remove_from_crl


class RevocationList:
    """A CRL that was read. All its entries are looked at when the first question comes, and its signature once for a key.

    `number` is the CRLNumber, `delta_base` the BaseCRLNumber of a delta CRL; None where there is none. `next_update` may
    be missing. `issuer` is a name (RFC 4514). `delta_urls` and `ca_issuer_urls` are where its delta and its signer can be had.
    """

    def __init__(self, crl: x509.CertificateRevocationList, extensions: x509.Extensions) -> None:
        self._crl = crl
        self._signed: dict[bytes, bool] = {}
        self.issuer_key = name_key(crl.issuer)
        self.issuer = shown(crl.issuer)
        self.this_update = crl.last_update_utc
        self.next_update = crl.next_update_utc
        number, base = found(extensions, x509.CRLNumber), found(extensions, x509.DeltaCRLIndicator)
        self.number = number.crl_number if number else None
        self.delta_base = base.crl_number if base else None
        authority = found(extensions, x509.AuthorityKeyIdentifier)
        self.authority_key_id = authority.key_identifier if authority else None
        self.delta_urls = delta_urls(extensions)
        self.ca_issuer_urls = access_urls(extensions, AuthorityInformationAccessOID.CA_ISSUERS)
        self.scope = _scope(found(extensions, x509.IssuingDistributionPoint), self.issuer_key)
        self._unknown = _unknown_critical(extensions, _KNOWN)

    @property
    def count(self) -> int:
        """Count the entries. It is no length: a list without entries is a list, and not false."""
        return len(self._crl)

    @property
    def der(self) -> bytes:
        """Give the list as DER."""
        return self._crl.public_bytes(Encoding.DER)

    @property
    def unknown_critical(self) -> str | None:
        """Name a critical extension, of the list or an entry, that is not known here: the list may not be used (section 5.2).

        Raises BadParameter where an entry cannot be read.
        """
        return self._unknown or self._entries.unknown_critical

    def is_signed_by(self, certificate: x509.Certificate) -> bool:
        """Whether the key of a certificate has signed the list."""
        try:
            key = certificate.public_key()
            known = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            if known not in self._signed:
                # kinds of keys that cannot sign are a TypeError
                self._signed[known] = self._crl.is_signature_valid(key)  # type: ignore[arg-type]
            return self._signed[known]
        except UNREADABLE:
            return False

    def entry(self, issuer: NameKey, serial: int) -> Entry | None:
        """Find what the list says of the certificate that an issuer gave a serial number. Raises BadParameter."""
        place = self._entries.places.get((issuer, serial) if issuer != self.issuer_key else serial)
        if place is None:
            return None
        found_entry = self._crl[place]
        reason = found(found_entry.extensions, x509.CRLReason)
        return Entry(found_entry.revocation_date_utc, reason.reason if reason else None)

    def serials(self) -> frozenset[int]:
        """Gather the serial numbers of its own issuer's certificates that it has entries for. Raises BadParameter."""
        return frozenset(place for place in self._entries.places if isinstance(place, int))

    @cached_property
    def _entries(self) -> "_Entries":
        try:
            return _read_entries(self._crl, self.issuer_key)
        except UNREADABLE as error:
            raise BadParameter(f"An entry of this revocation list cannot be read: {error}.") from error


class _Entries(NamedTuple):
    """Where the entry of a certificate is: by its serial alone where the list's issuer issued it, as nearly all are."""

    places: dict[int | tuple[NameKey, int], int]
    unknown_critical: str | None


def _read_entries(crl: x509.CertificateRevocationList, owner: NameKey) -> _Entries:
    places: dict[int | tuple[NameKey, int], int] = {}
    unknown, issuers = None, frozenset({owner})
    for place, entry in enumerate(crl):
        for extension in entry.extensions:
            if isinstance(extension.value, x509.CertificateIssuer):
                # it holds for the entries that follow, too (section 5.3.3)
                issuers = directory_names(extension.value)
            elif extension.critical and not isinstance(extension.value, _KNOWN_OF_ENTRIES):
                unknown = extension.oid.dotted_string
        for issuer in issuers:
            places.setdefault(entry.serial_number if issuer == owner else (issuer, entry.serial_number), place)
    return _Entries(places, unknown)


def read_list(content: bytes) -> RevocationList:
    """Read a revocation list, DER or PEM. Raises BadParameter; its entries are not looked at yet."""
    if len(content) > MOST_BYTES:
        raise BadParameter(f"A revocation list has {MOST_BYTES} bytes at the most; this one has {len(content)}.")
    try:
        load = x509.load_pem_x509_crl if _PEM in content[: len(_PEM) + 4096] else x509.load_der_x509_crl
        crl = load(content)
        return RevocationList(crl, crl.extensions)
    except UNREADABLE as error:
        raise BadParameter(f"This is not a revocation list that can be read: {error}.") from error


def _scope(extension: x509.IssuingDistributionPoint | None, issuer: NameKey) -> Scope:
    if extension is None:
        return Scope()
    reasons = extension.only_some_reasons
    return Scope(
        names=point_names(extension.full_name, extension.relative_name, issuer),
        reasons=ALL_REASONS if reasons is None else reasons & ALL_REASONS,
        only_users=extension.only_contains_user_certs,
        only_authorities=extension.only_contains_ca_certs,
        only_attributes=extension.only_contains_attribute_certs,
        indirect=extension.indirect_crl,
    )


def _unknown_critical(extensions: x509.Extensions, known: tuple[type[x509.ExtensionType], ...]) -> str | None:
    critical = (e for e in extensions if e.critical and not isinstance(e.value, known))
    return next((extension.oid.dotted_string for extension in critical), None)
