"""Certificates that were made elsewhere come in whole, or not at all and with a word why."""

import base64
import itertools
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_der_private_key, pkcs12
from cryptography.x509 import load_der_x509_certificate
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from certworker.crypto.extensions import SubjectNames
from certworker.crypto.imports import MOST_ROUNDS
from certworker.crypto.keys import generate_key
from certworker.crypto.x509 import split_pem, to_pem, validity
from certworker.errors import (
    BadParameter,
    Conflict,
    DeletedButRecoverable,
    IssuerNotFound,
    KeyMismatch,
    LeaseLost,
    OperationInProgress,
)
from certworker.vault.certificates import CertificateBundle
from certworker.vault.imports import Arrival
from certworker.vault.objects import ObjectHead, ObjectKind, Tags
from certworker.vault.operations import OperationReason
from certworker.vault.policy import (
    PEM,
    PKCS12,
    UNKNOWN,
    ActionType,
    IssuerParameters,
    KeyProperties,
    LifetimeAction,
    Policy,
    X509Properties,
)
from tests.support.clock import START, FakeClock
from tests.support.deployment import ISSUER, Deployment, check_whole, policy_for
from tests.support.parcels import PKCS8, TRADITIONAL, Parcel, a_parcel, odd_parcel, wrap
from tests.vault.test_certificates import NEW_VERSION
from tests.vault.test_secrecy import check_unreadable, forms_of

AUTO_RENEW = LifetimeAction(ActionType.AUTO_RENEW, lifetime_percentage=80)
PASSWORD = "correct horse battery"
EC_PARCEL = a_parcel()
RSA_PARCEL = a_parcel(generate_key("RSA", 2048, None), key_usage=("digitalSignature", "keyEncipherment"))


def import_(
    deployment: Deployment, value: str, password: str | None = None, name: str = "web", **more: object
) -> CertificateBundle:
    """Import, as the administrator."""
    arrival = Arrival(value, password, **more)  # type: ignore[arg-type]
    return deployment.house.imports.import_(deployment.administrator, deployment.vault, name, arrival)


def secret_of(deployment: Deployment, name: str = "web") -> str:
    """Open the companion secret."""
    return deployment.house.secrets.get(deployment.administrator, deployment.vault, name).value


def check_arrived(deployment: Deployment, parcel: Parcel, name: str = "web") -> None:
    """Check that certificate, chain and key are those that were brought."""
    check_whole(deployment, name)
    version = deployment.get(name).version
    assert (version.der, version.chain) == (parcel.leaf, parcel.chain)
    key, value = load_der_private_key(parcel.key, None), secret_of(deployment, name)
    if version.content_type == PEM:
        assert split_pem(value.encode()) == (parcel.leaf, *parcel.chain)
        assert value.encode().startswith(parcel.key_pem())
        return
    found = pkcs12.load_pkcs12(base64.b64decode(value), b"")
    assert found.key is not None
    assert found.key.private_numbers() == key.private_numbers()  # type: ignore[union-attr]


@pytest.mark.parametrize("parcel", [EC_PARCEL, RSA_PARCEL], ids=["EC", "RSA"])
@pytest.mark.parametrize("password", [None, PASSWORD, "pässwörd ✓"])
def test_pkcs12_comes_in(deployment: Deployment, parcel: Parcel, password: str | None) -> None:
    """With a password and without one; there is a version, three events, and no operation."""
    imported = import_(deployment, parcel.pfx(password), password, tags={"team": "a"})
    check_arrived(deployment, parcel)
    assert imported == deployment.get("web")
    assert (imported.pending, imported.version.tags, imported.version.content_type) == (False, {"team": "a"}, PKCS12)
    events = deployment.events()
    assert tuple(event.type for event in events) == NEW_VERSION
    assert {(event.detail["reason"], event.detail["issuer"]) for event in events} == {("import", UNKNOWN)}
    assert deployment.issue() is None


@pytest.mark.parametrize("password", [None, PASSWORD])
@pytest.mark.parametrize("form", [PKCS8, TRADITIONAL])
@pytest.mark.parametrize("parcel", [EC_PARCEL, RSA_PARCEL], ids=["EC", "RSA"])
def test_pem_comes_in(deployment: Deployment, parcel: Parcel, form: PrivateFormat, password: str | None) -> None:
    """PKCS#8, PKCS#1 and SEC 1, encrypted or not; as it is, in base64, and with the line ends of Windows."""
    text = parcel.pem(form, password)
    for number, value in enumerate((text, wrap(text.encode()), text.replace("\n", "\r\n"), "Bag Attributes\n  a: b\n" + text)):
        import_(deployment, value, password, name=f"web-{number}")
        check_arrived(deployment, parcel, f"web-{number}")


def test_pem_comes_in_any_order(deployment: Deployment) -> None:
    """The leaf is found by the key, and the chain is put right, unless it is to stay as it came."""
    parts = (EC_PARCEL.key_pem(), *(to_pem((der,)) for der in (EC_PARCEL.leaf, *EC_PARCEL.chain)))
    for number, order in enumerate(itertools.permutations(parts)):
        import_(deployment, b"".join(order).decode(), name=f"web-{number}")
        check_arrived(deployment, EC_PARCEL, f"web-{number}")
    turned = EC_PARCEL.key_pem() + to_pem((EC_PARCEL.leaf, *reversed(EC_PARCEL.chain)))
    kept = import_(deployment, turned.decode(), name="kept", preserve_order=True).version
    assert (kept.chain, kept.preserve_order) == (tuple(reversed(EC_PARCEL.chain)), True)
    assert split_pem(secret_of(deployment, "kept").encode())[1:] == kept.chain


KEYS = st.sampled_from(
    [("RSA", 2048, None), ("EC", None, "P-256"), ("EC", None, "P-384"), ("EC", None, "P-521"), ("EC", None, "P-256K")]
)
LABEL = st.from_regex(r"[a-z][a-z0-9]{0,20}", fullmatch=True)
HOSTS = st.lists(LABEL.map(lambda label: f"{label}.test"), min_size=1, max_size=4, unique=True).map(tuple)
NAMES = st.builds(
    SubjectNames,
    dns_names=HOSTS,
    emails=st.lists(LABEL.map(lambda label: f"{label}@web.test"), max_size=2).map(tuple),
    upns=st.lists(st.text(min_size=1, max_size=200).map(lambda text: text + "@web.test"), max_size=2).map(tuple),
    uris=st.lists(LABEL.map(lambda label: f"https://{label}.test/"), max_size=2).map(tuple),
    ip_addresses=st.lists(st.ip_addresses().map(str), max_size=2).map(tuple),
)
TAGS = st.dictionaries(st.text(min_size=1, max_size=20), st.text(max_size=20), max_size=4)


@pytest.mark.long
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(kind=KEYS, names=NAMES, tags=TAGS, months=st.integers(1, 120), as_pem=st.booleans())
def test_what_went_out_comes_back(
    deployment: Deployment,
    kind: tuple[str, int | None, str | None],
    names: SubjectNames,
    tags: Tags,
    months: int,
    as_pem: bool,  # noqa: FBT001
) -> None:
    """Policy, CSR, certificate and secret; and that secret imported again gives the same policy, key and certificate."""
    content_type = PEM if as_pem else PKCS12
    x509 = X509Properties(f"CN={names.dns_names[0]}", names, key_usage=("digitalSignature",), validity_months=months)
    policy = Policy(KeyProperties(*kind), x509, content_type, issuer=IssuerParameters("Self"))
    name = f"out-{len(deployment.events())}"
    deployment.create(name, policy)
    value = secret_of(deployment, name)
    back = import_(deployment, value, name=f"{name}-back", tags=tags)
    made = deployment.get(name)
    assert back.version.der == made.version.der
    assert back.version.tags == tags
    read = back.certificate.policy
    assert (read.key, read.x509, read.content_type) == (policy.key, policy.x509, content_type)
    house, vault, caller = deployment.house, deployment.vault, deployment.administrator
    assert house.keys.get(caller, vault, f"{name}-back").key_ops == house.keys.get(caller, vault, name).key_ops
    assert read.issuer.name == UNKNOWN
    assert [action.action for action in read.lifetime_actions] == [ActionType.EMAIL_CONTACTS]


def test_the_policy_is_read_and_merged(deployment: Deployment) -> None:
    """What the owner says goes over what the certificate says; the key is what it is."""

    def change(read: Policy) -> Policy:
        return replace(read, key=replace(read.key, exportable=False), x509=replace(read.x509, validity_months=6))

    policy = import_(deployment, RSA_PARCEL.pfx(), change=change).certificate.policy
    assert policy.key == KeyProperties("RSA", 2048, exportable=False)
    assert (policy.x509.subject, policy.x509.validity_months) == ("CN=brought.test", 6)
    assert policy.x509.key_usage == ("digitalSignature", "keyEncipherment")
    key, leaf, _ = pkcs12.load_key_and_certificates(base64.b64decode(secret_of(deployment)), None)
    assert key is None
    assert leaf is None
    found = deployment.house.keys.get(deployment.administrator, deployment.vault, "web")
    assert found.key_ops == ("encrypt", "decrypt", "wrapKey", "unwrapKey", "sign", "verify")


def test_a_certificate_that_says_little_comes_in(deployment: Deployment) -> None:
    """Without key usage its key may do anything; names that no policy could ask for are taken as they are."""
    parcel = a_parcel(key_usage=(), ekus=(), subject="", names=SubjectNames(dns_names=("under_score.-odd.test",)))
    bundle = import_(deployment, parcel.pfx())
    assert bundle.certificate.policy.x509.names.dns_names == ("under_score.-odd.test",)
    found = deployment.house.keys.get(deployment.administrator, deployment.vault, "web")
    assert found.key_ops == ("sign", "verify")


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("key_props.kty", lambda read: replace(read, key=KeyProperties("RSA", 2048))),
        ("key_props.crv", lambda read: replace(read, key=replace(read.key, curve="P-384"))),
        ("key_props.key_size", lambda read: replace(read, key=replace(read.key, size=521))),
        ("secret_props.contentType", lambda read: replace(read, content_type=PEM)),
        ("lifetime_actions.action", lambda read: replace(read, lifetime_actions=(AUTO_RENEW,))),
        ("x509_props.ekus", lambda read: replace(read, x509=replace(read.x509, ekus=("server",)))),
    ],
)
def test_contradictions_are_refused(deployment: Deployment, field: str, change: Callable[[Policy], Policy]) -> None:
    """A policy for another key, another content, or what cannot work is refused by the field's name."""
    with pytest.raises(BadParameter) as refused:
        import_(deployment, EC_PARCEL.pfx(), change=change)
    assert refused.value.field == field
    assert field.partition(".")[0] in str(refused.value)


def _twice(text: str) -> str:
    return text + EC_PARCEL.key_pem().decode()


def _damaged() -> str:
    key = load_der_private_key(RSA_PARCEL.key, None)
    assert isinstance(key, rsa.RSAPrivateKey)
    numbers = key.private_numbers()
    bad = rsa.RSAPrivateNumbers(
        numbers.p, numbers.q, numbers.d + 2, numbers.dmp1, numbers.dmq1, numbers.iqmp, numbers.public_numbers
    ).private_key(unsafe_skip_rsa_key_validation=True)
    return bad.private_bytes(Encoding.PEM, PKCS8, NoEncryption()).decode() + to_pem((RSA_PARCEL.leaf,)).decode()


def _costly() -> str:
    builder = PrivateFormat.PKCS12.encryption_builder().kdf_rounds(MOST_ROUNDS // 2 + 1)
    key = load_der_private_key(EC_PARCEL.key, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    leaf = load_der_x509_certificate(EC_PARCEL.leaf)
    return wrap(pkcs12.serialize_key_and_certificates(None, key, leaf, None, builder.build(b"pw")))


REFUSED: dict[str, tuple[Callable[[], str], str | None, str]] = {
    "wrong password": (lambda: EC_PARCEL.pfx(PASSWORD), "wrong horse", "does not open the content"),
    "no password": (lambda: EC_PARCEL.pfx(PASSWORD), None, "protected by a password"),
    "wrong password of PEM": (lambda: EC_PARCEL.pem(PKCS8, PASSWORD), "wrong horse", "does not open the content"),
    "no password of PEM": (lambda: EC_PARCEL.pem(TRADITIONAL, PASSWORD), None, "protected by a password"),
    "no key": (lambda: to_pem((EC_PARCEL.leaf,)).decode(), None, "Private key is not specified"),
    "no certificate": (lambda: EC_PARCEL.key_pem().decode(), None, "no certificate"),
    "several keys": (lambda: _twice(EC_PARCEL.pem()), None, "several private keys"),
    "another key": (lambda: replace(EC_PARCEL, key=RSA_PARCEL.key).pem(), None, "does not match"),
    "a stranger": (lambda: replace(EC_PARCEL, chain=RSA_PARCEL.chain).pem(), None, "do not lead up from the leaf: CN=Far"),
    "nothing": (lambda: " \n", None, "value is empty"),
    "no base64": (lambda: "%%%", None, "neither PEM nor base64"),
    "no PKCS#12": (lambda: wrap(b"junk"), None, "valid PKCS#12 format"),
    "a certificate alone": (lambda: wrap(EC_PARCEL.leaf), None, "valid PKCS#12 format"),
    "cut off": (lambda: EC_PARCEL.pfx()[:-40], None, "valid PKCS#12 format"),
    "PEM cut off": (lambda: EC_PARCEL.pem()[:-40], None, "no end"),
    "damaged certificate": (
        lambda: EC_PARCEL.key_pem().decode() + "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----",
        None,
        "cannot be read",
    ),
    "damaged key": (lambda: "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----", None, "key cannot be read"),
    "a request": (
        lambda: EC_PARCEL.pem() + "-----BEGIN CERTIFICATE REQUEST-----\nAA==\n-----END CERTIFICATE REQUEST-----",
        None,
        "no part of",
    ),
    "an SSH key": (
        lambda: "-----BEGIN OPENSSH PRIVATE KEY-----\nAA==\n-----END OPENSSH PRIVATE KEY-----",
        None,
        "not supported",
    ),
    "Ed25519": (lambda: odd_parcel(ed25519.Ed25519PrivateKey.generate()), None, "Ed25519"),
    "DSA": (lambda: odd_parcel(dsa.generate_private_key(2048)), None, "DSA"),
    "brainpool": (lambda: odd_parcel(ec.generate_private_key(ec.BrainpoolP256R1())), None, "brainpoolP256r1"),
    "RSA too small": (lambda: odd_parcel(rsa.generate_private_key(65537, 1024)), None, "1024 bits"),  # noqa: S505
    "RSA too large": (lambda: odd_parcel(rsa.generate_private_key(65537, 4104)), None, "4104 bits"),
    "RSA too odd": (lambda: odd_parcel(rsa.generate_private_key(65537, 2056)), None, "2056 bits"),
    "an RSA key that is none": (_damaged, None, "do not fit together"),
    "a costly one": (_costly, "pw", "rounds of stretching"),
    "too many": (lambda: EC_PARCEL.pem() + "".join(odd_certificates(22)), None, "at most 21"),
}


def odd_certificates(count: int) -> list[str]:
    """Make self-signed certificates that belong to nobody."""
    parcels = (odd_parcel(ec.generate_private_key(ec.SECP256R1())) for _ in range(count))
    return [text[text.index("-----BEGIN CERTIFICATE") :] for text in parcels]


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_what_is_not_whole_is_refused(deployment: Deployment, case: tuple[Callable[[], str], str | None, str]) -> None:
    """Each with a word of its own, and nothing of what was sent in it; nothing has changed then."""
    make, password, expected = case
    value = make()
    with pytest.raises(BadParameter, match=expected) as refused:
        import_(deployment, value, password)
    assert refused.value.field in {"value", "pwd"}
    said = repr(refused.value)
    assert "horse" not in said
    assert not [line for line in value.splitlines() if len(line) > 16 and "-" not in line and line in said]
    assert deployment.events() == ()
    with deployment.house.store.reading() as reader:
        assert reader.head(deployment.vault.id, ObjectKind.CERTIFICATE, "web") is None


@pytest.mark.system("keytool")
def test_several_keys_in_pkcs12_are_refused(deployment: Deployment, tmp_path: Path) -> None:
    """Java writes keystores with more than one key."""
    for alias in ("one", "two"):
        command = [
            shutil.which("keytool") or "keytool",
            "-genkeypair",
            "-keystore",
            str(tmp_path / "ks.p12"),
            "-storepass",
            "secret",
        ]
        subprocess.run([*command, "-alias", alias, "-keyalg", "EC", "-dname", f"CN={alias}"], check=True, capture_output=True)
    with pytest.raises(BadParameter, match="several private keys"):
        import_(deployment, wrap((tmp_path / "ks.p12").read_bytes()), "secret")


@pytest.mark.system("openssl")
@pytest.mark.parametrize("options", [[], ["-legacy"], ["-nomac"], ["-keypbe", "NONE", "-certpbe", "NONE"]])
@pytest.mark.parametrize("password", ["", PASSWORD])
def test_what_openssl_writes_comes_in(deployment: Deployment, tmp_path: Path, options: list[str], password: str) -> None:
    """Old and new ciphers, an empty password, none at all, and without a MAC."""
    (tmp_path / "web.pem").write_text(RSA_PARCEL.pem())
    command = [shutil.which("openssl") or "openssl", "pkcs12", "-export", "-in", str(tmp_path / "web.pem")]
    made = subprocess.run([*command, *options, "-passout", f"pass:{password}"], check=True, capture_output=True)
    import_(deployment, wrap(made.stdout), password or None)
    check_arrived(deployment, RSA_PARCEL)


def test_an_expired_one_comes_in_and_is_left_alone(deployment: Deployment) -> None:
    """It is its owner's wish; nothing renews it, not even an integrated issuer."""
    parcel = a_parcel(begin=START - timedelta(days=100), end=START - timedelta(days=10))

    def change(read: Policy) -> Policy:
        return replace(read, issuer=IssuerParameters(ISSUER), lifetime_actions=(AUTO_RENEW,), lifetime_actions_set=True)

    assert import_(deployment, parcel.pfx(), change=change).version.attributes.expires == START - timedelta(days=10)
    assert deployment.renewal("web").due_at is None
    assert deployment.issue() is None


@pytest.mark.parametrize("issuer", ["Self", UNKNOWN, ISSUER])
def test_nothing_is_renewed_unasked(deployment: Deployment, clock: FakeClock, issuer: str) -> None:
    """An issuer alone is no wish for a renewal, and nothing becomes one when the policy is changed elsewhere."""
    house, vault, caller = deployment.house, deployment.vault, deployment.administrator
    policy = import_(
        deployment, EC_PARCEL.pfx(), change=lambda read: replace(read, issuer=IssuerParameters(issuer))
    ).certificate.policy
    assert [action.action for action in policy.lifetime_actions] == [ActionType.EMAIL_CONTACTS]
    house.certificates.update_policy(caller, vault, "web", lambda known: replace(known, enabled=False))
    clock.advance(timedelta(days=89))
    assert deployment.issue() is None
    assert len(deployment.versions("web")) == 1


def test_an_integrated_issuer_renews_it_if_told(deployment: Deployment, clock: FakeClock) -> None:
    """With AutoRenew said, the next version comes of the issuer, by the policy that was read."""

    def change(read: Policy) -> Policy:
        return replace(read, issuer=IssuerParameters(ISSUER), lifetime_actions=(AUTO_RENEW,), lifetime_actions_set=True)

    import_(deployment, EC_PARCEL.pfx(), change=change)
    due, (begin, end) = deployment.renewal("web").due_at, validity(EC_PARCEL.leaf)
    assert due is not None
    assert due >= begin + (end - begin) * 0.8
    clock.set(due)
    deployment.work()
    deployment.work()
    assert deployment.operation("web").reason is OperationReason.LIFETIME_ACTION
    assert len(deployment.versions("web")) == 2
    check_whole(deployment, "web")
    assert deployment.get("web").certificate.policy.x509.subject == "CN=brought.test"


def test_an_import_goes_before_a_renewal_that_was_claimed(deployment: Deployment, clock: FakeClock) -> None:
    """The worker that was about to renew the version before loses its claim, and writes nothing of what it knew."""
    deployment.create("web", policy_for("web.test"))
    deployment.work()
    clock.advance(timedelta(days=80))
    with deployment.house.store.writing() as writer:
        claimed = writer.claim_renewal("slow", clock(), timedelta(minutes=3))
    assert claimed is not None
    before = deployment.get("web").version
    import_(deployment, EC_PARCEL.pfx())
    with pytest.raises(LeaseLost):
        deployment.house.issuances.renew(deployment.vault, claimed, before)
    assert deployment.renewal("web").due_at is None
    assert deployment.issue() is None


def test_self_signed_is_not_planned(deployment: Deployment) -> None:
    """A CA's certificate is not replaced by a self-signed one before somebody has looked at the policy again."""
    import_(
        deployment,
        EC_PARCEL.pfx(),
        change=lambda read: replace(read, issuer=IssuerParameters("Self"), lifetime_actions=(AUTO_RENEW,)),
    )
    assert deployment.renewal("web").due_at is None


def test_an_issuer_that_is_not_there_is_refused(deployment: Deployment) -> None:
    """As for a certificate that is made here."""
    with pytest.raises(IssuerNotFound):
        import_(deployment, EC_PARCEL.pfx(), change=lambda read: replace(read, issuer=IssuerParameters("nobody")))


def test_a_known_name_gets_a_new_version(deployment: Deployment, clock: FakeClock) -> None:
    """The older version stays; the policy is that of the new one, and the plan for the old one is gone."""
    deployment.create("Web", policy_for("web.test", "Self"))
    first, made = deployment.versions("web"), deployment.get("web").certificate.policy_created
    clock.advance(timedelta(days=1))
    bundle = import_(deployment, RSA_PARCEL.pfx(), name="WEB")
    assert (bundle.head.name, bundle.version.name) == ("Web", "Web")
    assert set(first) < set(deployment.versions("web"))
    check_arrived(deployment, RSA_PARCEL)
    certificate = deployment.get("web").certificate
    assert (certificate.policy_created, certificate.policy.issuer.name) == (made, UNKNOWN)
    assert certificate.policy_updated == clock()
    assert certificate.renewal.due_at is None


def test_what_is_in_the_way(deployment: Deployment) -> None:
    """A pending operation, a deleted certificate, and somebody's own key or secret."""
    deployment.create("pending", policy_for("web.test", UNKNOWN))
    deployment.create("deleted", policy_for("web.test", "Self"))
    deployment.house.certificates.delete(deployment.administrator, deployment.vault, "deleted")
    with deployment.house.store.writing() as writer:
        writer.put_head(ObjectHead(deployment.vault.id, ObjectKind.SECRET, "taken", None, START))
    for name, error in (("pending", OperationInProgress), ("deleted", DeletedButRecoverable), ("taken", Conflict)):
        with pytest.raises(error):
            import_(deployment, EC_PARCEL.pfx(), name=name)
    with pytest.raises(BadParameter, match="invalid name"):
        import_(deployment, EC_PARCEL.pfx(), name="no_name")


def test_a_mismatch_says_so_in_the_services_words(deployment: Deployment) -> None:
    """Of PKCS#12 too, which may hold any key with any certificate."""
    key = load_der_private_key(RSA_PARCEL.key, None)
    assert isinstance(key, rsa.RSAPrivateKey)
    others = [load_der_x509_certificate(EC_PARCEL.leaf)]
    value = wrap(pkcs12.serialize_key_and_certificates(None, key, None, others, NoEncryption()))
    with pytest.raises(KeyMismatch, match="The public key of the end-entity certificate in the specified"):
        import_(deployment, value)


def test_what_was_imported_is_sealed(deployment: Deployment, tmp_path: Path) -> None:
    """Neither the key nor the password can be read in the files of the database, and no `repr` shows them."""
    for number, parcel in enumerate((EC_PARCEL, RSA_PARCEL)):
        import_(deployment, parcel.pfx(PASSWORD), PASSWORD, name=f"web-{number}")
        import_(deployment, parcel.pem(PKCS8, PASSWORD), PASSWORD, name=f"pem-{number}")
        check_unreadable(tmp_path, *forms_of(parcel.key), PASSWORD.encode(), b"PRIVATE KEY")
    assert PASSWORD not in repr(Arrival(EC_PARCEL.pem(), PASSWORD))
    assert "PRIVATE" not in repr(Arrival(EC_PARCEL.pem(), PASSWORD))
