"""Keys: made, imported, changed, deleted; what stands in the way is refused, and nothing is left half done."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_private_key

from certworker.crypto.keys import CURVES, KeyKind, base64url, key_kind, public_jwk
from certworker.errors import (
    BadParameter,
    Conflict,
    DeletedButRecoverable,
    Forbidden,
    KeyNotFound,
    NotDeleted,
    PurgeProtected,
)
from certworker.vault.access import Caller
from certworker.vault.events import EventType
from certworker.vault.expiries import NEAR_EXPIRY
from certworker.vault.key_creation import ArrivingKey, WantedKey
from certworker.vault.key_settings import KeySettings
from certworker.vault.materials import Material
from certworker.vault.objects import KeyReleasePolicy, KeyVersion
from certworker.vault.policy import IssuerParameters
from certworker.vault.vaults import Sku
from tests.support.clock import START, FakeClock
from tests.support.deployment import Deployment, policy_for
from tests.support.records import RELEASE_RULES

DAY: Final = timedelta(days=1)
EC: Final = WantedKey("EC")
OCT: Final = MappingProxyType({"k": base64url(b"0123456789abcdef")})
POLICY: Final = KeyReleasePolicy("application/json; charset=utf-8", RELEASE_RULES)
EXPORTABLE: Final = KeySettings(exportable=True, release_policy=POLICY)


def create(deployment: Deployment, name: str = "k", wanted: WantedKey = EC, **settings: Any) -> KeyVersion:  # noqa: ANN401
    """Make a key as the administrator."""
    creation = deployment.house.key_life.creation
    return creation.create(deployment.administrator, deployment.vault, name, wanted, KeySettings(**settings))


def update(deployment: Deployment, version: str | None = None, **settings: Any) -> KeyVersion:  # noqa: ANN401
    """Change the key k likewise."""
    updates = deployment.house.key_life.updates
    return updates.update(deployment.administrator, deployment.vault, "k", version, KeySettings(**settings))


def get(deployment: Deployment, name: str = "k", version: str | None = None) -> KeyVersion:
    """Show a key likewise."""
    return deployment.house.keys.get(deployment.administrator, deployment.vault, name, version)


@pytest.mark.parametrize(
    ("wanted", "kind"),
    [
        (WantedKey("RSA"), KeyKind("RSA", 2048)),
        (WantedKey("RSA", 3072, exponent=65537), KeyKind("RSA", 3072)),
        (WantedKey("RSA", exponent=65539), KeyKind("RSA", 2048, exponent=65539)),
        (EC, KeyKind("EC", curve="P-256")),
        (WantedKey("EC", 256), KeyKind("EC", curve="P-256")),
        (WantedKey("EC", 521), KeyKind("EC", curve="P-521")),
        (WantedKey("EC", 256, "P-256K"), KeyKind("EC", curve="P-256K")),
        *((WantedKey("EC", curve=curve), KeyKind("EC", curve=curve)) for curve in CURVES),
    ],
)
def test_asymmetric_keys_are_made(deployment: Deployment, wanted: WantedKey, kind: KeyKind) -> None:
    """Of every type, size and curve, with Key Vault's defaults; what was made is what is shown and what signs."""
    made = create(deployment, wanted=wanted)
    assert made == get(deployment)
    assert (made.kty, key_kind(made.public_key)) == (wanted.kty, kind)
    assert made.key_ops == (
        ("sign", "verify") if wanted.kty == "EC" else ("encrypt", "decrypt", "wrapKey", "unwrapKey", "sign", "verify")
    )
    assert (made.attributes.enabled, made.attributes.expires, made.exportable, made.managed) == (True, None, False, False)


@pytest.mark.parametrize(("size", "octets"), [(None, 32), (128, 16), (192, 24), (256, 32)])
def test_oct_keys_are_made(deployment: Deployment, size: int | None, octets: int) -> None:
    """With 256 bits unless somebody says less; nothing of one is public."""
    made = create(deployment, wanted=WantedKey("oct", size))
    assert (made.kty, made.public_key) == ("oct", b"")
    assert len(deployment.house.materials.private(made)) == octets
    assert deployment.house.materials.kind(made) == KeyKind("oct", octets * 8)


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        (WantedKey(""), "kty"),
        (WantedKey("rsa"), "kty"),
        (WantedKey("OKP"), "kty"),
        (WantedKey("-HSM"), "kty"),
        (WantedKey("RSA", 1024), "key_size"),
        (WantedKey("RSA", 0), "key_size"),
        (WantedKey("RSA", curve="P-256"), "crv"),
        (WantedKey("RSA", exponent=3), "public_exponent"),
        (WantedKey("RSA", exponent=65536), "public_exponent"),
        (WantedKey("RSA", exponent=0), "public_exponent"),
        (WantedKey("EC", 512), "key_size"),
        (WantedKey("EC", 256, "P-384"), "key_size"),
        (WantedKey("EC", curve="P-192"), "crv"),
        (WantedKey("EC", curve=""), "crv"),
        (WantedKey("EC", exponent=65537), "public_exponent"),
        (WantedKey("oct", 64), "key_size"),
        (WantedKey("oct", curve="P-256"), "crv"),
    ],
)
def test_a_key_that_cannot_be_is_refused(deployment: Deployment, wanted: WantedKey, field: str) -> None:
    """The error names the field; no key and no name is left behind."""
    with pytest.raises(BadParameter) as caught:
        create(deployment, wanted=wanted)
    assert caught.value.field == field
    with pytest.raises(KeyNotFound):
        get(deployment)


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"key_ops": ("encrypt",)}, "key_ops"),
        ({"key_ops": ("sign", "fly")}, "key_ops"),
        ({"key_ops": ("export",)}, "key_ops"),
        ({"key_ops": ("import",)}, "key_ops"),
        ({"tags": {f"tag{number}": "" for number in range(16)}}, "tags"),
        ({"not_before": START + DAY, "expires": START + DAY}, "attributes.exp"),
        ({"exportable": True}, "release_policy"),
        ({"release_policy": POLICY}, "release_policy"),
        ({"exportable": True, "release_policy": replace(POLICY, data="[]")}, "release_policy.data"),
        ({"exportable": True, "release_policy": replace(POLICY, data="{")}, "release_policy.data"),
        ({"exportable": True, "release_policy": replace(POLICY, data="[" * 9999)}, "release_policy.data"),
        ({"exportable": True, "release_policy": replace(POLICY, data=f'"{"x" * 33000}"')}, "release_policy.data"),
        ({"exportable": True, "release_policy": replace(POLICY, content_type="text/plain")}, "release_policy.contentType"),
    ],
)
def test_what_is_said_of_a_key_is_looked_at(deployment: Deployment, settings: dict[str, Any], field: str) -> None:
    """When it is made, and when it is changed."""
    with pytest.raises(BadParameter) as caught:
        create(deployment, **settings)
    assert caught.value.field == field
    create(deployment, "k")
    with pytest.raises(BadParameter):
        update(deployment, **settings)


def test_all_that_is_said_of_a_key_is_kept(deployment: Deployment) -> None:
    """Operations once each, attributes, tags, and the policy under which it may leave."""
    said: dict[str, Any] = {"key_ops": ("sign", "export", "sign"), "enabled": False, "tags": {"a": "b"}}
    times: dict[str, Any] = {"not_before": START, "expires": START + 90 * DAY}
    made = create(deployment, exportable=True, release_policy=POLICY, **said, **times)
    assert made.key_ops == ("sign", "export")
    assert (made.attributes.enabled, made.attributes.not_before, made.attributes.expires) == (False, START, START + 90 * DAY)
    assert (made.tags, made.exportable, made.release_policy) == ({"a": "b"}, True, POLICY)
    assert made.notice_at == START + 90 * DAY - NEAR_EXPIRY
    assert get(deployment) == made


def test_the_release_policy_that_goes_on_is_the_one_of_now(deployment: Deployment) -> None:
    """Its owner may change it while the key of the next version is made."""
    house, vault = deployment.house, deployment.vault
    create(deployment, exportable=True, release_policy=POLICY)
    stricter = replace(POLICY, data=RELEASE_RULES.replace("snp", "tdx"), immutable=True)

    def make(version: str) -> Material:
        update(deployment, release_policy=stricter)
        return house.materials.make(vault, "k", version, KeyKind("EC", curve="P-256"))

    settings = KeySettings(exportable=True)
    made = house.key_life.creation._store_version(
        vault, "k", KeyKind("EC", curve="P-256"), settings, make, "create", in_hsm=False
    )
    assert made.release_policy == get(deployment).release_policy == stricter


def test_a_name_that_is_taken_gets_a_new_version(deployment: Deployment, clock: FakeClock) -> None:
    """Its name keeps its case, the old version stays as it was, and each is told of once."""
    first = create(deployment, "Key")
    clock.advance(DAY)
    second = create(deployment, "KEY", WantedKey("oct"))
    assert (second.name, second.attributes.created) == ("Key", START + DAY)
    assert get(deployment, "key") == second
    assert get(deployment, "key", first.version) == first
    versions = deployment.house.keys.versions(deployment.administrator, deployment.vault, "key", None, 25).items
    assert {version.version for version in versions} == {first.version, second.version}
    told = [event for event in deployment.events() if event.type is EventType.KEY_NEW_VERSION]
    assert [(event.name, event.version) for event in told] == [("Key", first.version), ("Key", second.version)]
    assert told[0].detail == {"vault": "contoso", "reason": "create", "nbf": "", "exp": ""}


def test_an_exportable_key_is_followed_under_its_policy(deployment: Deployment) -> None:
    """Only the first exportable version needs a policy; one that is not exportable has none."""
    create(deployment, exportable=True, release_policy=POLICY)
    assert create(deployment, exportable=True).release_policy == POLICY
    plain = create(deployment)
    assert (plain.exportable, plain.release_policy) == (False, None)


def test_an_imported_key_is_what_it_was(deployment: Deployment) -> None:
    """A key that was made elsewhere signs here; what it may do comes with it."""
    made = create(deployment, "elsewhere", key_ops=("sign",))
    private = deployment.house.materials.private(made)
    creation, caller, vault = deployment.house.key_life.creation, deployment.administrator, deployment.vault
    taken = creation.import_(caller, vault, "k", ArrivingKey("EC", ec_jwk(private)), KeySettings(key_ops=("verify",)))
    assert (taken.kty, taken.public_key, taken.key_ops) == ("EC", made.public_key, ("verify",))
    assert deployment.house.materials.private(get(deployment)) == private
    octets = creation.import_(caller, vault, "octets", ArrivingKey("oct", OCT))
    assert deployment.house.materials.private(octets) == b"0123456789abcdef"
    assert [event.detail["reason"] for event in deployment.events()] == ["create", "import", "import"]


def ec_jwk(private: bytes) -> dict[str, str]:
    """Show a key of P-256 as a private JWK."""
    key = load_der_private_key(private, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    numbers = key.private_numbers()
    point = numbers.public_numbers
    shown = {name: base64url(number.to_bytes(32, "big")) for name, number in (("x", point.x), ("y", point.y))}
    return {**shown, "crv": "P-256", "d": base64url(numbers.private_value.to_bytes(32, "big"))}


@pytest.mark.parametrize(
    ("arriving", "field"),
    [
        (ArrivingKey("oct", {}), "key.k"),
        (ArrivingKey("oct", {"k": "AAAA"}), "key.k"),
        (ArrivingKey("EC", {"crv": "P-256"}), "key.x"),
        (ArrivingKey("RSA", {"n": "AQAB"}), "key.e"),
        (ArrivingKey("RSA-HSM", {"key_hsm": "AQAB"}), "key.key_hsm"),
        (ArrivingKey("OKP", {"x": "AQAB"}), "key.kty"),
        (ArrivingKey("oct-HSM", OCT), "kty"),
        (ArrivingKey("oct", OCT, in_hsm=True), "kty"),
    ],
)
def test_an_unsound_import_is_refused(deployment: Deployment, arriving: ArrivingKey, field: str) -> None:
    """Before anything is written."""
    with pytest.raises(BadParameter) as caught:
        deployment.house.key_life.creation.import_(deployment.administrator, deployment.vault, "k", arriving)
    assert caught.value.field == field
    assert deployment.events() == ()


@pytest.mark.parametrize(("sku", "words"), [(Sku.STANDARD, "premium SKU"), (Sku.PREMIUM, "no hardware token")])
@pytest.mark.parametrize("kty", ["RSA-HSM", "EC-HSM", "oct-HSM"])
def test_a_key_of_a_token_is_never_a_software_key(deployment: Deployment, kty: str, sku: Sku, words: str) -> None:
    """Where there is no token the error says so, and in a standard vault that it is one."""
    vault = replace(deployment.vault, sku=sku)
    with pytest.raises(BadParameter, match=words):
        deployment.house.key_life.creation.create(deployment.administrator, vault, "k", WantedKey(kty))
    with pytest.raises(BadParameter, match="never leaves"):
        deployment.house.key_life.creation.create(deployment.administrator, vault, "k", WantedKey(kty), EXPORTABLE)


def test_an_update_changes_what_it_names(deployment: Deployment, clock: FakeClock) -> None:
    """And leaves the rest; the key and its creation never change."""
    made = create(deployment, tags={"a": "b"}, expires=START + 90 * DAY)
    clock.advance(DAY)
    changed = update(deployment, enabled=False)
    assert changed == replace(made, attributes=replace(made.attributes, updated=START + DAY, enabled=False))
    changed = update(deployment, made.version, key_ops=(), tags={}, not_before=START)
    assert (changed.key_ops, changed.tags, changed.attributes.enabled) == ((), {}, False)
    assert changed.notice_at == made.notice_at
    assert get(deployment) == changed


def test_a_new_end_is_a_new_notice(deployment: Deployment) -> None:
    """Of the version that was changed."""
    first = create(deployment)
    second = create(deployment)
    assert update(deployment, first.version, expires=START + 40 * DAY).notice_at == START + 10 * DAY
    assert update(deployment, expires=START + 50 * DAY).notice_at == START + 20 * DAY
    assert get(deployment, version=second.version).notice_at == START + 20 * DAY


def test_a_release_policy_changes_until_it_is_immutable(deployment: Deployment) -> None:
    """From then on only the same one is taken; whether a key may leave never changes."""
    create(deployment, exportable=True, release_policy=POLICY)
    fixed = KeyReleasePolicy(POLICY.content_type, RELEASE_RULES.replace("snp", "sgx"), immutable=True)
    assert update(deployment, release_policy=fixed, exportable=True).release_policy == fixed
    assert update(deployment, release_policy=fixed).release_policy == fixed
    with pytest.raises(BadParameter, match="immutable"):
        update(deployment, release_policy=POLICY)
    with pytest.raises(BadParameter, match="immutable"):
        update(deployment, release_policy=replace(fixed, immutable=False))
    with pytest.raises(BadParameter, match="cannot be changed"):
        update(deployment, exportable=False)


def test_what_is_not_there_cannot_be_changed(deployment: Deployment) -> None:
    """Neither a key nor a version of it."""
    with pytest.raises(KeyNotFound):
        update(deployment, enabled=False)
    create(deployment)
    with pytest.raises(KeyNotFound, match=f"k/versions/{'0' * 32}"):
        update(deployment, "0" * 32, enabled=False)


def test_a_deleted_key_is_out_of_sight_and_comes_back(deployment: Deployment, clock: FakeClock) -> None:
    """It holds its name until it is purged, and is what it was when it is recovered."""
    made = create(deployment)
    deletions, who = deployment.house.key_life.deletions, (deployment.administrator, deployment.vault)
    clock.advance(DAY)
    deleted = deletions.delete(*who, "K")
    assert deleted.head.deletion is not None
    assert (deleted.head.deletion.deleted_at, deleted.head.deletion.purge_at) == (START + DAY, START + 91 * DAY)
    with pytest.raises(KeyNotFound):
        get(deployment)
    with pytest.raises(KeyNotFound):
        update(deployment)
    with pytest.raises(KeyNotFound):
        deletions.delete(*who, "k")
    with pytest.raises(DeletedButRecoverable, match="Key k is currently in a deleted but recoverable state"):
        create(deployment)
    assert deployment.house.keys.versions(*who, "k", None, 25).items == ()
    assert deletions.deleted(*who, "k") == deleted
    assert deletions.list_deleted(*who, None, 25).items == (deleted,)
    assert deletions.recover(*who, "k").version == made
    assert get(deployment) == made
    with pytest.raises(NotDeleted, match="Key exists already: k"):
        deletions.recover(*who, "k")
    with pytest.raises(NotDeleted):
        deletions.purge(*who, "k")
    deletions.delete(*who, "k")
    deletions.purge(*who, "k")
    for again in (deletions.deleted, deletions.recover, deletions.purge):
        with pytest.raises(KeyNotFound, match="Deleted Key not found: k"):
            again(*who, "k")
    assert create(deployment).version != made.version


def test_purge_protection_holds(deployment: Deployment) -> None:
    """Nobody purges a key of such a vault, and the worker does when its time has come."""
    create(deployment)
    vault = deployment.vault
    with deployment.house.store.writing() as writer:
        writer.replace_vault(replace(vault, purge_protection=True))
    deletions = deployment.house.key_life.deletions
    deletions.delete(deployment.administrator, vault, "k")
    with pytest.raises(PurgeProtected, match="purge protection is enabled"):
        deletions.purge(deployment.administrator, vault, "k")


def test_the_key_of_a_certificate_is_left_to_it(deployment: Deployment) -> None:
    """It is shown, and neither followed, changed, rotated nor deleted alone; nor is a key put where one is to come."""
    deployment.create("k", policy_for("web.test", "Self"))
    deployment.create("pending", policy_for("web.test", IssuerParameters("Unknown").name))
    life, who = deployment.house.key_life, (deployment.administrator, deployment.vault)
    for name in ("k", "pending"):
        with pytest.raises(Conflict, match="belongs to a certificate"):
            create(deployment, name)
    for refused in (
        lambda: update(deployment, enabled=False),
        lambda: life.deletions.delete(*who, "k"),
        lambda: life.rotations.rotate(*who, "k"),
        lambda: life.rotations.policy(*who, "k"),
    ):
        with pytest.raises(Forbidden, match="managed"):
            refused()
    assert get(deployment).managed
    deployment.house.certificates.delete(*who, "k")
    assert life.deletions.deleted(*who, "k").version.managed
    for refused in (lambda: life.deletions.recover(*who, "k"), lambda: life.deletions.purge(*who, "k")):
        with pytest.raises(Forbidden, match="managed"):
            refused()


def test_whoever_may_not_is_refused(deployment: Deployment) -> None:
    """Every method asks for a permission, before it looks at anything else."""
    house, vault, nobody = deployment.house, deployment.vault, Caller("nobody", "app", deployment.vault.tenant_id)
    life = house.key_life
    asked: dict[str, Callable[[], object]] = {
        "keys/create/action": lambda: life.creation.create(nobody, vault, "k", WantedKey("wrong")),
        "keys/import/action": lambda: life.creation.import_(nobody, vault, "k", ArrivingKey("wrong", {})),
        "keys/update/action": lambda: life.updates.update(nobody, vault, "k", None, KeySettings()),
        "keys/delete": lambda: life.deletions.delete(nobody, vault, "k"),
        "keys/read": lambda: life.deletions.deleted(nobody, vault, "k"),
        "keys/recover/action": lambda: life.deletions.recover(nobody, vault, "k"),
        "keys/purge/action": lambda: life.deletions.purge(nobody, vault, "k"),
        "keys/rotate/action": lambda: life.rotations.rotate(nobody, vault, "k"),
        "keyrotationpolicies/read": lambda: life.rotations.policy(nobody, vault, "k"),
    }
    for action, ask in asked.items():
        with pytest.raises(Forbidden, match=f"vaults/{action}'"):
            ask()


def test_nothing_of_a_private_key_is_shown(deployment: Deployment) -> None:
    """Neither in a record's text nor in an event."""
    members = ec_jwk(deployment.house.materials.private(create(deployment, "elsewhere")))
    arriving = ArrivingKey("EC", members)
    taken = deployment.house.key_life.creation.import_(deployment.administrator, deployment.vault, "k", arriving)
    texts = f"{arriving!r} {taken!r} {deployment.events()!r}"
    assert members["d"] not in texts
    assert deployment.house.materials.private(taken).hex() not in texts
    assert public_jwk(taken.public_key)["x"] == members["x"]
