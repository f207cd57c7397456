"""A root with the intermediates below it: made once, kept in the safe, and renewed by rotation."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from ca_sim.authority.keys import AnyKeyType, make_key, type_of
from ca_sim.authority.links import Links
from ca_sim.authority.signers import Safe, Signer
from ca_sim.authority.templates import ca_name, ca_template, cross_template, intermediate_template, issued_by, linked, signed

# A client whose clock is a little slow must not find a certificate of the future.
BACKDATE = timedelta(days=1)
ROOT_LIFETIME = timedelta(days=365 * 24)
UPPER_LIFETIME = timedelta(days=365 * 20)
INTERMEDIATE_LIFETIME = timedelta(days=365 * 18)
OLDER_BY = timedelta(days=365 * 5)
OLDER_LIFETIME = timedelta(days=365 * 19)


@dataclass(frozen=True, slots=True)
class Span:
    """The times that certificates of the authority must be valid at: virtual ones and real ones, years apart maybe."""

    virtual: datetime
    real: datetime

    @property
    def earliest(self) -> datetime:
        """Give the earlier of the two."""
        return min(self.virtual, self.real)

    @property
    def latest(self) -> datetime:
        """Give the later of the two."""
        return max(self.virtual, self.real)


@dataclass(slots=True)
class Lineage:
    """A root, what stands below it, and the intermediates that issue or have issued leaves, the current one last.

    `label` tells the names in the safe apart.
    """

    label: str
    root: Signer
    uppers: list[Signer] = field(default_factory=list)
    issuers: list[Signer] = field(default_factory=list)

    @property
    def issuer(self) -> Signer:
        """Give the intermediate that issues."""
        return self.issuers[-1]

    def signers(self) -> Iterator[Signer]:
        """Give all that can sign."""
        yield self.root
        yield from self.uppers
        yield from self.issuers

    def above(self, issuer: Signer) -> list[x509.Certificate]:
        """Give an intermediate that issues and what stands between it and the root, from below."""
        return [issuer.certificate, *(upper.certificate for upper in reversed(self.uppers))]


class Nursery:
    """Makes lineages, or finds them in the safe."""

    def __init__(self, safe: Safe, links: Links, span: Span, intermediates: int) -> None:
        self._safe = safe
        self._links = links
        self._span = span
        self._intermediates = intermediates

    def holds(self, label: str) -> bool:
        """Whether there is a lineage of this label in the safe."""
        return self._safe.load_certificate(f"root{label}") is not None

    def holds_older(self, number: int) -> bool:
        """Whether there is an older root of this number in the safe."""
        return self._safe.load_certificate(f"older{number}") is not None

    def open(self, label: str, key_type: AnyKeyType, span: Span | None = None) -> Lineage:
        """Load a lineage, or make what is missing of it. Raises StateError when what is there cannot be used.

        What is made is valid in `span`, or in that of the start.
        """
        span = span or self._span
        lineage = Lineage(label, self._root(label, key_type, span))
        there = self._safe.load(f"intermediate{label}")
        wanted = range(1, self._intermediates) if there is None else count(1)
        for number in wanted:
            upper = self._safe.load(f"upper{number}{label}")
            if upper is None and there is not None:
                break
            lineage.uppers.append(upper or self._upper(lineage, number, span))
        while there is not None:
            lineage.issuers.append(there)
            there = self._safe.load(f"intermediate{len(lineage.issuers) + 1}{label}")
        if not lineage.issuers:
            self.rotate(lineage, span)
        self._check(lineage)
        return lineage

    def rotate(self, lineage: Lineage, span: Span) -> Signer:
        """Give the lineage another intermediate that issues from now on, with a key of the root's type."""
        parent = lineage.uppers[-1] if lineage.uppers else lineage.root
        signer = self._intermediate(parent, "intermediate", 0, span, INTERMEDIATE_LIFETIME)
        number = len(lineage.issuers) + 1
        self._safe.save(f"intermediate{number if number > 1 else ''}{lineage.label}", signer)
        lineage.issuers.append(signer)
        return signer

    def older(self, number: int, key_type: AnyKeyType) -> Signer:
        """Load or make an older root, that came into use five years before the others."""
        name = f"older{number}"
        signer = self._safe.load(name)
        if signer is None:
            end = self._span.latest + OLDER_LIFETIME
            signer = _root("older root", key_type, self._span.earliest - OLDER_BY, end)
            self._safe.save(name, signer)
        return signer

    def cross(self, lineage: Lineage, number: int, older: Signer) -> x509.Certificate:
        """Load or make the certificate of a lineage's root by an older root."""
        name = f"cross{number}{lineage.label}"
        certificate = self._safe.load_certificate(name)
        if certificate is None:
            root = lineage.root
            builder = issued_by(cross_template(root.certificate, root.key.public_key()), older)
            end = min(root.certificate.not_valid_after_utc, older.certificate.not_valid_after_utc)
            builder = linked(builder, self._links, older, ocsp=False)
            certificate = signed(builder, older.key, root.certificate.not_valid_before_utc, end)
            self._safe.save_certificate(name, certificate)
        return certificate

    def stranger(self, at: datetime) -> Signer:
        """Make an intermediate of a root that nobody knows."""
        root = _root("root", "ec-p256", at - BACKDATE, at + ROOT_LIFETIME)
        return self._intermediate(root, "intermediate", 0, Span(at, at), INTERMEDIATE_LIFETIME)

    def _root(self, label: str, key_type: AnyKeyType, span: Span) -> Signer:
        root = self._safe.load(f"root{label}")
        if root is None:
            root = _root("root", key_type, span.earliest - BACKDATE, span.latest + ROOT_LIFETIME)
            self._safe.save(f"root{label}", root)
        return root

    def _upper(self, lineage: Lineage, number: int, span: Span) -> Signer:
        parent = lineage.uppers[-1] if lineage.uppers else lineage.root
        signer = self._intermediate(parent, "policy", self._intermediates - number, span, UPPER_LIFETIME)
        self._safe.save(f"upper{number}{lineage.label}", signer)
        return signer

    def _intermediate(self, parent: Signer, role: str, path_length: int, span: Span, lifetime: timedelta) -> Signer:
        key = make_key(type_of(parent.key))
        template = intermediate_template(ca_name(role, key.public_key()), key.public_key(), path_length)
        builder = linked(issued_by(template, parent), self._links, parent, ocsp=False)
        start = max(span.earliest - BACKDATE, parent.certificate.not_valid_before_utc)
        end = min(span.latest + lifetime, parent.certificate.not_valid_after_utc)
        return Signer(key, signed(builder, parent.key, start, end))

    def _check(self, lineage: Lineage) -> None:
        parent = lineage.root
        for upper in lineage.uppers:
            self._check_issued(upper, parent)
            parent = upper
        for issuer in lineage.issuers:
            self._check_issued(issuer, parent)

    def _check_issued(self, signer: Signer, parent: Signer) -> None:
        try:
            signer.certificate.verify_directly_issued_by(parent.certificate)
        except (ValueError, TypeError, InvalidSignature) as error:
            raise self._safe.broken("the intermediate was not issued by the root") from error


def _root(role: str, key_type: AnyKeyType, start: datetime, end: datetime) -> Signer:
    key = make_key(key_type)
    name = ca_name(role, key.public_key())
    builder = ca_template(name, key.public_key(), None).issuer_name(name)
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())
    return Signer(key, signed(builder.add_extension(identifier, critical=False), key, start, end))
