"""Certificates and lists that are drawn at random, each a little wrong or not at all, for judges to be compared."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

AT: Final = datetime(2026, 6, 1, 12, tzinfo=UTC)
DAY: Final = timedelta(days=1)
SOME: Final = frozenset({x509.ReasonFlags.key_compromise, x509.ReasonFlags.ca_compromise})
REST: Final = frozenset(x509.ReasonFlags) - SOME - {x509.ReasonFlags.unspecified, x509.ReasonFlags.remove_from_crl}
REASONS: Final = {"all": None, "some": SOME, "rest": REST}
URLS: Final = {point: f"http://crl.example.test/{point}" for point in ("one", "two", "signers", "delta")}
CRITICAL: Final = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.55555.1"), b"\x05\x00")


def name(common: str) -> x509.Name:
    """Name somebody."""
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common)])


class Party:
    """A name, a key and a certificate: an authority's, or that of one who signs lists for it."""

    def __init__(self, common: str, issuer: "Party | None" = None, *, crl_sign: bool = True) -> None:
        self.name = name(common)
        self.key = ec.generate_private_key(ec.SECP256R1())
        signer = issuer or self
        builder = x509.CertificateBuilder(signer.name, self.name, self.key.public_key(), x509.random_serial_number())
        builder = builder.not_valid_before(AT - 900 * DAY).not_valid_after(AT + 900 * DAY)
        usage = x509.KeyUsage(
            digital_signature=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=issuer is None,
            crl_sign=crl_sign,
            encipher_only=False,
            decipher_only=False,
        )
        builder = builder.add_extension(usage, critical=True)
        builder = builder.add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        identifier = x509.SubjectKeyIdentifier.from_public_key(self.key.public_key())
        builder = builder.add_extension(identifier, critical=False)
        if issuer is not None:
            url = x509.UniformResourceIdentifier(URLS["signers"])
            points = x509.CRLDistributionPoints([x509.DistributionPoint([url], None, None, None)])
            builder = builder.add_extension(points, critical=False)
        self.certificate = builder.sign(signer.key, hashes.SHA256())
        self.der = self.certificate.public_bytes(Encoding.DER)


@dataclass(frozen=True, slots=True)
class Point:
    """A distribution point: `name` is one or two for a URL, relative, or none; `by` is the authority or a signer of its own."""

    name: str = "one"
    reasons: str = "all"
    by: str = "authority"


@dataclass(frozen=True, slots=True)
class List:
    """A list as it is to be made. `entry` says how the certificate is in it; `critical`, where an unknown extension is."""

    signer: str = "authority"
    point: str = "none"
    only: str = ""
    reasons: str = "all"
    indirect: bool = False
    begins: timedelta = -DAY
    ends: timedelta = DAY
    number: int = 5
    entry: str = ""
    critical: str = ""
    freshest: bool = False
    base: int | None = None
    forged: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """A certificate and the lists that are at hand."""

    points: tuple[Point, ...]
    lists: tuple[List, ...]
    is_authority: bool = False


ENTRIES: Final = {
    "keyCompromise": x509.ReasonFlags.key_compromise,
    "superseded": x509.ReasonFlags.superseded,
    "certificateHold": x509.ReasonFlags.certificate_hold,
    "removeFromCRL": x509.ReasonFlags.remove_from_crl,
    "foreign": x509.ReasonFlags.key_compromise,
}


class World:
    """An authority, one who signs lists in its place, and a stranger of the same name."""

    def __init__(self) -> None:
        self.authority = Party("Authority")
        self.signer = Party("Signer of Lists", self.authority)
        self.stranger = Party("Authority")
        self._parties = {"authority": self.authority, "signer": self.signer}
        self._key = ec.generate_private_key(ec.SECP256R1())

    def certificate(self, question: Question) -> x509.Certificate:
        """Make the certificate that is asked about."""
        serial = x509.random_serial_number()
        builder = x509.CertificateBuilder(self.authority.name, name("leaf"), self._key.public_key(), serial)
        builder = builder.not_valid_before(AT - 9 * DAY).not_valid_after(AT + 9 * DAY)
        builder = builder.add_extension(x509.BasicConstraints(ca=question.is_authority, path_length=None), critical=True)
        if question.points:
            points = [self._point(point) for point in question.points]
            builder = builder.add_extension(x509.CRLDistributionPoints(points), critical=False)
        return builder.sign(self.authority.key, hashes.SHA256())

    def lists(self, question: Question, certificate: x509.Certificate) -> Sequence[bytes]:
        """Make the lists that are at hand; the one that tells of the signer's own certificate is among them."""
        return [self._list(one, certificate) for one in (*question.lists, List(point="signers"))]

    def _point(self, point: Point) -> x509.DistributionPoint:
        full, relative = self._names(point.name)
        issuers = None if point.by == "authority" else [x509.DirectoryName(self._parties[point.by].name)]
        return x509.DistributionPoint(full, relative, REASONS[point.reasons], issuers)

    def _names(self, point: str) -> tuple[list[x509.GeneralName] | None, x509.RelativeDistinguishedName | None]:
        if point == "none":
            return None, None
        if point == "relative":
            return None, x509.RelativeDistinguishedName([x509.NameAttribute(x509.NameOID.COMMON_NAME, "List 1")])
        if point == "authority":
            return [x509.DirectoryName(self.authority.name)], None
        return [x509.UniformResourceIdentifier(URLS[point])], None

    def _list(self, one: List, certificate: x509.Certificate) -> bytes:
        party = self._parties[one.signer]
        builder = x509.CertificateRevocationListBuilder(
            party.name, AT + one.begins, AT + one.ends, revoked_certificates=self._entries(one, certificate)
        )
        key = self.stranger.key if one.forged else party.key
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())
        builder = builder.add_extension(identifier, critical=False)
        builder = builder.add_extension(x509.CRLNumber(one.number), critical=False)
        if (scope := self._scope(one)) is not None:
            builder = builder.add_extension(scope, critical=True)
        if one.base is not None:
            builder = builder.add_extension(x509.DeltaCRLIndicator(one.base), critical=True)
        if one.freshest:
            builder = builder.add_extension(x509.FreshestCRL([self._point(Point("delta"))]), critical=False)
        if one.critical == "list":
            builder = builder.add_extension(CRITICAL, critical=True)
        return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)

    def _scope(self, one: List) -> x509.IssuingDistributionPoint | None:
        full, relative = self._names(one.point)
        only = {"users": one.only == "users", "cas": one.only == "cas", "attributes": one.only == "attributes"}
        if full is None and relative is None and not any(only.values()) and one.reasons == "all" and not one.indirect:
            return None
        return x509.IssuingDistributionPoint(
            full, relative, only["users"], only["cas"], REASONS[one.reasons], one.indirect, only["attributes"]
        )

    def _entries(self, one: List, certificate: x509.Certificate) -> list[x509.RevokedCertificate]:
        entries = [self._entry(4711, None, critical=one.critical == "other entry")]
        if one.entry:
            issuer = None
            if one.entry == "foreign":
                issuer = name("Somebody else")
            elif one.signer != "authority":
                issuer = self.authority.name
            flag = ENTRIES.get(one.entry)
            entries.append(self._entry(certificate.serial_number, flag, issuer=issuer, critical=one.critical == "entry"))
        return entries

    @staticmethod
    def _entry(
        serial: int, flag: x509.ReasonFlags | None, *, issuer: x509.Name | None = None, critical: bool = False
    ) -> x509.RevokedCertificate:
        builder = x509.RevokedCertificateBuilder(serial, AT - 2 * DAY)
        if flag is not None:
            builder = builder.add_extension(x509.CRLReason(flag), critical=False)
        if issuer is not None:
            builder = builder.add_extension(x509.CertificateIssuer([x509.DirectoryName(issuer)]), critical=True)
        if critical:
            builder = builder.add_extension(CRITICAL, critical=True)
        return builder.build()


def draw(random: Random) -> Question:
    """Draw a question: each of its parts is as it should be more often than not."""
    points = tuple(_draw_point(random) for _ in range(random.choice((0, 1, 1, 1, 1, 1, 2))))
    signers = ["authority", "authority", *("signer" for point in points if point.by == "signer")]
    drawn = random.choice((("all",), ("all",), ("all",), ("some", "rest"), ("some", "all"), ("rest",)))
    lists = [_draw_list(random, random.choice(signers), reasons) for reasons in drawn]
    if random.random() < 0.3:
        base = lists[0] = replace(lists[0], freshest=random.random() < 0.9)
        lists.append(_draw_delta(random, base))
    return Question(points, tuple(lists), is_authority=random.random() < 0.2)


def _draw_point(random: Random) -> Point:
    return Point(
        _mostly(random, "one", "two", "relative", "authority"),
        _mostly(random, "all", "some", "rest"),
        _mostly(random, "authority", "signer"),
    )


def _draw_list(random: Random, signer: str, reasons: str) -> List:
    indirect = _mostly(random, str(signer == "signer"), "True", "False") == "True"
    return List(
        signer=signer,
        point=_mostly(random, random.choice(("none", "one")), "two", "relative", "authority"),
        only=_mostly(random, "", "users", "cas", "attributes"),
        reasons=reasons,
        indirect=indirect,
        begins=timedelta(hours=1) if random.random() < 0.04 else random.choice((-DAY, -2 * DAY, timedelta(0))),
        ends=timedelta(seconds=-1) if random.random() < 0.04 else random.choice((2 * DAY, timedelta(seconds=1), DAY)),
        number=random.choice((5, 6, 7)),
        entry=random.choice(("", "", "", "", *ENTRIES, "unspecified")),
        critical=_mostly(random, "", "list", "entry", "other entry"),
        forged=random.random() < 0.04,
    )


def _draw_delta(random: Random, base: List) -> List:
    """Draw a delta of a list: of another scope, number or time, now and then."""
    return replace(
        base,
        point=_mostly(random, base.point, "none", "one"),
        begins=-DAY / 2,
        ends=timedelta(hours=-1) if random.random() < 0.1 else DAY,
        number=random.choice((8, 8, 8, 8, 6)),
        base=random.choice((5, 5, 5, 5, 7)),
        entry=random.choice(("", "", *ENTRIES, "unspecified")),
        freshest=False,
        forged=random.random() < 0.04,
    )


def _mostly(random: Random, usual: str, *others: str) -> str:
    return usual if random.random() < 0.85 else random.choice(others)
