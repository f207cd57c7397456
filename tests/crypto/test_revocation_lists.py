"""Revocation lists as they are read and judged: what they say, what is missing, and what hostile hands make of them."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random
from time import perf_counter
from typing import Any, Final

import cryptography_vectors
import pytest
from asn1crypto import crl as asn1_crl  # type: ignore[import-untyped]
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID, ObjectIdentifier

from certworker.crypto.revocation import MOST_BYTES, Judgement, Points, Result, judge_by_lists, points_of, read_list
from certworker.errors import BadParameter
from tests.crypto.revocation_cases import AT, DAY, List, Party, Point, Question, World, name

GOOD, REVOKED, UNKNOWN = Result.GOOD, Result.REVOKED, Result.UNKNOWN
VECTORS: Final = Path(cryptography_vectors.__file__).parent / "x509" / "custom"
MANY: Final = 100_000
LONGEST_SECONDS: Final = 15.0
"""Some ten times what it takes on a machine that does nothing else."""


@pytest.fixture(scope="module")
def world() -> World:
    """Make the authority once."""
    return World()


class Asked:
    """A leaf with its lists."""

    def __init__(self, world: World, *lists: List, points: tuple[Point, ...] = (Point(),)) -> None:
        question = Question(points, lists)
        certificate = world.certificate(question)
        self.world = world
        self.serial = certificate.serial_number
        self.leaf = certificate.public_bytes(Encoding.DER)
        self.lists = list(world.lists(question, certificate))[: len(lists)]

    def judged(self, least_number: int | None = None, leeway: timedelta = timedelta(0)) -> Judgement:
        """Judge the leaf."""
        issuer = self.world.authority.der
        return judge_by_lists(self.leaf, issuer, self.lists, AT, least_number=least_number, leeway=leeway)


def signed(tbs: bytes, key: ec.EllipticCurvePrivateKey) -> bytes:
    """Sign what is to be signed of a list, whatever it is."""
    algorithm = bytes.fromhex("300a06082a8648ce3d040302")
    signature = b"\0" + key.sign(tbs, ec.ECDSA(hashes.SHA256()))
    content = tbs + algorithm + tlv(0x03, signature)
    return tlv(0x30, content)


def tlv(tag: int, content: bytes) -> bytes:
    """Write an element of DER."""
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def test_what_a_list_says(world: World) -> None:
    """Its number, base, times, issuer and signer can be read from DER and PEM, and where its delta is."""
    asked = Asked(world, List(number=7, base=5, freshest=True, entry="superseded"))
    (der,) = asked.lists
    pem = x509.load_der_x509_crl(der).public_bytes(Encoding.PEM)
    for content in (der, pem, b"some words before it\n" + pem):
        one = read_list(content)
        assert (one.number, one.delta_base, one.issuer, one.count) == (7, 5, "CN=Authority", 2)
        assert (one.this_update, one.next_update) == (AT - DAY, AT + DAY)
        identifier = x509.SubjectKeyIdentifier.from_public_key(world.authority.key.public_key())
        assert one.authority_key_id == identifier.digest
        assert one.delta_urls == ("http://crl.example.test/delta",)
        assert one.der == der


@pytest.mark.parametrize(
    ("entry", "reason", "why"),
    [
        ("keyCompromise", "keyCompromise", "Revoked on 2026-05-30 12:00:00 UTC (keyCompromise), says the list no. 5 of"),
        ("unspecified", None, "Revoked on 2026-05-30 12:00:00 UTC, says"),
        ("certificateHold", "certificateHold", "On hold since 2026-05-30 12:00:00 UTC (certificateHold), which counts as"),
    ],
)
def test_what_is_told_of_a_revocation(world: World, entry: str, reason: str | None, why: str) -> None:
    """Time and reason; what is on hold is called so; a reason that is none is left out."""
    found = Asked(world, List(entry=entry)).judged()
    assert (found.result, found.reason, found.revoked_at) == (REVOKED, reason, AT - 2 * DAY)
    assert (found.fresh_until, found.source) == (AT + DAY, "crl")
    assert found.why.startswith(why)


def test_a_list_does_not_go_back(world: World) -> None:
    """One with a lower number than was seen before is not used, whatever it says."""
    asked = Asked(world, List(number=7))
    assert asked.judged(least_number=7).result is GOOD
    found = asked.judged(least_number=8)
    assert (found.result, found.why) == (UNKNOWN, "The list no. 7 of CN=Authority goes back: number 8 was seen before.")


def test_clocks_may_differ_by_the_leeway(world: World) -> None:
    """A list may be dated a little ahead; that makes it last no longer."""
    minute = timedelta(minutes=1)
    ahead, old = Asked(world, List(begins=minute)), Asked(world, List(ends=-minute))
    assert (ahead.judged().result, ahead.judged(leeway=minute).result) == (UNKNOWN, GOOD)
    assert old.judged(leeway=DAY).result is UNKNOWN


def test_a_list_without_an_end_is_unknown(world: World) -> None:
    """It does not say when the next one comes."""
    asked = Asked(world, List())
    tbs = asn1_crl.CertificateList.load(asked.lists[0])["tbs_cert_list"]
    del tbs["next_update"]
    asked.lists = [signed(tbs.dump(force=True), world.authority.key)]
    found = asked.judged()
    assert (found.result, found.why) == (UNKNOWN, "The list no. 5 of CN=Authority does not say when the next one comes.")


def test_an_extension_that_is_not_known_is_named(world: World) -> None:
    """By its number, which says whom to ask."""
    assert "not known here (1.3.6.1.4.1.55555.1)" in Asked(world, List(critical="list")).judged().why


def test_a_url_is_compared_byte_for_byte(world: World) -> None:
    """A distribution point that is written in another way is another one."""
    asked = Asked(world, List(point="one"))
    assert asked.judged().result is GOOD
    tbs = x509.load_der_x509_crl(asked.lists[0]).tbs_certlist_bytes
    asked.lists = [signed(tbs.replace(b"http://crl", b"HTTP://crl"), world.authority.key)]
    assert "of another distribution point" in asked.judged().why


def test_only_those_under_the_issuer_may_sign(world: World) -> None:
    """A stranger of the same name is not believed for being at hand; nor one whose key is not for lists."""
    asked = Asked(world, List(forged=True))
    others = [world.stranger.der]
    found = judge_by_lists(asked.leaf, world.authority.der, asked.lists, AT, other_certificates=others)
    assert (found.result, found.why) == (UNKNOWN, "The list no. 5 of CN=Authority is not signed by its issuer's key.")
    # an authority whose own certificate says that it signs certificates alone
    silent = World()
    silent.authority = silent._parties["authority"] = Party("Silent", crl_sign=False)
    assert "may not sign lists" in Asked(silent, List()).judged().why


@pytest.mark.parametrize(
    "wrong",
    [
        {"forged": True},
        {"critical": "list"},
        {"ends": -DAY / 24},
        {"begins": DAY / 24},
        {"base": 6},
        {"number": 5},
        {"only": "cas"},
    ],
    ids=str,
)
def test_a_delta_that_is_wrong_is_left_aside(world: World, wrong: dict[str, Any]) -> None:
    """One that is right tells of a revocation; one that is not tells nothing, and the list tells what it knows."""
    delta = List(number=8, base=5, entry="keyCompromise", begins=-DAY / 12, ends=DAY / 12)
    assert Asked(world, List(), delta).judged().result is REVOKED
    assert Asked(world, List(), replace(delta, **wrong)).judged().result is GOOD


def test_the_newest_delta_counts(world: World) -> None:
    """What was on hold and is released is good; and its freshness ends with the first list that runs out."""
    held = List(number=6, base=5, entry="certificateHold", begins=-DAY / 2)
    released = List(number=7, base=5, entry="removeFromCRL", begins=-DAY / 4, ends=DAY / 2)
    found = Asked(world, List(entry="certificateHold"), held, released).judged()
    assert (found.result, found.fresh_until) == (GOOD, AT + DAY / 2)


def test_a_signer_is_judged_as_well(world: World) -> None:
    """One whose certificate is revoked signs nothing that counts, nor one of which nothing is known."""
    question = Question((Point(by="signer"),), (List("signer", "one", indirect=True),))
    leaf = world.certificate(question)
    lists = world.lists(question, leaf)
    long = Question((), (List("signer", "one", indirect=True, ends=2000 * DAY), List(point="signers", ends=2000 * DAY)))
    others, der = [world.signer.der], leaf.public_bytes(Encoding.DER)
    assert judge_by_lists(der, world.authority.der, lists, AT, other_certificates=others).result is GOOD
    assert (
        "certificate is of an unknown state"
        in judge_by_lists(der, world.authority.der, lists[:1], AT, other_certificates=others).why
    )
    gone = world.lists(Question((), (List(point="signers", entry="keyCompromise"),)), world.signer.certificate)
    found = judge_by_lists(der, world.authority.der, [lists[0], gone[0]], AT, other_certificates=others)
    assert found.result is UNKNOWN
    assert "certificate is revoked: Revoked on" in found.why
    later = AT + 1000 * DAY
    assert (
        "is not at hand"
        in judge_by_lists(der, world.authority.der, world.lists(long, leaf), later, other_certificates=others).why
    )
    assert "whose certificate is not at hand" in judge_by_lists(der, world.authority.der, lists, AT).why


@pytest.mark.parametrize(
    "make",
    [
        lambda: rsa.generate_private_key(65537, 2048),
        lambda: ec.generate_private_key(ec.SECP384R1()),
        ed25519.Ed25519PrivateKey.generate,
        ed448.Ed448PrivateKey.generate,
    ],
    ids=["rsa-pss", "p-384", "ed25519", "ed448"],
)
def test_keys_of_all_kinds_sign(make: Callable[[], rsa.RSAPrivateKey]) -> None:
    """Certificates and lists may be signed in any way that X.509 knows."""
    key = make()
    is_rsa = isinstance(key, rsa.RSAPrivateKey)
    digest = hashes.SHA256() if isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) else None
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH) if is_rsa else None
    certificates = [
        x509.CertificateBuilder(name("Authority"), name(subject), key.public_key(), serial, AT - DAY, AT + DAY)
        .sign(key, digest, rsa_padding=pss)
        .public_bytes(Encoding.DER)
        for serial, subject in ((1, "Authority"), (2, "leaf"))
    ]
    builder = x509.CertificateRevocationListBuilder(name("Authority"), AT - DAY, AT + DAY)
    crl = builder.sign(key, digest, rsa_padding=pss).public_bytes(Encoding.DER)
    assert judge_by_lists(certificates[1], certificates[0], [crl], AT).result is GOOD


def test_where_a_certificate_can_be_asked_about() -> None:
    """URLs by distribution point, deltas, responders and issuers; what is no web address is left out."""
    url = x509.UniformResourceIdentifier
    methods = AuthorityInformationAccessOID
    key = ec.generate_private_key(ec.SECP256R1())
    points = [
        x509.DistributionPoint([url("http://a.test/1"), url("ldap://a.test/"), url("HTTPS://b.test/1")], None, None, None),
        x509.DistributionPoint(None, None, None, [x509.DirectoryName(name("Signer"))]),
        x509.DistributionPoint([url("http://a.test/2")], None, frozenset({x509.ReasonFlags.superseded}), None),
    ]
    access = [
        x509.AccessDescription(methods.OCSP, url("http://ocsp.test")),
        x509.AccessDescription(methods.CA_ISSUERS, url("http://a.test/ca")),
        x509.AccessDescription(methods.CA_ISSUERS, x509.DNSName("a.test")),
    ]
    builder = x509.CertificateBuilder(name("a"), name("b"), key.public_key(), 1, AT, AT + 8 * DAY)
    for extension in (
        x509.CRLDistributionPoints(points),
        x509.FreshestCRL(points[2:]),
        x509.AuthorityInformationAccess(access),
    ):
        builder = builder.add_extension(extension, critical=False)
    der = builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)
    assert points_of(der) == Points(
        crl_urls=(("http://a.test/1", "HTTPS://b.test/1"), ("http://a.test/2",)),
        delta_urls=("http://a.test/2",),
        ocsp_urls=("http://ocsp.test",),
        ca_issuer_urls=("http://a.test/ca",),
        needs_none=False,
    )


@pytest.mark.parametrize(
    ("lifetime", "extension", "needs_none"),
    [
        (7 * DAY, None, True),
        (7 * DAY + timedelta(seconds=1), None, False),
        (90 * DAY, x509.OCSPNoCheck(), True),
        (90 * DAY, x509.UnrecognizedExtension(ObjectIdentifier("2.5.29.56"), b"\x05\x00"), True),
    ],
)
def test_some_need_not_be_asked_about(lifetime: timedelta, extension: x509.ExtensionType | None, needs_none: bool) -> None:  # noqa: FBT001
    """What lives for 7 days, and what its issuer never tells of."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = x509.CertificateBuilder(name("a"), name("b"), key.public_key(), 1, AT, AT + lifetime)
    if extension:
        builder = builder.add_extension(extension, critical=False)
    assert points_of(builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)).needs_none is needs_none


@pytest.mark.parametrize("path", sorted(VECTORS.glob("*crl*.*")), ids=lambda path: path.name)
def test_published_lists_of_others_tell_nothing(world: World, path: Path) -> None:
    """Lists that are odd in all ways, and some certificates: unknown with a sentence, and never an error."""
    content = path.read_bytes()
    found = judge_by_lists(Asked(world).leaf, world.authority.der, [content], AT)
    assert found.result is UNKNOWN
    assert found.why.endswith(".")


def test_hostile_bytes_are_bad_parameters(world: World) -> None:
    """Garbage, nothing, far too much."""
    for content in (b"", b"garbage", b"\x30\x80", b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"):
        with pytest.raises(BadParameter, match="not a revocation list that can be read"):
            read_list(content)
    with pytest.raises(BadParameter, match=f"{MOST_BYTES} bytes at the most"):
        read_list(bytes(MOST_BYTES + 1))
    with pytest.raises(BadParameter, match=r"not an X\.509 certificate"):
        points_of(b"garbage")
    found = judge_by_lists(b"garbage", world.authority.der, [], AT)
    assert (found.result, found.why[:32]) == (UNKNOWN, "This is not an X.509 certificate")
    assert judge_by_lists(Asked(world).leaf, world.authority.der, [], AT).why == "There is no list at hand."


def test_a_hostile_signer_makes_no_error(world: World) -> None:
    """Lists whose bytes are changed and that are signed all the same, by the authority: a judgement, and never an error."""
    lists = (
        List(point="one", entry="superseded", freshest=True),
        List(number=6, base=5, entry="removeFromCRL"),
        List(point="relative", reasons="some", entry="foreign"),
    )
    asked = Asked(world, *lists, points=(Point("relative"), Point()))
    whole = [x509.load_der_x509_crl(der).tbs_certlist_bytes for der in asked.lists]
    random, results = Random(1), set()
    for _ in range(800):
        changed = bytearray(random.choice(whole))
        for _ in range(random.randrange(1, 3)):
            changed[random.randrange(4, len(changed))] = random.choice((0, 1, 0x30, 0x7F, 0x80, 0xFF, random.randrange(256)))
        asked.lists = [signed(bytes(changed), world.authority.key), signed(whole[1], world.authority.key)]
        results.add(asked.judged().result)
        with_leaf = judge_by_lists(bytes(changed), world.authority.der, asked.lists, AT, other_certificates=[bytes(changed)])
        assert with_leaf.result is UNKNOWN
    assert results == set(Result)


def test_a_name_is_shown_without_what_could_deceive(world: World) -> None:
    """What is told of a list goes into logs and mails: nothing that is not printable, and an end."""
    builder = x509.CertificateRevocationListBuilder(name("line\nbreak" + 50 * "x"), AT - DAY, AT + DAY)
    crl = builder.sign(world.authority.key, hashes.SHA256()).public_bytes(Encoding.DER)
    found = judge_by_lists(Asked(world).leaf, world.authority.der, [crl], AT)
    assert found.why.isprintable()
    assert "line\N{REPLACEMENT CHARACTER}break" in found.why


@pytest.mark.long
def test_a_list_of_a_hundred_thousand_serves_thousands(world: World) -> None:
    """It is read once, in about a second, and each certificate after that is judged at once."""
    entries = [x509.RevokedCertificateBuilder(serial, AT - DAY).build() for serial in range(1, MANY + 1)]
    builder = x509.CertificateRevocationListBuilder(world.authority.name, AT - DAY, AT + DAY, revoked_certificates=entries)
    der = builder.sign(world.authority.key, hashes.SHA256()).public_bytes(Encoding.DER)
    leaf = x509.CertificateBuilder(world.authority.name, name("leaf"), world.authority.key.public_key())
    leaf = leaf.not_valid_before(AT - DAY).not_valid_after(AT + DAY)
    leaves = [
        leaf.serial_number(serial).sign(world.authority.key, hashes.SHA256()).public_bytes(Encoding.DER)
        for serial in range(MANY - 999, MANY + 1001)
    ]
    begun = perf_counter()
    one = read_list(der)
    found = [judge_by_lists(each, world.authority.der, [one], AT).result for each in leaves]
    assert perf_counter() - begun < LONGEST_SECONDS
    assert (found.count(REVOKED), found.count(GOOD)) == (1000, 1000)
