"""Revocation by clients (RFC 8555 section 7.6)."""

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ca_sim.acme.jose import encode, public_jwk
from ca_sim.server import Running
from tests.ca_sim.caller import Caller, assert_problem, calling, jws, make_key
from tests.ca_sim.responder import Responder


def test_the_account_revokes_once(caller: Caller, responder: Responder) -> None:
    """The first time is 200, the second alreadyRevoked."""
    leaf = caller.issue(responder, "revoked.test")
    assert caller.revoke(leaf, reason=4).status_code == 200
    assert_problem(caller.revoke(leaf), "alreadyRevoked", 400)


def test_the_key_of_the_certificate_revokes(caller: Caller, responder: Responder) -> None:
    """Who holds the certificate's key needs no account; another key is unauthorized."""
    key = make_key()
    leaf = caller.issue(responder, "own-key.test", key=key)
    url = caller.directory["revokeCert"]
    payload = {"certificate": encode(leaf.public_bytes(Encoding.DER)), "reason": 1}
    for signer, status in ((make_key(), 403), (key, 200)):
        header = {"nonce": caller.nonce(), "url": url, "jwk": public_jwk(signer.public_key())}
        assert caller.send(url, jws(signer, header, payload)).status_code == status
    assert_problem(caller.revoke(leaf), "alreadyRevoked", 400)


def test_another_account_needs_authorizations(caller: Caller, running: Running, responder: Responder) -> None:
    """A stranger is unauthorized, until valid authorizations show control of all names."""
    leaf = caller.issue(responder, "moved.test")
    with calling(running) as other:
        other.register()
        assert_problem(other.revoke(leaf), "unauthorized", 403)
        certificate_url = caller.directory["newOrder"].replace("new-order", f"certificate/{leaf.serial_number:x}")
        assert_problem(other.post(certificate_url), "unauthorized", 403)
        other.ready_order(responder, "moved.test")
        assert other.revoke(leaf).status_code == 200


@pytest.mark.parametrize("reason", [2, 6, 7, 8, 9, 10, 99, -1])
def test_reasons_of_the_authority_are_not_the_clients(caller: Caller, responder: Responder, reason: int) -> None:
    """A reason that a subscriber cannot give is badRevocationReason."""
    leaf = caller.issue(responder, "reason.test")
    assert_problem(caller.revoke(leaf, reason=reason), "badRevocationReason", 400)


def test_what_was_not_issued_here_cannot_be_revoked(caller: Caller, running: Running) -> None:
    """Rubbish is malformed; a certificate of somebody else is not found."""
    url = caller.directory["revokeCert"]
    assert_problem(caller.post(url, {"certificate": "AAAA"}), "malformed", 400)
    assert_problem(caller.post(url, {"certificate": "AAAA", "reason": "x"}), "malformed", 400)
    root = x509.load_pem_x509_certificate(running.root_pem)
    assert_problem(caller.revoke(root), "malformed", 404)
