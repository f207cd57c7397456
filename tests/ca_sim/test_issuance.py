"""A certificate from beginning to end, with the `acme` library as the client."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from acme import challenges, client, messages
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import verification
from cryptography.x509.oid import ExtendedKeyUsageOID
from josepy.jwa import ES256, RS256
from josepy.jwk import JWK, JWKEC, JWKRSA

from ca_sim.server import Running
from tests.ca_sim.caller import Caller, make_csr
from tests.ca_sim.responder import Responder

DEADLINE = datetime(2999, 1, 1)  # noqa: DTZ001 - the library compares it with a local time


@pytest.fixture(params=["ES256", "RS256"])
def acme_client(running: Running, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[client.ClientV2]:
    """Register with the library, with each kind of key."""
    bundle = tmp_path / "root.pem"
    bundle.write_bytes(running.root_pem)
    key: JWK = JWKRSA(key=rsa.generate_private_key(65537, 2048))
    algorithm = RS256
    if request.param == "ES256":
        key, algorithm = JWKEC(key=ec.generate_private_key(ec.SECP256R1())), ES256
    net = client.ClientNetwork(key, alg=algorithm)
    net.verify_ssl = str(bundle)  # type: ignore[assignment]  # requests takes a path as well
    made = client.ClientV2(client.ClientV2.get_directory(running.directory_url, net), net)
    made.new_account(messages.NewRegistration.from_data(email="a@example.test", terms_of_service_agreed=True))
    yield made
    net.session.close()


def test_the_acme_library_gets_a_certificate(acme_client: client.ClientV2, running: Running, responder: Responder) -> None:
    """The library orders, answers http-01, finalizes, downloads, and the chain verifies against the root alone."""
    names = ["www.example.test", "xn--bcher-kva.example.test"]
    csr = x509.load_der_x509_csr(make_csr(names)).public_bytes(Encoding.PEM)
    order = acme_client.new_order(csr, profile="brief")
    for authorization in order.authorizations:
        (offered,) = (found for found in authorization.body.challenges if isinstance(found.chall, challenges.HTTP01))
        answer, validation = offered.response_and_validation(acme_client.net.key)
        responder.show(offered.chall.encode("token"), validation)
        acme_client.answer_challenge(offered, answer)
    done = acme_client.finalize_order(acme_client.poll_authorizations(order, DEADLINE), DEADLINE, fetch_alternative_chains=True)
    leaf, intermediate = x509.load_pem_x509_certificates(done.fullchain_pem.encode())
    assert_verifies(leaf, [intermediate], running.root_pem, names)
    assert len(done.alternative_fullchains_pem) == 1
    renew_at, _ = acme_client.renewal_time(done.fullchain_pem.encode())
    assert renew_at is not None
    assert leaf.not_valid_before_utc < renew_at.astimezone(UTC) < leaf.not_valid_after_utc
    acme_client.revoke(leaf, 1)


def assert_verifies(leaf: x509.Certificate, others: list[x509.Certificate], root: bytes, names: list[str]) -> None:
    """Check a chain as a client would."""
    store = verification.Store(x509.load_pem_x509_certificates(root))
    for name in names:
        verifier = verification.PolicyBuilder().store(store).build_server_verifier(x509.DNSName(name))
        chain = verifier.verify(leaf, others)
        assert len(chain) == 3


def test_a_leaf_has_the_extensions_of_a_server_certificate(caller: Caller, responder: Responder) -> None:
    """Not a CA, key usage without encipherment for EC, both uses, critical names without a subject, DV policy."""
    leaf = caller.issue(responder, "leaf.test")
    found = {extension.oid: extension for extension in leaf.extensions}
    constraints = leaf.extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical
    assert not constraints.value.ca
    usage = leaf.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert usage.value.digital_signature
    assert not usage.value.key_encipherment
    purposes = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert set(purposes) == {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert names.critical
    assert list(leaf.subject) == []
    policy = leaf.extensions.get_extension_for_class(x509.CertificatePolicies).value[0]
    assert policy.policy_identifier.dotted_string == "2.23.140.1.2.1"
    assert {x509.SubjectKeyIdentifier.oid, x509.AuthorityKeyIdentifier.oid} <= set(found)
    assert 0 < leaf.serial_number < 2**159


def test_an_rsa_leaf_with_a_common_name_keeps_both(caller: Caller, responder: Responder) -> None:
    """With RSA there is key encipherment; with a subject the names are not critical."""
    url, order = caller.ready_order(responder, "rsa.test")
    key = rsa.generate_private_key(65537, 2048)
    caller.finalize(order, make_csr(["rsa.test"], key, common_name="rsa.test"))
    leaf = x509.load_pem_x509_certificates(caller.post(caller.settled(url)["certificate"]).content)[0]
    assert leaf.extensions.get_extension_for_class(x509.KeyUsage).value.key_encipherment
    assert not leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).critical
    assert leaf.subject.rfc4514_string() == "CN=rsa.test"


def test_the_profile_says_how_long(caller: Caller, responder: Responder) -> None:
    """The lifetime is the profile's to the second."""
    leaf = caller.issue(responder, "brief.test", profile="brief")
    assert leaf.not_valid_after_utc - leaf.not_valid_before_utc == timedelta(seconds=300)
    default = caller.issue(responder, "long.test")
    assert default.not_valid_after_utc - default.not_valid_before_utc == timedelta(days=90)


def test_an_ip_address_can_be_certified(caller: Caller, responder: Responder) -> None:
    """An identifier of type ip is validated at the address and lands in the names (RFC 8738)."""
    identifiers = [{"type": "ip", "value": "127.0.0.1"}]
    answer = caller.post(caller.directory["newOrder"], {"identifiers": identifiers})
    order = answer.json()
    caller.authorize(order, responder)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.IPAddress(ip_address("127.0.0.1"))
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    csr = builder.add_extension(x509.SubjectAlternativeName([name]), critical=False)
    caller.finalize(order, csr.sign(key, hashes.SHA256()).public_bytes(Encoding.DER))
    done = caller.settled(answer.headers["Location"])
    leaf = x509.load_pem_x509_certificates(caller.post(done["certificate"]).content)[0]
    assert leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value[0] == name
    assert responder.hosts[-1] == "127.0.0.1"
