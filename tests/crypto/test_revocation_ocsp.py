"""OCSP answers are believed from those who may give them, about the certificate that was asked about, and in time."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random
from types import MappingProxyType
from typing import Any, Final

import cryptography_vectors
import pytest
from asn1crypto import core as asn1_core  # type: ignore[import-untyped]
from asn1crypto import ocsp as asn1_ocsp
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier

from certworker.crypto.revocation import Judgement, Result, judge_by_ocsp, ocsp_request
from certworker.errors import BadParameter
from tests.crypto.revocation_cases import AT, CRITICAL, DAY, name
from tests.crypto.second_judge import second_by_ocsp

GOOD, REVOKED, UNKNOWN = Result.GOOD, Result.REVOKED, Result.UNKNOWN
HOUR: Final = timedelta(hours=1)
VECTORS: Final = Path(cryptography_vectors.__file__).parent / "x509"
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
NAMED: Final[Mapping[bool, ocsp.OCSPResponderEncoding]] = MappingProxyType(
    {True: ocsp.OCSPResponderEncoding.NAME, False: ocsp.OCSPResponderEncoding.HASH}
)


@dataclass(frozen=True)
class Holder:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: Key

    @property
    def der(self) -> bytes:
        """Give the certificate as DER."""
        return self.certificate.public_bytes(Encoding.DER)


def issued(
    subject: str,
    issuer: Holder | None = None,
    *,
    key: Key | None = None,
    ekus: tuple[ObjectIdentifier, ...] = (),
    ends: datetime = AT + 90 * DAY,
    checked: bool = False,
) -> Holder:
    """Issue a certificate; without an issuer, an authority's own. `checked`: what became of it has to be asked elsewhere."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    above = issuer.certificate.subject if issuer else name(subject)
    builder = x509.CertificateBuilder(above, name(subject), key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(AT - 90 * DAY).not_valid_after(ends)
    builder = builder.add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    if ekus:
        builder = builder.add_extension(x509.ExtendedKeyUsage(ekus), critical=False)
        if not checked:
            builder = builder.add_extension(x509.OCSPNoCheck(), critical=False)
    signer = issuer.key if issuer else key
    return Holder(builder.sign(signer, digest_of(signer)), key)


def digest_of(key: Key) -> hashes.SHA256 | None:
    """Choose what a key signs."""
    return None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()


class World:
    """An authority with a leaf, and responders of all kinds."""

    def __init__(self) -> None:
        signing = (ExtendedKeyUsageOID.OCSP_SIGNING,)
        self.authority = issued("Authority")
        self.other = issued("Authority")
        self.leaf = issued("leaf", self.authority)
        self.second = issued("second leaf", self.authority)
        self.responders = {
            "authority": self.authority,
            "delegate": issued("responder", self.authority, ekus=signing),
            "rsa": issued("rsa", self.authority, ekus=signing, key=rsa.generate_private_key(65537, 2048)),
            "ed25519": issued("ed25519", self.authority, ekus=signing, key=ed25519.Ed25519PrivateKey.generate()),
            "leaf": self.second,
            "for servers": issued("server", self.authority, ekus=(ExtendedKeyUsageOID.SERVER_AUTH,)),
            "of any use": issued("any", self.authority, ekus=(ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,)),
            "expired": issued("expired", self.authority, ekus=signing, ends=AT - DAY),
            "another's": issued("theirs", self.other, ekus=signing),
            "another": self.other,
            "checked": issued("checked", self.authority, ekus=signing, checked=True),
        }


@dataclass(frozen=True)
class Answer:
    """An answer as it is to be made."""

    by: str = "delegate"
    status: ocsp.OCSPCertStatus = ocsp.OCSPCertStatus.GOOD
    reason: x509.ReasonFlags | None = None
    begins: timedelta = -HOUR
    ends: timedelta | None = DAY
    about: str = "leaf"
    digest: type[hashes.HashAlgorithm] = hashes.SHA256
    by_name: bool = False
    critical: bool = False
    forged: bool = False


@pytest.fixture(scope="module")
def world() -> World:
    """Make all certificates once."""
    return World()


def answered(world: World, answer: Answer) -> bytes:
    """Make an answer."""
    responder = world.responders[answer.by]
    about = world.second if answer.about == "second" else world.leaf
    issuer = world.other if answer.about == "other authority" else world.authority
    revoked = answer.status is ocsp.OCSPCertStatus.REVOKED
    builder = ocsp.OCSPResponseBuilder().add_response(
        about.certificate,
        issuer.certificate,
        answer.digest(),
        answer.status,
        AT + answer.begins,
        None if answer.ends is None else AT + answer.ends,
        AT - DAY if revoked else None,
        answer.reason,
    )
    builder = builder.responder_id(NAMED[answer.by_name], responder.certificate)
    if responder is not world.authority:
        builder = builder.certificates([responder.certificate])
    if answer.critical:
        builder = builder.add_extension(CRITICAL, critical=True)
    made = builder.sign(responder.key, digest_of(responder.key))
    body, signature = made.public_bytes(Encoding.DER), made.signature
    return body.replace(signature, bytes(reversed(signature))) if answer.forged else body


def judged(world: World, answer: Answer) -> Judgement:
    """Judge the leaf by an answer."""
    return judge_by_ocsp(world.leaf.der, world.authority.der, answered(world, answer), AT)


REVOKED_ANSWER: Final = Answer(status=ocsp.OCSPCertStatus.REVOKED, reason=x509.ReasonFlags.superseded)
SECOND: Final = timedelta(seconds=1)
TOLD: Final = (
    (Answer(), GOOD, "Not revoked, says the OCSP answer of 2026-06-01 11:00:00 UTC."),
    (Answer(by="authority"), GOOD, "Not revoked"),
    (Answer(by="authority", by_name=True), GOOD, "Not revoked"),
    (Answer(by="rsa", by_name=True), GOOD, "Not revoked"),
    (Answer(by="ed25519"), GOOD, "Not revoked"),
    (Answer(digest=hashes.SHA1), GOOD, "Not revoked"),
    (Answer(begins=timedelta(0), ends=timedelta(0)), GOOD, "Not revoked"),
    (REVOKED_ANSWER, REVOKED, "Revoked on 2026-05-31 12:00:00 UTC (superseded)"),
    (Answer(status=ocsp.OCSPCertStatus.REVOKED), REVOKED, "Revoked on 2026-05-31 12:00:00 UTC, says"),
    (
        Answer(status=ocsp.OCSPCertStatus.REVOKED, reason=x509.ReasonFlags.certificate_hold),
        REVOKED,
        "On hold since 2026-05-31 12:00:00 UTC (certificateHold), which counts as revoked",
    ),
    (Answer(status=ocsp.OCSPCertStatus.UNKNOWN), UNKNOWN, "does not know this certificate"),
    (Answer(by="leaf"), UNKNOWN, "is not for signing OCSP answers"),
    (Answer(by="for servers"), UNKNOWN, "is not for signing OCSP answers"),
    (Answer(by="of any use"), UNKNOWN, "is not for signing OCSP answers"),
    (Answer(by="expired"), UNKNOWN, "is not valid at this time"),
    (Answer(by="another's"), UNKNOWN, "signed neither by"),
    (Answer(by="another"), UNKNOWN, "signed neither by"),
    (Answer(forged=True), UNKNOWN, "signed neither by"),
    (Answer(by="authority", forged=True), UNKNOWN, "signed neither by"),
    (Answer(about="second"), UNKNOWN, "about another certificate"),
    (Answer(about="other authority"), UNKNOWN, "about another certificate"),
    (Answer(begins=-2 * HOUR, ends=-SECOND), UNKNOWN, "ran out on 2026-06-01 11:59:59 UTC"),
    (Answer(begins=SECOND), UNKNOWN, "of a time that has not come yet"),
)
# the other judge has no such digest of a name, and fails
UNASKED: Final = ((Answer(digest=hashes.SHA512), GOOD, "Not revoked"),)
CHOSEN: Final = (
    # the other wants to know what became of a responder that does not say that it need not be asked: RFC 6960 section
    # 4.2.2.2.1 leaves that open
    (Answer(by="checked"), GOOD, "Not revoked", UNKNOWN),
    # where it is not said when an answer ends, it takes 30 minutes, and we take 12 hours
    (Answer(ends=None, begins=-12 * HOUR), GOOD, "Not revoked", UNKNOWN),
    (Answer(ends=None, begins=-12 * HOUR - SECOND), UNKNOWN, "ran out on", UNKNOWN),
    # it looks at no critical extension
    (Answer(critical=True), UNKNOWN, "critical extension", GOOD),
)


@pytest.mark.parametrize(("answer", "result", "why"), [*TOLD, *UNASKED, *(one[:3] for one in CHOSEN)])
def test_an_answer_is_judged(world: World, answer: Answer, result: Result, why: str) -> None:
    """By who signed it, what it is about, and when."""
    found = judged(world, answer)
    assert (found.result, found.source) == (result, "ocsp")
    assert why in found.why
    assert (found.fresh_until is None) == (result is UNKNOWN)


@pytest.mark.parametrize(("answer", "result"), [*(one[:2] for one in TOLD), *((one[0], one[3]) for one in CHOSEN)])
def test_a_second_judge_says_the_same(world: World, answer: Answer, result: Result) -> None:
    """Another library comes to the same result, but where there is a choice: then to the one that is told here."""
    assert second_by_ocsp([world.authority.der, world.leaf.der], answered(world, answer), AT) is result


def test_what_is_told_of_a_revocation(world: World) -> None:
    """Its time, its reason, and how long the answer holds."""
    found = judged(world, REVOKED_ANSWER)
    assert (found.reason, found.revoked_at, found.fresh_until) == ("superseded", AT - DAY, AT + DAY)


def test_clocks_may_differ_by_the_leeway(world: World) -> None:
    """An answer may be dated a little ahead; that makes it last no longer."""

    def within(leeway: timedelta, answer: Answer) -> Result:
        body = answered(world, answer)
        return judge_by_ocsp(world.leaf.der, world.authority.der, body, AT, leeway=leeway).result

    assert within(SECOND, Answer(begins=SECOND)) is GOOD
    assert within(SECOND, Answer(begins=2 * SECOND)) is UNKNOWN
    assert within(HOUR, Answer(begins=-2 * HOUR, ends=-SECOND)) is UNKNOWN


def test_a_question_names_the_certificate(world: World) -> None:
    """By its issuer's name and key and its serial number; what is no certificate cannot be asked about."""
    question = ocsp.load_der_ocsp_request(ocsp_request(world.leaf.der, world.authority.der))
    key = x509.SubjectKeyIdentifier.from_public_key(world.authority.key.public_key()).digest
    assert (question.serial_number, question.issuer_key_hash) == (world.leaf.certificate.serial_number, key)
    assert question.hash_algorithm.name == "sha1"
    with pytest.raises(BadParameter, match=r"not an X\.509 certificate"):
        ocsp_request(b"nothing", world.authority.der)


def test_another_issuer_of_the_same_name_is_none(world: World) -> None:
    """An answer is not even looked at where the issuer's certificate is not the leaf's issuer's."""
    found = judge_by_ocsp(world.leaf.der, world.other.der, answered(world, Answer()), AT)
    assert (found.result, found.why) == (
        UNKNOWN,
        "The issuer's certificate is not the one by which the certificate was issued.",
    )


def changed_and_signed(world: World, change: Callable[[Any], None]) -> Judgement:
    """Change what the authority signs in a good answer, have it signed, and judge the leaf by it."""
    whole = asn1_ocsp.OCSPResponse.load(answered(world, Answer(by="authority")))
    basic = whole["response_bytes"]["response"].parsed
    change(basic["tbs_response_data"])
    key = world.authority.key
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    basic["signature"] = key.sign(basic["tbs_response_data"].dump(force=True), ec.ECDSA(hashes.SHA256()))
    whole["response_bytes"]["response"] = asn1_core.ParsableOctetString(basic.dump(force=True))
    return judge_by_ocsp(world.leaf.der, world.authority.der, whole.dump(force=True), AT)


@pytest.mark.parametrize("critical", [True, False])
def test_an_extension_about_one_certificate_counts_if_it_is_critical(world: World, critical: bool) -> None:  # noqa: FBT001
    """What is not known may be left aside where it says that it may."""

    def change(data: Any) -> None:  # noqa: ANN401 - asn1crypto has no types
        extension = {"extn_id": "1.3.6.1.4.1.55555.1", "critical": critical, "extn_value": b"\x05\x00"}
        data["responses"][0]["single_extensions"] = [extension]

    found = changed_and_signed(world, change)
    assert found.result is (UNKNOWN if critical else GOOD), found.why


def test_who_signs_has_to_be_who_answers(world: World) -> None:
    """An answer that is said to be somebody else's is nobody's."""

    def change(data: Any) -> None:  # noqa: ANN401 - asn1crypto has no types
        data["responder_id"] = asn1_ocsp.ResponderId("by_key", bytes(20))

    found = changed_and_signed(world, change)
    assert (found.result, "signed neither by" in found.why) == (UNKNOWN, True)


def test_of_two_answers_about_one_certificate_the_worse_counts(world: World) -> None:
    """As long as it is in time."""

    def change(data: Any, ends: datetime = AT + HOUR) -> None:  # noqa: ANN401 - asn1crypto has no types
        worse = data["responses"][0].copy()
        worse["cert_status"] = asn1_ocsp.CertStatus("revoked", {"revocation_time": AT - DAY})
        worse["this_update"], worse["next_update"] = AT - 2 * HOUR, ends
        data["responses"].append(worse)

    assert changed_and_signed(world, change).result is REVOKED
    assert changed_and_signed(world, partial(change, ends=AT - HOUR)).result is GOOD


def test_a_published_answer_is_judged() -> None:
    """An answer of Let's Encrypt's from 2018, in its time and after it."""
    leaf, issuer = (
        x509.load_pem_x509_certificate((VECTORS / file).read_bytes()).public_bytes(Encoding.DER)
        for file in ("cryptography.io.precert.pem", "letsencryptx3.pem")
    )
    answer = (VECTORS / "ocsp" / "resp-sha256.der").read_bytes()
    at = datetime(2018, 9, 1, tzinfo=UTC)
    found = judge_by_ocsp(leaf, issuer, answer, at)
    assert (found.result, found.fresh_until) == (GOOD, datetime(2018, 9, 6, 11, tzinfo=UTC))
    assert second_by_ocsp([issuer, leaf], answer, at) is GOOD
    assert judge_by_ocsp(leaf, issuer, answer, at + 30 * DAY).result is UNKNOWN
    # the same certificate, and a signature that is named as nothing that is known
    odd = judge_by_ocsp(leaf, issuer, (VECTORS / "ocsp" / "resp-invalid-signature-oid.der").read_bytes(), at)
    assert odd.result is UNKNOWN


@pytest.mark.parametrize("path", sorted((VECTORS / "ocsp").iterdir()), ids=lambda path: path.name)
def test_published_answers_about_others_tell_nothing(world: World, path: Path) -> None:
    """Answers and requests, right and wrong, of many authorities: unknown, and never an error."""
    found = judge_by_ocsp(world.leaf.der, world.authority.der, path.read_bytes(), AT)
    assert found.result is UNKNOWN
    assert found.why.endswith(".")


def test_hostile_bytes_are_unknown(world: World) -> None:
    """Garbage, too much, nothing, and an answer about a revocation with a bit changed: never an error, and never good."""
    leaf, authority, body = world.leaf.der, world.authority.der, answered(world, REVOKED_ANSWER)
    random = Random(1)
    for hostile in (b"", b"\x30\x80", b"garbage", bytes(300_000), body + b"x", body[:-1]):
        assert judge_by_ocsp(leaf, authority, hostile, AT).result is UNKNOWN
    for _ in range(500):
        changed = bytearray(body)
        changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
        assert judge_by_ocsp(leaf, authority, bytes(changed), AT).result is not GOOD
        judge_by_ocsp(bytes(changed), authority, body, AT)
        judge_by_ocsp(leaf, bytes(changed), body, AT)
