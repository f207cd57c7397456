"""Roots and intermediates of several kinds, what certifies what, and what becomes of them over the years."""

from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, mldsa, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import verification
from cryptography.x509.oid import NameOID

from ca_sim.authority.hierarchy import Authority, open_authority
from ca_sim.authority.keys import make_key
from ca_sim.authority.profiles import USUAL, LeafRules
from ca_sim.authority.settings import AuthoritySettings
from ca_sim.authority.subject import Subject
from ca_sim.clock import utc_now
from ca_sim.csr import SigningRequest
from ca_sim.identifiers import Identifier
from ca_sim.problems import BadCsrError
from ca_sim.server import serve_in_thread
from ca_sim.settings import KeyType
from tests.ca_sim.caller import assert_problem, calling, make_csr
from tests.ca_sim.conftest import settings_for
from tests.ca_sim.issued import bench
from tests.ca_sim.responder import Responder
from tests.support.clock import START

DAY = timedelta(days=1)
YEAR = 365 * DAY


def opened(
    directory: Path | None = None, key_type: KeyType = "ec-p256", *, intermediates: int = 1, alternate_chains: int = 1
) -> Authority:
    """Open an authority at START."""
    settings = AuthoritySettings(intermediates=intermediates, alternate_chains=alternate_chains)
    return open_authority(directory, key_type, START, settings=settings)


def issue(authority: Authority, rules: LeafRules = USUAL, common_name: str | None = None) -> x509.Certificate:
    """Issue a leaf for a.example.com."""
    request = SigningRequest(make_key("ec-p256").public_key(), common_name)  # type: ignore[arg-type]  # an EC key
    return authority.issue(request, (Identifier("dns", "a.example.com"),), validity=90 * DAY, at=START, rules=rules)


def assert_verifies(chain: str, root: x509.Certificate) -> None:
    """Check that a PEM chain leads to a root."""
    leaf, *above = x509.load_pem_x509_certificates(chain.encode())
    policy = verification.PolicyBuilder().store(verification.Store([root])).time(START)
    found = policy.build_server_verifier(x509.DNSName("a.example.com")).verify(leaf, above)
    assert found[-1] == root


@pytest.mark.parametrize("key_type", ["ec-p256", "rsa-2048"])
@pytest.mark.parametrize("intermediates", [1, 3])
def test_each_chain_ends_in_a_root_of_its_own(key_type: KeyType, intermediates: int) -> None:
    """The default one in the root, the others in older roots, the first of another kind of key."""
    authority = opened(None, key_type, intermediates=intermediates, alternate_chains=2)
    leaf = issue(authority)
    chains, roots = authority.chains(leaf), authority.roots()
    assert chains[0] == authority.chain(leaf)
    assert [len(x509.load_pem_x509_certificates(chain.encode())) for chain in chains] == [
        1 + intermediates + (n > 0) for n in range(3)
    ]
    for chain, root in zip(chains, roots, strict=True):
        assert_verifies(chain, root)
    with pytest.raises(verification.VerificationError):
        assert_verifies(chains[0], roots[1])
    kinds = [type(root.public_key()) for root in roots]
    assert kinds[0] is not kinds[1]
    assert roots[1].not_valid_before_utc < roots[0].not_valid_before_utc


def test_what_nobody_asks_for_is_not_made() -> None:
    """An authority starts with one root and one intermediate; the older root comes with the first look at the chains."""
    authority = opened()
    leaf = issue(authority)
    authority.chain(leaf)
    assert len(list(authority.signers())) == 2
    authority.chains(leaf)
    assert len(list(authority.signers())) == 3


@pytest.mark.parametrize(
    ("issuer", "kind"),
    [("rsa", rsa.RSAPublicKey), ("ec", ec.EllipticCurvePublicKey), ("ml-dsa", mldsa.MLDSA65PublicKey)],
)
def test_a_profile_chooses_the_issuer(tmp_path: Path, issuer: str, kind: type) -> None:
    """Each kind of key has a root of its own, the same after a restart, and in the bundle."""
    rules = LeafRules.model_validate({"issuer": issuer})
    first = opened(tmp_path)
    leaf = issue(first, rules)
    signer = first.issuer_of(leaf)
    assert signer is not None
    assert isinstance(signer.certificate.public_key(), kind)
    leaf.verify_directly_issued_by(signer.certificate)
    second = opened(tmp_path)
    known = second.signer(signer.id)
    assert known is not None
    assert known.certificate == signer.certificate
    assert second.root_pem == first.root_pem
    again = second.issuer_of(issue(second, rules))
    assert again is not None
    assert again.id == signer.id


def test_another_intermediate_takes_over(tmp_path: Path) -> None:
    """The old one is known still, also after a restart, and its leaves have their chains."""
    authority = opened(tmp_path)
    old_leaf, old = issue(authority), authority.intermediate
    authority.chains(old_leaf)
    new = authority.rotate_intermediate(START + YEAR)
    assert new.certificate.not_valid_before_utc <= START
    for again in (authority, opened(tmp_path)):
        assert again.intermediate.id == new.id != old.id
        assert again.first_intermediate.id == old.id
        for chain in again.chains(old_leaf):
            assert x509.load_pem_x509_certificates(chain.encode())[1] == old.certificate
        assert_verifies(again.chain(issue(again)), again.root.certificate)
        assert len(again.roots()) == 2


def test_another_root_takes_over(tmp_path: Path) -> None:
    """Both are in the bundle, the new one first, and each has its leaves."""
    authority = opened(tmp_path)
    old_leaf, old = issue(authority), authority.root
    new = authority.rotate_root(START)
    for again in (authority, opened(tmp_path)):
        assert again.root.id == new.id
        assert [root.subject for root in again.roots()][:2] == [new.certificate.subject, old.certificate.subject]
        assert_verifies(again.chain(issue(again)), new.certificate)
        assert_verifies(again.chain(old_leaf), old.certificate)
        assert_verifies(again.chains(old_leaf)[1], again.roots()[-1])


@pytest.mark.parametrize("years", [-20, 30])
def test_the_authority_is_valid_in_virtual_and_in_real_time(years: int) -> None:
    """However far the virtual clock is from the real one when it is made."""
    real = START + years * YEAR
    authority = open_authority(None, "ec-p256", START, real=real)
    for at in (START, real):
        for signer in authority.signers():
            assert signer.certificate.not_valid_before_utc <= at < signer.certificate.not_valid_after_utc


def test_a_directory_of_the_first_release_goes_on(tmp_path: Path) -> None:
    """One root and one intermediate that point nowhere are used as they are, and get an older root."""
    made = opened(tmp_path)
    for name in ("root", "intermediate"):
        assert {path.name for path in tmp_path.glob(f"{name}*")} == {f"{name}.pem", f"{name}.key.pem"}
    again = opened(tmp_path, "rsa-2048", intermediates=3)
    assert again.intermediate.certificate == made.intermediate.certificate
    assert_verifies(again.chains(issue(again))[1], again.roots()[1])


@pytest.mark.parametrize(
    ("rule", "asked", "expected"),
    [
        ("asked", None, None),
        ("asked", "a.example.com", "a.example.com"),
        ("always", None, "a.example.com"),
        ("never", "a.example.com", None),
    ],
)
def test_the_common_name_is_as_the_profile_wants_it(rule: str, asked: str | None, expected: str | None) -> None:
    """As it was asked for, always, or never; without a subject the names are critical."""
    leaf = issue(opened(), LeafRules.model_validate({"common_name": rule}), asked)
    found = leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    assert [name.value for name in found] == ([expected] if expected else [])
    assert leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).critical is (expected is None)


def test_a_profile_says_what_a_leaf_is_for() -> None:
    """Purposes, must-staple, no responder and no encipherment."""
    rules = LeafRules(extended_key_usages=("serverAuth",), must_staple=True, ocsp=False, key_encipherment=False)
    authority = opened()
    request = SigningRequest(make_key("rsa-2048").public_key(), None)  # type: ignore[arg-type]  # an RSA key
    names = (Identifier("dns", "a.example.com"),)
    leaf = authority.issue(request, names, validity=90 * DAY, at=START, rules=rules).extensions
    assert [oid.dotted_string for oid in leaf.get_extension_for_class(x509.ExtendedKeyUsage).value] == ["1.3.6.1.5.5.7.3.1"]
    assert list(leaf.get_extension_for_class(x509.TLSFeature).value) == [x509.TLSFeatureType.status_request]
    assert not leaf.get_extension_for_class(x509.KeyUsage).value.key_encipherment
    assert len(leaf.get_extension_for_class(x509.AuthorityInformationAccess).value) == 1


def test_an_application_gives_subject_and_purposes_of_its_own() -> None:
    """As the APIs of organizations want it: the policy says that the organization was validated."""
    authority = opened()
    subject = Subject(organization="Contoso", locality="Oslo", country="NO")
    request = SigningRequest(make_key("ec-p256").public_key(), "a.example.com")  # type: ignore[arg-type]  # an EC key
    leaf = authority.issue(
        request,
        (Identifier("dns", "a.example.com"),),
        validity=90 * DAY,
        at=START,
        subject=subject,
        extended_key_usages=("1.3.6.1.5.5.7.3.1",),
    )
    assert leaf.subject.rfc4514_string() == "CN=a.example.com,O=Contoso,L=Oslo,C=NO"
    (policy,) = leaf.extensions.get_extension_for_class(x509.CertificatePolicies).value
    assert policy.policy_identifier.dotted_string == "2.23.140.1.2.2"
    assert len(leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == 1


def test_a_certificate_for_clients_alone_has_no_policy_of_servers() -> None:
    """The policies of the baseline requirements say how names of servers were validated."""
    request = SigningRequest(ec.generate_private_key(ec.SECP256R1()).public_key(), None)
    names, usages = (Identifier("dns", "a.example.com"),), ("1.3.6.1.5.5.7.3.2",)
    leaf = opened().issue(request, names, validity=90 * DAY, at=START, extended_key_usages=usages)
    with pytest.raises(x509.ExtensionNotFound):
        leaf.extensions.get_extension_for_class(x509.CertificatePolicies)


@pytest.mark.parametrize(
    ("profile", "message"),
    [
        ({"validity_seconds": 60, "key_types": ["rsa"]}, "key of the CSR is not taken here: use rsa"),
        ({"validity_seconds": 60, "max_names": 1}, "2 names are too many"),
    ],
)
def test_what_the_profile_does_not_take_is_refused(profile: dict[str, object], message: str) -> None:
    """A key of another type, and too many names."""
    names = (Identifier("dns", "a.example.com"), Identifier("dns", "b.example.com"))
    request = SigningRequest(make_key("ec-p256").public_key(), None)  # type: ignore[arg-type]  # an EC key
    with bench(profiles={"strict": profile}) as world:
        with pytest.raises(BadCsrError, match=message):
            world.house.issuing.check("strict", request, names)
        world.house.issuing.check("plain", request, names)


def test_what_certificates_point_to_is_there() -> None:
    """Issuers in DER, up to the root; the roots in one bundle and one by one; nothing else."""
    with bench(intermediates=2) as world:
        certificate = world.issue().leaf
        for _ in range(3):
            access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
            answer = world.get(str(access[-1].access_location.value))
            assert ("content-type", "application/pkix-cert") in answer.headers
            issuer = x509.load_der_x509_certificate(answer.body)
            certificate.verify_directly_issued_by(issuer)
            certificate = issuer
        assert certificate == world.house.authority.root.certificate
        bundle = x509.load_pem_x509_certificates(world.get(f"{world.base}/root").body)
        assert bundle == world.house.authority.roots()
        assert world.get(f"{world.base}/root/1").body == bundle[1].public_bytes(Encoding.PEM)
        for missing in ("root/2", "issuer/00", "crl/00"):
            assert world.get(f"{world.base}/{missing}").status == 404


def test_an_order_is_held_to_its_profile(responder: Responder) -> None:
    """Too many names are refused at once, a key that is not taken with the CSR, after which the order is still ready."""
    profiles = {"strict": {"validity_seconds": 3600, "max_names": 2, "key_types": ["rsa"]}}
    with serve_in_thread(settings_for(responder, profiles=profiles), utc_now) as running, calling(running) as caller:
        assert caller.register().status_code == 201
        assert_problem(caller.order("a.test", "b.test", "c.test"), "malformed", 400)
        url, order = caller.ready_order(responder, "a.test")
        assert_problem(caller.finalize(order, make_csr(["a.test"])), "badCSR", 400)
        assert caller.post(url).json()["status"] == "ready"
        assert caller.finalize(order, make_csr(["a.test"], make_rsa_key())).status_code == 200


def make_rsa_key() -> rsa.RSAPrivateKey:
    """Make a key of 2048 bits."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)
