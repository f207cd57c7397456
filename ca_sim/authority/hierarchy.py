"""The authority: roots, intermediates, and the leaves that they sign (RFC 5280).

The TLS certificates of the authority's own servers are issued under the same root, so the root is the one bundle that a client
needs. What a few ask for, such as a root of another kind of key, is made when it is first asked for.
"""

import hashlib
import ipaddress
from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID

from ca_sim.authority.keys import (
    AnyKeyType,
    Family,
    SigningKey,
    VerifyingKey,
    digest_for,
    family_of,
    key_pem,
    make_key,
    type_of,
)
from ca_sim.authority.lineage import Lineage, Nursery, Span
from ca_sim.authority.links import Links, Shard
from ca_sim.authority.profiles import USUAL, LeafRules
from ca_sim.authority.settings import AuthoritySettings
from ca_sim.authority.signers import Safe, Signer, key_id
from ca_sim.authority.subject import NOBODY, Subject
from ca_sim.authority.templates import Extend, issued_by, leaf_template, linked, signed
from ca_sim.csr import MAX_COMMON_NAME, SigningRequest
from ca_sim.identifiers import Identifier
from ca_sim.problems import ProblemError
from ca_sim.settings import KeyType

__all__ = ["Authority", "SigningKey", "key_pem", "make_key", "open_authority", "serial_of", "spki_sha256"]

TLS_LIFETIME = timedelta(days=397)
LONGEST_BACKDATE = timedelta(minutes=1)
_NOT_OF_HERE = "the leaf was issued by none of the intermediates of this authority"
EXAMPLE_BASE = "http://public.ca-sim.example"


class Authority:
    """Roots, each with intermediates below it. Opened with `open_authority`."""

    def __init__(self, safe: Safe, settings: AuthoritySettings, links: Links, span: Span, key_type: KeyType) -> None:
        self._nursery = Nursery(safe, links, span, settings.intermediates)
        self._settings = settings
        self._links = links
        self._span = span
        first = self._nursery.open("", key_type)
        self._main = family_of(first.root.key)
        self._lineages: dict[Family, list[Lineage]] = {self._main: [first]}
        self._key_types: dict[Family, AnyKeyType] = {"ec": "ec-p256", "rsa": "rsa-2048", "ml-dsa": "ml-dsa-65"}
        self._key_types[self._main] = key_type
        self._older: list[Signer] = []
        for family in self._key_types:
            self._find(family)
        while self._nursery.holds_older(len(self._older) + 1):
            self._older.append(self._make_older(len(self._older) + 1))
        # TLS goes on with it until the next start, whatever takes over: servers know the roots that they started with.
        self._tls_issuer = self.intermediate

    @property
    def root(self) -> Signer:
        """Give the root of the default intermediate."""
        return self._current(self._main).root

    @property
    def intermediate(self) -> Signer:
        """Give the intermediate that issues by default."""
        return self._current(self._main).issuer

    @property
    def first_intermediate(self) -> Signer:
        """Give the intermediate that was the default's first."""
        return self._lineages[self._main][0].issuers[0]

    @property
    def root_pem(self) -> bytes:
        """Give the bundle that verifies all of this authority, its TLS servers too: the default root, then the others."""
        return b"".join(root.public_bytes(Encoding.PEM) for root in self._own_roots())

    def roots(self) -> list[x509.Certificate]:
        """Give all roots that a chain can end in, the default one first, the older ones last."""
        return [*self._own_roots(), *(older.certificate for older in self._older_roots())]

    def line(self, issuer: Signer | None = None) -> list[x509.Certificate]:
        """Give what leads up from leaves of an intermediate, the default one where none is named: from that one to the root."""
        issuer = issuer or self.intermediate
        lineage = self._lineage_of(issuer)
        return [*lineage.above(issuer), lineage.root.certificate]

    def root_over(self, signer_id: str) -> x509.Certificate:
        """Give the root above an intermediate that is named as in records; an empty name is the default's first."""
        for lineage in (line for lines in self._lineages.values() for line in lines):
            if any(signer.id == signer_id for signer in lineage.issuers):
                return lineage.root.certificate
        return self._lineages[self._main][0].root.certificate

    def signers(self) -> Iterator[Signer]:
        """Give all that have signed something."""
        for lineages in self._lineages.values():
            for lineage in lineages:
                yield from lineage.signers()
        yield from self._older

    def signer(self, signer_id: str) -> Signer | None:
        """Find a signer by the name that it goes by in URLs and records."""
        return next((signer for signer in self.signers() if signer.id == signer_id), None)

    def issuing(self) -> set[str]:
        """Name the intermediates that issue from now on, one of each family that is in use."""
        return {lines[-1].issuer.id for lines in self._lineages.values()}

    def crosses(self) -> list[x509.Certificate]:
        """Give the cross-certificates."""
        return [cross for _, cross in self._crosses()]

    def is_issuer(self, signer: Signer) -> bool:
        """Whether a signer issues leaves, or has."""
        return any(signer in lineage.issuers for lineages in self._lineages.values() for lineage in lineages)

    def issuer_of(self, leaf: x509.Certificate) -> Signer | None:
        """Find who signed a leaf."""
        identifier = leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
        return None if identifier is None else self.signer(key_id(identifier))

    def prepare(self, families: Collection[str]) -> None:
        """Make the roots and intermediates of these families of keys now; an empty name is the default's."""
        for family in self._key_types:
            if family in families:
                self._current(family)

    def certified(self, signer: Signer) -> list[x509.Certificate]:
        """Give the certificates of the authority's own that a signer signed, a root's own aside."""
        if signer in self._older:
            return [cross for _, cross in self._crosses() if cross.issuer == signer.certificate.subject]
        found = [other.certificate for other in self.signers()]
        name = signer.certificate.subject
        return [certificate for certificate in found if certificate.issuer == name and certificate.subject != name]

    def issue(
        self,
        request: SigningRequest,
        identifiers: tuple[Identifier, ...],
        *,
        validity: timedelta,
        at: datetime,
        not_before: datetime | None = None,
        not_after: datetime | None = None,
        subject: Subject = NOBODY,
        extended_key_usages: tuple[str, ...] = (),
        rules: LeafRules = USUAL,
        extend: Extend | None = None,
    ) -> x509.Certificate:
        """Issue a leaf for the identifiers.

        notBefore lies before `at` by a sixtieth of the validity, one minute at most (5 seconds for 5 minutes);
        notAfter is notBefore plus the validity, so that the lifetime is the profile's to the second, or the end of
        the intermediate if that comes first. What is given as `not_before` or `not_after` stands as it is.
        `extended_key_usages` take the place of those of the rules; `extend` adds the last extensions. Raises ProblemError
        for what would be over before it begins, as after the end of the intermediate.
        """
        backdate = timedelta(seconds=min(LONGEST_BACKDATE, validity / 60) // timedelta(seconds=1))
        start = not_before or at - backdate
        issuer = self._current(rules.issuer or self._main).issuer
        serial = x509.random_serial_number()
        name = subject.name(_common_name(request, identifiers, rules))
        builder = leaf_template(request.public_key, name, identifiers, extended_key_usages, rules)
        shard = Shard.of(serial, self._settings.crl_shards)
        builder = linked(issued_by(builder, issuer), self._links, issuer, ocsp=rules.ocsp, shard=shard)
        end = min(not_after or start + validity, issuer.certificate.not_valid_after_utc)
        if end < start:
            raise ProblemError(f"a certificate from {start.isoformat()} until {end.isoformat()} cannot be signed")
        builder = builder.not_valid_before(start).not_valid_after(end).serial_number(serial)
        if extend is not None:
            builder = extend(builder, issuer)
        return builder.sign(issuer.key, digest_for(issuer.key))

    def issue_server(self, key: SigningKey, hosts: tuple[str, ...], at: datetime) -> x509.Certificate:
        """Issue the certificate of a server of the authority's own, for host names and addresses, from an hour ago.

        It lives in real time, so it points to no CRL and no responder, which live in virtual time.
        """
        identifiers = tuple(dict.fromkeys(_identifier(host) for host in hosts))
        return self._issue_tls(leaf_template(key.public_key(), x509.Name([]), identifiers, (), USUAL), at)

    def issue_client(self, key: VerifyingKey, name: str, at: datetime) -> x509.Certificate:
        """Issue the certificate of a client of the authority's own servers, which lives as theirs does."""
        usages = (ExtendedKeyUsageOID.CLIENT_AUTH.dotted_string,)
        return self._issue_tls(leaf_template(key, NOBODY.name(name), (Identifier("dns", name),), usages, USUAL), at)

    def _issue_tls(self, builder: x509.CertificateBuilder, at: datetime) -> x509.Certificate:
        issuer = self._tls_issuer
        builder = linked(issued_by(builder, issuer), self._links, issuer, ocsp=False, crl=False)
        start = at - timedelta(hours=1)
        end = min(start + TLS_LIFETIME, issuer.certificate.not_valid_after_utc)
        return signed(builder, issuer.key, start, end)

    def chain(self, leaf: x509.Certificate) -> str:
        """Give leaf and intermediates in PEM, as RFC 8555 section 9.1 wants them. Raises ValueError for a leaf not of here."""
        return _pem(leaf, *self._line_of(leaf)[1])

    def chains(self, leaf: x509.Certificate) -> list[str]:
        """Give the chains of a leaf in PEM, the default first; each ends below another root.

        Raises ValueError for a leaf not of here.
        """
        lineage, above = self._line_of(leaf)
        crosses = [cross for line, cross in self._crosses() if line is lineage]
        return [_pem(leaf, *above), *(_pem(leaf, *above, cross) for cross in crosses)]

    def wrong_chain(self, leaf: x509.Certificate, at: datetime) -> str:
        """Give the leaf with an intermediate that did not issue it, as a misconfigured authority would."""
        return _pem(leaf, self._nursery.stranger(at).certificate)

    def rotate_intermediate(self, at: datetime, family: Family | None = None) -> Signer:
        """Let another intermediate issue from now on; the old one goes on signing its CRLs. None is the default family."""
        return self._nursery.rotate(self._current(family or self._main), self._span_with(at))

    def rotate_root(self, at: datetime, family: Family | None = None) -> Signer:
        """Let another root with an intermediate of its own issue from now on. None is the default family."""
        family = family or self._main
        old = self._current(family)
        lineages = self._lineages[family]
        lineages.append(self._nursery.open(self._label(family, len(lineages) + 1), type_of(old.root.key), self._span_with(at)))
        return lineages[-1].root

    def _own_roots(self) -> list[x509.Certificate]:
        return [line.root.certificate for lines in self._lineages.values() for line in reversed(lines)]

    def _span_with(self, at: datetime) -> Span:
        return Span(at, self._span.real)

    def _current(self, family: Family) -> Lineage:
        if family not in self._lineages:
            self._lineages[family] = [self._nursery.open(self._label(family, 1), self._key_types[family])]
        return self._lineages[family][-1]

    def _find(self, family: Family) -> None:
        """Load what was made at earlier starts."""
        known = self._lineages.get(family, [])
        while self._nursery.holds(label := self._label(family, len(known) + 1)):
            known.append(self._nursery.open(label, self._key_types[family]))
        if known:
            self._lineages[family] = known

    def _label(self, family: Family, generation: int) -> str:
        parts = ("" if family == self._main else family, f"g{generation}" if generation > 1 else "")
        return "".join(f"-{part}" for part in parts if part)

    def _line_of(self, leaf: x509.Certificate) -> tuple[Lineage, list[x509.Certificate]]:
        issuer = self.issuer_of(leaf)
        if issuer is None:
            raise ValueError(_NOT_OF_HERE)
        lineage = self._lineage_of(issuer)
        return lineage, lineage.above(issuer)

    def _lineage_of(self, issuer: Signer) -> Lineage:
        for lineage in (line for lines in self._lineages.values() for line in lines):
            if issuer in lineage.issuers:
                return lineage
        raise ValueError(_NOT_OF_HERE)

    def _crosses(self) -> Iterator[tuple[Lineage, x509.Certificate]]:
        """Give the default family's roots as the older roots certify them."""
        for number, older in enumerate(self._older_roots()[: self._settings.alternate_chains], 1):
            for lineage in self._lineages[self._main]:
                yield lineage, self._nursery.cross(lineage, number, older)

    def _older_roots(self) -> list[Signer]:
        for number in range(len(self._older) + 1, self._settings.alternate_chains + 1):
            self._older.append(self._make_older(number))
        return self._older

    def _make_older(self, number: int) -> Signer:
        # Of another family than the default one, then by turns.
        types: tuple[AnyKeyType, ...] = ("ec-p384", "rsa-2048") if self._main == "rsa" else ("rsa-2048", "ec-p384")
        return self._nursery.older(number, types[(number - 1) % 2])


def serial_of(certificate: x509.Certificate) -> str:
    """Give the serial number in lower-case hexadecimal, without leading zeros."""
    return f"{certificate.serial_number:x}"


def spki_sha256(certificate: x509.Certificate) -> str:
    """Give the SHA-256 of the public key (SubjectPublicKeyInfo) in hexadecimal."""
    return hashlib.sha256(certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def open_authority(
    directory: Path | None,
    key_type: KeyType,
    at: datetime,
    *,
    real: datetime | None = None,
    settings: AuthoritySettings | None = None,
    base: str = EXAMPLE_BASE,
) -> Authority:
    """Load roots and intermediates from the directory, or make what is missing; without a directory, in memory.

    They are valid at the virtual time `at` and at the `real` one (the same unless it is given). `base` is the URL of the public
    server. Raises StateError when what is there cannot be used.
    """
    span = Span(at, at if real is None else real)
    return Authority(Safe(directory), settings or AuthoritySettings(), Links(base), span, key_type)


def _common_name(request: SigningRequest, identifiers: tuple[Identifier, ...], rules: LeafRules) -> str | None:
    if rules.common_name == "never":
        return None
    if rules.common_name == "asked" or request.common_name:
        return request.common_name
    return next((name.value for name in identifiers if name.type == "dns" and len(name.value) <= MAX_COMMON_NAME), None)


def _identifier(host: str) -> Identifier:
    try:
        return Identifier("ip", str(ipaddress.ip_address(host)))
    except ValueError:
        return Identifier("dns", host)


def _pem(*certificates: x509.Certificate) -> str:
    return "".join(certificate.public_bytes(Encoding.PEM).decode("ascii") for certificate in certificates)
