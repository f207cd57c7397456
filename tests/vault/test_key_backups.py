"""A backup holds a key whole, opens only where it was made, and is put back whole or not at all."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from certworker.crypto.keys import KeyKind
from certworker.errors import BadParameter, Conflict, DeletedButRecoverable, Forbidden, KeyNotFound
from certworker.vault.access import Caller
from certworker.vault.deletions import Deletions
from certworker.vault.events import EventType
from certworker.vault.heads import any_head, begin_version
from certworker.vault.objects import Attributes, KeyReleasePolicy, KeyVersion, ObjectKind, new_version
from certworker.vault.rights.built_in_roles import KEY_VAULT_ADMINISTRATOR
from certworker.vault.rights.scopes import vault_scope
from certworker.vault.rotation_policy import KeyRotation, RotationPolicy
from certworker.vault.vaults import Vault
from tests.support.clock import START, FakeClock
from tests.support.deployment import Deployment, open_deployment, policy_for
from tests.support.operations import assign
from tests.vault.test_certificate_backups import open_vault
from tests.vault.test_secrecy import check_unreadable, forms_of

EXPIRES = START + timedelta(days=365)
KINDS = (KeyKind("RSA", 2048), KeyKind("EC", curve="P-521"), KeyKind("EC", curve="P-256K"), KeyKind("oct", 256))
RELEASE = KeyReleasePolicy("application/json; charset=utf-8", '{"version":"1.0.0","anyOf":[]}', immutable=True)
ROTATION = RotationPolicy(rotate_after_create="P90D", notify_before_expiry="P30D", expiry_time="P1Y")


def add_key(deployment: Deployment, kind: KeyKind, name: str = "Sign", *, enabled: bool = True) -> bytes:
    """Add a version of a key; give its private half."""
    house, vault, version, at = deployment.house, deployment.vault, new_version(), deployment.house.clock()
    material = house.materials.make(vault, name, version, kind)
    key = KeyVersion(
        vault.id,
        name,
        version,
        material.kty,
        material.public_key,
        material.sealed_key,
        ("sign", "verify"),
        Attributes(at, at, enabled, None, EXPIRES),
        exportable=True,
        tags={"team": "ä"},
        release_policy=RELEASE,
    )
    with house.store.writing() as writer:
        begin_version(writer, vault, ObjectKind.KEY, name, version, at)
        writer.add_key(key)
    return house.materials.private(key)


def backup_of(deployment: Deployment, name: str = "sign") -> bytes:
    """Back up, as the administrator."""
    return deployment.house.backups.keys.backup(deployment.administrator, deployment.vault, name)


def restore(deployment: Deployment, backup: bytes, vault: Vault | None = None) -> KeyVersion:
    """Restore, as the administrator."""
    return deployment.house.backups.keys.restore(deployment.administrator, vault or deployment.vault, backup)


def delete(deployment: Deployment, *, purged: bool) -> None:
    """Delete, for good or not."""
    vault, at, deletions = deployment.vault, START, Deletions()
    with deployment.house.store.writing() as writer:
        head = deletions.delete(writer, vault, any_head(writer, vault, ObjectKind.KEY, "sign"), at)
        if purged:
            deletions.purge(writer, vault, head, at)


def whole(deployment: Deployment, vault: Vault) -> list[object]:
    """Give all that there is of the key, without what names the vault or is of a seal."""
    with deployment.house.store.reading() as reader:
        head, rotation = reader.head(vault.id, ObjectKind.KEY, "sign"), reader.rotation(vault.id, "sign")
        versions = reader.key_versions(vault.id, "sign", None, 25).items
    assert head is not None
    assert rotation is not None
    keys = [replace(key, vault_id="", sealed_key=b"", notice_at=None) for key in versions]
    private = [deployment.house.materials.private(key) for key in versions]
    return [replace(head, vault_id=""), replace(rotation, vault_id="", fence=0), keys, private]


@pytest.fixture
def sign(deployment: Deployment, clock: FakeClock) -> bytes:
    """Make a key with a version of each kind, one of them disabled, and a rotation policy; give a backup of it."""
    for kind in KINDS:
        add_key(deployment, kind, enabled=kind.kty != "RSA")
        clock.advance(timedelta(days=1))
    due = START + timedelta(days=93)
    with deployment.house.store.writing() as writer:
        writer.put_rotation(KeyRotation(deployment.vault.id, "Sign", ROTATION, START, clock(), due))
    return backup_of(deployment)


def test_it_comes_back_as_it_was(deployment: Deployment, sign: bytes, clock: FakeClock) -> None:
    """Versions of every kind, with policies and plan; in its own vault once purged, and in another; one event tells it."""
    before, other = whole(deployment, deployment.vault), open_vault(deployment, "other")
    clock.advance(timedelta(days=3))
    last = deployment.house.fleet.last_event()
    current = restore(deployment, sign, other)
    (told,) = deployment.house.fleet.events(last)
    assert (told.type, told.vault_id, told.version) == (EventType.KEY_NEW_VERSION, other.id, current.version)
    assert (told.at, told.detail["reason"], told.detail["exp"]) == (clock(), "restore", str(int(EXPIRES.timestamp())))
    delete(deployment, purged=True)
    restore(deployment, sign)
    for vault in (deployment.vault, other):
        assert whole(deployment, vault) == before
        with deployment.house.store.reading() as reader:
            key = reader.key(vault.id, "sign", None)
        assert key is not None
        assert key.notice_at == EXPIRES - timedelta(days=30)


def test_a_restored_key_does_what_it_did(deployment: Deployment, sign: bytes) -> None:
    """What was signed before is verified after."""
    add_key(deployment, KeyKind("EC", curve="P-256"))
    with deployment.house.store.reading() as reader:
        known = reader.key(deployment.vault.id, "sign", None)
    assert known is not None
    signature = deployment.house.materials.use(known).sign("ES256", b"d" * 32)
    backup = backup_of(deployment)
    delete(deployment, purged=True)
    back = restore(deployment, backup)
    assert back.sealed_key != known.sealed_key
    assert deployment.house.materials.use(back).verify("ES256", b"d" * 32, signature)
    assert sign


def test_a_backup_tells_nothing(deployment: Deployment, tmp_path: Path) -> None:
    """No private half can be read in it, nor what is put back."""
    private = {kind: add_key(deployment, kind) for kind in KINDS}
    backup = backup_of(deployment)
    delete(deployment, purged=True)
    restore(deployment, backup)
    for kind, key in private.items():
        forms = [key] if kind.kty == "oct" else list(forms_of(key))
        assert not any(form in backup for form in forms)
        check_unreadable(tmp_path, *forms)
    assert b"Sign" not in backup


def test_a_name_that_is_taken_is_a_conflict(deployment: Deployment, sign: bytes) -> None:
    """By a key, a deleted one, or a certificate; nothing has changed then."""
    before = whole(deployment, deployment.vault)
    with pytest.raises(Conflict, match="Key Sign already exists"):
        restore(deployment, sign)
    assert whole(deployment, deployment.vault) == before
    delete(deployment, purged=False)
    with pytest.raises(DeletedButRecoverable, match="Key Sign is currently in a deleted"):
        restore(deployment, sign)
    with deployment.house.store.writing() as writer:
        writer.purge(deployment.vault.id, ObjectKind.KEY, "sign")
    deployment.create("SIGN", policy_for("sign.test", "Unknown"))
    with pytest.raises(Conflict, match="belongs to a certificate"):
        restore(deployment, sign)


def test_it_opens_only_where_it_was_made(deployment: Deployment, sign: bytes, tmp_path: Path, clock: FakeClock) -> None:
    """In another deployment, in another subscription, and as another kind of object it is refused, in words."""
    delete(deployment, purged=True)
    abroad = open_vault(deployment, "abroad", subscription_id=str(uuid4()))
    assign(deployment.house, deployment.administrator.object_id, KEY_VAULT_ADMINISTRATOR, vault_scope(abroad))
    with pytest.raises(BadParameter, match="made in another subscription"):
        restore(deployment, sign, abroad)
    for other in (deployment.house.backups.certificates, deployment.house.backups.secrets):
        with pytest.raises(BadParameter, match="it is a backup of a key, and not of a"):
            other.restore(deployment.administrator, deployment.vault, sign)
    (tmp_path / "elsewhere").mkdir()
    with (
        open_deployment(tmp_path / "elsewhere", clock) as elsewhere,
        pytest.raises(BadParameter, match="made by another deployment"),
    ):
        restore(elsewhere, sign)
    for place in (*range(90), *range(90, len(sign), 97)):
        altered = bytearray(sign)
        altered[place] ^= 1 << place % 8
        with pytest.raises(BadParameter):
            restore(deployment, bytes(altered))
    restore(deployment, sign)


def test_a_key_in_a_token_never_leaves_it(deployment: Deployment, sign: bytes) -> None:
    """One version that lies there is enough to be refused, in words."""
    assert sign
    with deployment.house.store.writing() as writer:
        known = writer.key(deployment.vault.id, "sign", None)
        assert known is not None
        writer.add_key(replace(known, version=new_version(), kty="oct-HSM", hsm_key_id="0" * 32))
    with pytest.raises(Forbidden, match="lies in a hardware token, which it cannot leave"):
        backup_of(deployment)


def test_what_cannot_be_backed_up(deployment: Deployment, sign: bytes) -> None:
    """What is not there, is deleted, or belongs to a certificate; and by whom."""
    deployment.create("web", policy_for("web.test", "Self"))
    with pytest.raises(Forbidden, match="belongs to the certificate"):
        backup_of(deployment, "web")
    delete(deployment, purged=False)
    for name in ("nobody", "sign"):
        with pytest.raises(KeyNotFound):
            backup_of(deployment, name)
    stranger = Caller("nobody", "nothing", "nowhere")
    with pytest.raises(Forbidden, match="keys backup permission"):
        deployment.house.backups.keys.backup(stranger, deployment.vault, "sign")
    with pytest.raises(Forbidden, match="keys restore permission"):
        deployment.house.backups.keys.restore(stranger, deployment.vault, sign)
