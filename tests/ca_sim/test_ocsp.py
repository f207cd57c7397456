"""The OCSP responder: what it says, who signs it, and what it does with requests that are none."""

import base64
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, mldsa, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.ocsp import OCSPCertStatus, OCSPResponseStatus
from cryptography.x509.oid import ExtendedKeyUsageOID

from ca_sim.authority.ocsp_messages import MalformedRequestError, read_request
from ca_sim.faults.rules import Breakage, FaultKind
from tests.ca_sim.issued import DAY, Bench, Issued, access_urls, bench, request_for
from tests.support.clock import START

HOUR = timedelta(hours=1)


def assert_signed(response: ocsp.OCSPResponse, issuer: x509.Certificate) -> x509.Certificate:
    """Check that a delegate of the issuer signed; give its certificate."""
    (delegate,) = response.certificates
    delegate.verify_directly_issued_by(issuer)
    usage = delegate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.OCSP_SIGNING]
    assert delegate.extensions.get_extension_for_class(x509.OCSPNoCheck)
    assert response.responder_key_hash == x509.SubjectKeyIdentifier.from_public_key(delegate.public_key()).digest
    key, digest = delegate.public_key(), response.signature_hash_algorithm
    if isinstance(key, ec.EllipticCurvePublicKey):
        assert digest is not None
        key.verify(response.signature, response.tbs_response_bytes, ec.ECDSA(digest))
    elif isinstance(key, rsa.RSAPublicKey):
        assert digest is not None
        key.verify(response.signature, response.tbs_response_bytes, padding.PKCS1v15(), digest)
    else:
        assert isinstance(key, mldsa.MLDSA65PublicKey)
        key.verify(response.signature, response.tbs_response_bytes)
    return delegate


def refused(world: Bench, request: bytes) -> OCSPResponseStatus:
    """Give the status of an answer that is none."""
    return ocsp.load_der_ocsp_response(world.ask_bytes(request).body).response_status


@pytest.mark.parametrize("issuer", ["ec", "rsa", "ml-dsa"])
@pytest.mark.parametrize("algorithm", [hashes.SHA1(), hashes.SHA256()])  # noqa: S303 - as clients do
def test_good_and_revoked(issuer: str, algorithm: hashes.HashAlgorithm) -> None:
    """Signed by a delegate of the issuer, whatever the kind of its key and the digest that the client uses."""
    with bench(profiles={"other": {"validity_seconds": 86_400, "issuer": issuer}}) as world:
        issued = world.issue("other")
        assert access_urls(issued.leaf)["ocsp"] == f"{world.base}/ocsp"
        good = world.ask(issued, algorithm=algorithm)
        assert_signed(good, issued.issuer)
        assert good.certificate_status is OCSPCertStatus.GOOD
        assert good.serial_number == issued.leaf.serial_number
        assert good.hash_algorithm.name == algorithm.name
        assert (good.produced_at_utc, good.this_update_utc, good.next_update_utc) == (START, START, START + 4 * DAY)
        world.later(HOUR)
        world.revoke(issued, 1)
        revoked = world.ask(issued, algorithm=algorithm)
        assert_signed(revoked, issued.issuer)
        assert revoked.certificate_status is OCSPCertStatus.REVOKED
        assert (revoked.revocation_time_utc, revoked.revocation_reason) == (START + HOUR, x509.ReasonFlags.key_compromise)


def test_a_revocation_without_a_reason_tells_none() -> None:
    """Unspecified is left out, as in CRLs."""
    with bench() as world:
        issued = world.issue()
        world.revoke(issued, 0)
        assert world.ask(issued).revocation_reason is None


def test_what_was_not_issued_is_unknown() -> None:
    """A serial number of nobody's, and one of another issuer's; another authority's certificate is no business of ours."""
    with bench(profiles={"other": {"validity_seconds": 86_400, "issuer": "rsa"}}) as world, bench() as stranger:
        issued, other, foreign = world.issue(), world.issue("other"), stranger.issue()
        nobody = ocsp.OCSPRequestBuilder().add_certificate_by_hash(*_hashes(issued), 77, hashes.SHA256())
        swapped = ocsp.OCSPRequestBuilder().add_certificate_by_hash(*_hashes(issued), other.leaf.serial_number, hashes.SHA256())
        for builder in (nobody, swapped):
            answer = ocsp.load_der_ocsp_response(world.ask_bytes(builder.build().public_bytes(Encoding.DER)).body)
            assert answer.certificate_status is OCSPCertStatus.UNKNOWN
        assert refused(world, request_for(foreign.leaf, foreign.issuer)) is OCSPResponseStatus.UNAUTHORIZED
        sha512 = request_for(issued.leaf, issued.issuer, algorithm=hashes.SHA512())
        assert refused(world, sha512) is OCSPResponseStatus.SUCCESSFUL
        sha224 = request_for(issued.leaf, issued.issuer, algorithm=hashes.SHA224())
        assert refused(world, sha224) is OCSPResponseStatus.UNAUTHORIZED


def _hashes(issued: Issued) -> tuple[bytes, bytes]:
    """Give the digests that identify an issuer, by SHA-256."""
    request = ocsp.load_der_ocsp_request(request_for(issued.leaf, issued.issuer, algorithm=hashes.SHA256()))
    return request.issuer_name_hash, request.issuer_key_hash


@pytest.mark.parametrize("request_bytes", [b"", b"\x30\x00", b"no DER", b"\x30\x03\x30\x01\x00"])
def test_what_is_no_request_is_malformed(request_bytes: bytes) -> None:
    """By POST and by GET, where it may not even be base64."""
    with bench() as world:
        assert refused(world, request_bytes) is OCSPResponseStatus.MALFORMED_REQUEST
        answer = world.get(f"{world.base}/ocsp/{quote(base64.b64encode(request_bytes).decode(), safe='')}=!")
        assert ocsp.load_der_ocsp_response(answer.body).response_status is OCSPResponseStatus.MALFORMED_REQUEST


def test_who_signed_a_request_is_not_looked_at() -> None:
    """A request with the name of who asks, signed or not, is answered as any other (RFC 6960 section 4.1.2)."""
    with bench() as world:
        issued = world.issue()
        plain = request_for(issued.leaf, issued.issuer)
        listed = plain[4:]  # after the heads of the request and of what is signed in it
        named = _der(0x30, _der(0xA1, _der(0x82, b"client.example.com")) + listed)
        signature = _der(0xA0, _der(0x30, bytes.fromhex("300a06082a8648ce3d040302") + _der(0x03, b"\0" + b"signature")))
        for request in (plain, _der(0x30, named), _der(0x30, named + signature)):
            assert refused(world, request) is OCSPResponseStatus.SUCCESSFUL


def test_a_critical_extension_that_is_not_known_is_refused() -> None:
    """It may change what is asked (RFC 6960 section 4.4); one that is not critical is passed over."""
    with bench() as world:
        issued = world.issue()
        builder = ocsp.OCSPRequestBuilder().add_certificate(issued.leaf, issued.issuer, hashes.SHA1())  # noqa: S303 - as usual
        extension = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x05\x00")
        answers = [
            refused(world, builder.add_extension(extension, critical=critical).build().public_bytes(Encoding.DER))
            for critical in (False, True)
        ]
        assert answers == [OCSPResponseStatus.SUCCESSFUL, OCSPResponseStatus.MALFORMED_REQUEST]


def test_after_the_end_of_an_issuer_nobody_answers_for_it() -> None:
    """The responder says that it is not entitled to."""
    with bench() as world:
        issued = world.issue()
        world.later(19 * 366 * DAY)
        assert refused(world, request_for(issued.leaf, issued.issuer)) is OCSPResponseStatus.UNAUTHORIZED


def _der(tag: int, content: bytes) -> bytes:
    """Write a short element."""
    size = len(content)
    return bytes([tag, size] if size < 128 else [tag, 0x81, size]) + content


def test_what_is_no_post_of_ocsp_is_refused() -> None:
    """Another content type, and a body that is too long."""
    with bench() as world:
        assert world.running.request("POST", f"{world.base}/ocsp", {"content-type": "text/plain"}, b"x").status == 415
        assert world.ask_bytes(b"x" * 10_001).status == 413


@pytest.mark.parametrize("length", [1, 32, 128])
def test_a_nonce_comes_back(length: int) -> None:
    """Of any length that RFC 9654 knows; such an answer is kept by no cache."""
    with bench() as world:
        issued = world.issue()
        answer = world.ask(issued, nonce=b"n" * length)
        assert answer.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce == b"n" * length
        request = request_for(issued.leaf, issued.issuer, nonce=b"n" * length)
        assert dict(world.ask_bytes(request).headers)["cache-control"] == "no-store"


@pytest.mark.parametrize("nonce", [b"", b"n" * 129])
def test_a_nonce_of_no_good_length_is_malformed(nonce: bytes) -> None:
    """None at all, and more than 128 octets (RFC 9654 section 2.1)."""
    with bench() as world:
        issued = world.issue()
        request = request_for(issued.leaf, issued.issuer, nonce=nonce)
        assert refused(world, request) is OCSPResponseStatus.MALFORMED_REQUEST


def test_a_responder_may_know_no_nonce() -> None:
    """As most public ones: the answer has none, and can be kept."""
    with bench(ocsp_nonce=False) as world:
        assert len(world.ask(world.issue(), nonce=b"n" * 32).extensions) == 0


def test_an_answer_by_get_can_be_kept() -> None:
    """With the headers of RFC 5019 section 6.2, the path encoded or not."""
    with bench() as world:
        issued = world.issue()
        text = base64.b64encode(request_for(issued.leaf, issued.issuer)).decode()
        for path in (quote(text, safe=""), quote(text)):
            answer = world.get(f"{world.base}/ocsp/{path}")
            headers = dict(answer.headers)
            assert ocsp.load_der_ocsp_response(answer.body).certificate_status is OCSPCertStatus.GOOD
            assert headers["content-type"] == "application/ocsp-response"
            assert headers["cache-control"] == "max-age=345600, public, no-transform, must-revalidate"
            assert headers["expires"] == "Mon, 05 Jan 2026 00:00:00 GMT"
            assert "etag" in headers


def test_the_delegate_is_replaced_at_half_its_life() -> None:
    """Answers go on to verify over a year."""
    with bench() as world:
        issued = world.issue(validity=400 * DAY)
        delegates = []
        for _ in range(24):
            delegate = assert_signed(world.ask(issued), issued.issuer)
            now = world.house.clock()
            assert delegate.not_valid_before_utc <= now < delegate.not_valid_after_utc - 14 * DAY
            delegates.append(delegate)
            world.later(7 * DAY)
        assert 8 <= len(set(delegates)) <= 12


def test_an_expired_certificate_is_known_for_some_time_more() -> None:
    """The answer says since when the archive reaches; afterwards it is unknown."""
    with bench(ocsp_archive_seconds=10 * 86_400) as world:
        issued = world.issue(validity=DAY)
        world.revoke(issued)
        world.later(10 * DAY)
        answer = world.ask(issued)
        assert answer.certificate_status is OCSPCertStatus.REVOKED
        (cutoff,) = answer.single_extensions
        assert cutoff.oid.dotted_string == "1.3.6.1.5.5.7.48.1.6"
        assert cutoff.value.public_bytes() == asn1.encode_der(asn1.GeneralizedTime(START))
        world.later(2 * DAY)
        assert world.ask(issued).certificate_status is OCSPCertStatus.UNKNOWN


def test_an_intermediate_is_known_too() -> None:
    """Asked about with the root as its issuer."""
    with bench() as world:
        issued, root = world.issue(), world.house.authority.root.certificate
        pair = Issued(issued.issuer, root, issued.record)
        assert world.ask(pair).certificate_status is OCSPCertStatus.GOOD
        world.house.publication.revocations.revoke_own(issued.issuer, 2)
        answer = world.ask(pair)
        assert answer.revocation_reason is x509.ReasonFlags.ca_compromise
        assert_signed(answer, root)


def test_several_certificates_are_answered_together() -> None:
    """Each in its place; certificates of two issuers cannot be signed for by one."""
    with bench(profiles={"other": {"validity_seconds": 86_400, "issuer": "rsa"}}) as world:
        first, second, other = world.issue(), world.issue(), world.issue("other")
        world.revoke(second)
        answer = ocsp.load_der_ocsp_response(world.ask_bytes(joined(first, second)).body)
        found = [(single.serial_number, single.certificate_status) for single in answer.responses]
        assert found == [
            (first.leaf.serial_number, OCSPCertStatus.GOOD),
            (second.leaf.serial_number, OCSPCertStatus.REVOKED),
        ]
        assert refused(world, joined(first, other)) is OCSPResponseStatus.UNAUTHORIZED
        with pytest.raises(MalformedRequestError):
            read_request(joined(*[first] * 65))


def joined(*asked: Issued) -> bytes:
    """Make one request of several: the lists of certificates of short requests, one after the other."""
    parts = b"".join(_list(request_for(issued.leaf, issued.issuer)) for issued in asked)
    for _ in range(3):
        parts = b"\x30" + _length(len(parts)) + parts
    return parts


def _list(request: bytes) -> bytes:
    """Give what is in the list of a request: inside of three sequences with lengths of one octet."""
    assert max(request[1], request[3], request[5]) < 0x80
    return request[6:]


def _length(size: int) -> bytes:
    return bytes([size]) if size < 0x80 else b"\x82" + size.to_bytes(2, "big") if size > 0xFF else bytes([0x81, size])


def test_answers_are_stale_or_broken_on_purpose(tmp_path: Path) -> None:
    """One ran out and does not know of the revocation; others are garbage, forged or refusals; and then all is right."""
    with bench(tmp_path) as world:
        issued = world.issue()
        world.revoke(issued)
        world.break_(FaultKind.STALE, "public.ocsp", seconds=3600)
        stale = world.ask(issued)
        assert (stale.next_update_utc, stale.certificate_status) == (START - HOUR, OCSPCertStatus.GOOD)
        assert_signed(stale, issued.issuer)
        world.break_(FaultKind.BROKEN, "public.ocsp")
        with pytest.raises(ValueError, match="pars"):
            world.ask(issued)
        world.break_(FaultKind.BROKEN, "public.ocsp", breakage=Breakage.SIGNATURE)
        with pytest.raises(InvalidSignature):
            assert_signed(world.ask(issued), issued.issuer)
        for breakage, status in (
            (Breakage.TRY_LATER, OCSPResponseStatus.TRY_LATER),
            (Breakage.INTERNAL_ERROR, OCSPResponseStatus.INTERNAL_ERROR),
            (Breakage.UNAUTHORIZED, OCSPResponseStatus.UNAUTHORIZED),
        ):
            world.break_(FaultKind.BROKEN, "public.ocsp", breakage=breakage)
            assert world.ask(issued).response_status is status
        assert world.ask(issued).certificate_status is OCSPCertStatus.REVOKED
