"""Root, intermediate and TLS certificate, and how they are kept."""

from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import verification
from cryptography.x509.oid import AuthorityInformationAccessOID

from ca_sim.authority.hierarchy import SigningKey, make_key, open_authority
from ca_sim.bootstrap import server_context
from ca_sim.csr import SigningRequest
from ca_sim.files import StateError, write_whole
from ca_sim.identifiers import Identifier
from ca_sim.planes import Transport
from ca_sim.settings import KeyType, Settings
from tests.support.clock import START


@pytest.mark.parametrize("key_type", ["ec-p256", "ec-p384", "rsa-2048"])
def test_the_tls_certificate_verifies_against_the_root(key_type: KeyType) -> None:
    """For localhost, both loopback addresses and the external name, with each type of key."""
    authority = open_authority(None, key_type, START)
    key: SigningKey = make_key("ec-p256")
    hosts = ("localhost", "127.0.0.1", "::1", "ca.example.test")
    leaf = authority.issue_server(key, hosts, START)
    store = verification.Store([authority.root.certificate])
    policy = verification.PolicyBuilder().store(store).time(START)
    verifier = policy.build_server_verifier(x509.DNSName("ca.example.test"))
    assert len(verifier.verify(leaf, [authority.intermediate.certificate])) == 3
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert len(list(names)) == 4
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert server_context(authority, Settings(), Transport.TLS).minimum_version.name == "TLSv1_2"


@pytest.mark.parametrize("what", ["root", "intermediate"])
def test_clients_go_on_with_the_roots_that_the_servers_started_with(what: str) -> None:
    """Another root or intermediate takes over, and the TLS of the running servers still lets new client certificates in."""
    authority = open_authority(None, "ec-p256", START)
    store = verification.Store(x509.load_pem_x509_certificates(authority.root_pem))
    (authority.rotate_root if what == "root" else authority.rotate_intermediate)(START)
    leaf = authority.issue_client(make_key("ec-p256").public_key(), "client.example.test", START)
    chain = x509.load_pem_x509_certificates(authority.chain(leaf).encode())
    verifier = verification.PolicyBuilder().store(store).time(START).build_client_verifier()
    assert len(verifier.verify(leaf, chain[1:]).chain) == 3
    access = leaf.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    assert [one.access_method for one in access] == [AuthorityInformationAccessOID.CA_ISSUERS]
    with pytest.raises(x509.ExtensionNotFound):
        leaf.extensions.get_extension_for_class(x509.CRLDistributionPoints)


def test_keys_are_made_once_and_kept_for_the_owner(tmp_path: Path) -> None:
    """A second start has the same root and intermediate; nobody else can read the keys."""
    first = open_authority(tmp_path / "a", "ec-p256", START)
    second = open_authority(tmp_path / "a", "rsa-2048", START)
    assert second.root.certificate == first.root.certificate
    assert second.intermediate.certificate == first.intermediate.certificate
    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "a").iterdir()}
    assert modes == {0o600}


def test_a_start_that_was_cut_off_is_made_good(tmp_path: Path) -> None:
    """A key without its certificate is made anew; a missing intermediate is issued by the root that is there."""
    first = open_authority(tmp_path, "ec-p256", START)
    (tmp_path / "intermediate.pem").unlink()
    second = open_authority(tmp_path, "ec-p256", START)
    assert second.root.certificate == first.root.certificate
    assert second.intermediate.certificate != first.intermediate.certificate


def test_what_does_not_belong_together_is_refused(tmp_path: Path) -> None:
    """A root of another authority, a key of another certificate, and rubbish are told."""
    open_authority(tmp_path / "a", "ec-p256", START)
    other = open_authority(tmp_path / "b", "ec-p256", START)
    root, key = tmp_path / "a" / "root.pem", tmp_path / "a" / "root.key.pem"
    write_whole(root, other.root_pem)
    with pytest.raises(StateError, match="do not belong together"):
        open_authority(tmp_path / "a", "ec-p256", START)
    write_whole(key, (tmp_path / "b" / "root.key.pem").read_bytes())
    with pytest.raises(StateError, match="not issued by the root"):
        open_authority(tmp_path / "a", "ec-p256", START)
    write_whole(root, b"rubbish")
    with pytest.raises(StateError, match="cannot be read"):
        open_authority(tmp_path / "a", "ec-p256", START)


@pytest.mark.parametrize(
    ("validity", "backdate"),
    [
        (timedelta(seconds=30), timedelta(0)),
        (timedelta(minutes=5), timedelta(seconds=5)),
        (timedelta(days=90), timedelta(minutes=1)),
    ],
)
def test_a_leaf_begins_a_little_earlier_and_lasts_as_it_should(validity: timedelta, backdate: timedelta) -> None:
    """A sixtieth of the lifetime, a minute at most."""
    authority = open_authority(None, "ec-p256", START)
    request = SigningRequest(ec.generate_private_key(ec.SECP256R1()).public_key(), None)
    leaf = authority.issue(request, (Identifier("dns", "a.test"),), validity=validity, at=START)
    assert START - leaf.not_valid_before_utc == backdate
    assert leaf.not_valid_after_utc - leaf.not_valid_before_utc == validity
    assert authority.chain(leaf).encode().startswith(leaf.public_bytes(Encoding.PEM))


def test_no_leaf_outlives_the_intermediate() -> None:
    """Its end is cut to that of its issuer."""
    authority = open_authority(None, "ec-p256", START)
    request = SigningRequest(ec.generate_private_key(ec.SECP256R1()).public_key(), None)
    names = (Identifier("dns", "a.test"),)
    leaf = authority.issue(request, names, validity=timedelta(days=36_500), at=START)
    assert leaf.not_valid_after_utc == authority.intermediate.certificate.not_valid_after_utc
