"""Where a certificate says that it can be learned what became of it (RFC 5280 sections 4.2.1.13, 4.2.1.15 and 4.2.2.1)."""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from datetime import timedelta

from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID, ObjectIdentifier

from certworker.crypto.revocation.certificates import UNREADABLE, found, load
from certworker.crypto.revocation.names import NameKey, directory_key, directory_names, general_keys, name_key, relative_key
from certworker.errors import BadParameter

SHORT_LIVED = timedelta(days=7)
"""A certificate that lives no longer needs no revocation information (CA/Browser Forum's baseline requirements, 1.6.1)."""
_NO_REVOCATION = ObjectIdentifier("2.5.29.56")
"""noRevAvail (RFC 9608): the issuer says that it never tells."""
_SCHEMES = ("http://", "https://")

ALL_REASONS = frozenset(x509.ReasonFlags) - {x509.ReasonFlags.unspecified, x509.ReasonFlags.remove_from_crl}
"""The reasons that a list can be confined to: all bits of ReasonFlags."""
Reasons = frozenset[x509.ReasonFlags]


@dataclass(frozen=True, slots=True)
class Points:
    """The URLs in a certificate, http and https alone, in its own order.

    `crl_urls` are grouped by distribution point: of one group any will do, of several groups each may be about other reasons.
    `needs_none`: nothing is to be learned, as with certificates of 7 days, or those whose issuer says so.
    """

    crl_urls: tuple[tuple[str, ...], ...] = ()
    delta_urls: tuple[str, ...] = ()
    ocsp_urls: tuple[str, ...] = ()
    ca_issuer_urls: tuple[str, ...] = ()
    needs_none: bool = False


@dataclass(frozen=True, slots=True)
class DistributionPoint:
    """A distribution point. `names` is None where it has none, `issuers` where the certificate's issuer makes the lists."""

    names: frozenset[Hashable] | None
    reasons: Reasons
    issuers: frozenset[NameKey] | None


def points_of(certificate: bytes) -> Points:
    """Read where a DER certificate says that its state can be learned. Raises BadParameter."""
    loaded = load(certificate)
    try:
        extensions = loaded.extensions
        groups = [http_urls(point.full_name) for point in _points(found(extensions, x509.CRLDistributionPoints))]
        lifetime = loaded.not_valid_after_utc - loaded.not_valid_before_utc
        said = any(e.oid == _NO_REVOCATION or isinstance(e.value, x509.OCSPNoCheck) for e in extensions)
        return Points(
            crl_urls=tuple(group for group in groups if group),
            delta_urls=delta_urls(extensions),
            ocsp_urls=access_urls(extensions, AuthorityInformationAccessOID.OCSP),
            ca_issuer_urls=access_urls(extensions, AuthorityInformationAccessOID.CA_ISSUERS),
            needs_none=said or lifetime <= SHORT_LIVED,
        )
    except UNREADABLE as error:
        raise BadParameter(f"This certificate says something that cannot be read: {error}.") from error


def delta_urls(extensions: x509.Extensions) -> tuple[str, ...]:
    """Read where delta CRLs are (the freshest CRL), out of a certificate or a CRL."""
    points = _points(found(extensions, x509.FreshestCRL))
    return tuple(dict.fromkeys(url for point in points for url in http_urls(point.full_name)))


def access_urls(extensions: x509.Extensions, method: ObjectIdentifier) -> tuple[str, ...]:
    """Read the URLs of one method out of the authority information access."""
    access = found(extensions, x509.AuthorityInformationAccess) or ()
    return http_urls(one.access_location for one in access if one.access_method == method)


def http_urls(names: Iterable[x509.GeneralName] | None) -> tuple[str, ...]:
    """Choose the URLs among general names that can be fetched."""
    urls = (name.value for name in names or () if isinstance(name, x509.UniformResourceIdentifier))
    return tuple(dict.fromkeys(url for url in urls if url.lower().startswith(_SCHEMES)))


def distribution_points(certificate: x509.Certificate) -> tuple[DistributionPoint, ...]:
    """Read the distribution points, and the one that every certificate has: its issuer (RFC 5280 section 6.3.3, at the end)."""
    issuer = name_key(certificate.issuer)
    points = _points(found(certificate.extensions, x509.CRLDistributionPoints))
    own = DistributionPoint(frozenset({directory_key(issuer)}), ALL_REASONS, None)
    return (*(_point(point, issuer) for point in points), own)


def _points(extension: x509.CRLDistributionPoints | x509.FreshestCRL | None) -> Iterable[x509.DistributionPoint]:
    return extension or ()


def _point(point: x509.DistributionPoint, issuer: NameKey) -> DistributionPoint:
    issuers = directory_names(point.crl_issuer) if point.crl_issuer is not None else None
    return DistributionPoint(
        names=point_names(point.full_name, point.relative_name, next(iter(issuers), issuer) if issuers else issuer),
        reasons=ALL_REASONS if point.reasons is None else point.reasons & ALL_REASONS,
        issuers=issuers,
    )


def point_names(
    full: Iterable[x509.GeneralName] | None, relative: x509.RelativeDistinguishedName | None, to: NameKey
) -> frozenset[Hashable] | None:
    """Give the keys of a distribution point's names; a relative one is relative `to` the CRL's issuer."""
    if relative is not None:
        return frozenset({directory_key((*to, relative_key(relative)))})
    return None if full is None else general_keys(full)
