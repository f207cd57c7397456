"""A backup holds a secret whole, opens only where it was made, and is put back whole or not at all."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from certworker.errors import BadParameter, Conflict, DeletedButRecoverable, Forbidden, SealBroken, SecretNotFound
from certworker.vault.access import Caller
from certworker.vault.backup_format import MAX_BACKUP, MAX_VERSIONS
from certworker.vault.events import EventType
from certworker.vault.objects import ObjectKind, SecretVersion, new_version
from certworker.vault.rights.built_in_roles import KEY_VAULT_ADMINISTRATOR
from certworker.vault.rights.scopes import vault_scope
from certworker.vault.secrets import MAX_VALUE, NewSecret, SecretUpdate
from certworker.vault.vaults import Vault
from tests.support.clock import START, FakeClock
from tests.support.deployment import Deployment, open_deployment, policy_for
from tests.support.operations import assign
from tests.vault.test_certificate_backups import open_vault
from tests.vault.test_resealing import rotate, rotate_vaults
from tests.vault.test_secrecy import check_unreadable

VALUE = "correct horse battery staple"
EXPIRES = START + timedelta(days=60)


def backup_of(deployment: Deployment, name: str = "db") -> bytes:
    """Back up, as the administrator."""
    return deployment.house.backups.secrets.backup(deployment.administrator, deployment.vault, name)


def restore(deployment: Deployment, backup: bytes, vault: Vault | None = None) -> SecretVersion:
    """Restore, as the administrator."""
    return deployment.house.backups.secrets.restore(deployment.administrator, vault or deployment.vault, backup)


def purge(deployment: Deployment) -> None:
    """Delete for good."""
    secrets, who = deployment.house.secrets, (deployment.administrator, deployment.vault, "db")
    secrets.delete(*who)
    secrets.purge(*who)


def whole(deployment: Deployment, vault: Vault) -> list[object]:
    """Give all that there is of the secret, without what names the vault or is of a seal."""
    secrets, who = deployment.house.secrets, (deployment.administrator, vault, "db")
    found: list[object] = []
    for version in secrets.versions(*who, None, 25).items:
        value = secrets.get(*who, version.version).value if version.attributes.enabled else None
        found.append((replace(version, vault_id="", sealed_value=b"", notice_at=None), value))
    with deployment.house.store.reading() as reader:
        head = reader.head(vault.id, ObjectKind.SECRET, "db")
    assert head is not None
    return [*found, replace(head, vault_id="")]


@pytest.fixture
def db(deployment: Deployment, clock: FakeClock) -> bytes:
    """Make a secret with three versions, one of them disabled; give a backup of it."""
    secrets, who = deployment.house.secrets, (deployment.administrator, deployment.vault)
    secrets.set(*who, "Db", NewSecret(VALUE, "text/plain", not_before=START, expires=EXPIRES, tags={"team": "ä"}))
    clock.advance(timedelta(days=1))
    secrets.set(*who, "db", NewSecret("\0\n😀"))
    secrets.update(*who, "db", None, SecretUpdate(enabled=False))
    clock.advance(timedelta(days=1))
    secrets.set(*who, "db", NewSecret("x" * MAX_VALUE, expires=EXPIRES))
    return backup_of(deployment)


def test_it_comes_back_as_it_was(deployment: Deployment, db: bytes, clock: FakeClock) -> None:
    """Versions, times, tags and values; in its own vault once it is purged, and in another; one event tells of it."""
    before, other = whole(deployment, deployment.vault), open_vault(deployment, "other")
    clock.advance(timedelta(days=3))
    last = deployment.house.fleet.last_event()
    current = restore(deployment, db, other)
    assert current.name == "Db"
    (told,) = deployment.house.fleet.events(last)
    assert (told.type, told.vault_id, told.version) == (EventType.SECRET_NEW_VERSION, other.id, current.version)
    assert (told.at, told.detail["reason"], told.detail["exp"]) == (clock(), "restore", str(int(EXPIRES.timestamp())))
    purge(deployment)
    restore(deployment, db)
    for vault in (deployment.vault, other):
        assert whole(deployment, vault) == before
        opened = deployment.house.secrets.get(deployment.administrator, vault, "db")
        assert opened.secret.notice_at == EXPIRES - timedelta(days=30)


def test_a_backup_tells_nothing(deployment: Deployment, db: bytes, tmp_path: Path) -> None:
    """No value can be read in it, two of the same are not alike, and what is put back is sealed."""
    for form in (VALUE.encode(), b"x" * 40, b"Db", b"text/plain"):
        assert form not in db
    assert db != backup_of(deployment)
    purge(deployment)
    restore(deployment, db)
    check_unreadable(tmp_path, VALUE.encode(), b"x" * 40)


def test_a_name_that_is_taken_is_a_conflict(deployment: Deployment, db: bytes) -> None:
    """By a secret, a deleted one, or a certificate; nothing has changed then."""
    before = whole(deployment, deployment.vault)
    with pytest.raises(Conflict, match="Secret Db already exists"):
        restore(deployment, db)
    assert whole(deployment, deployment.vault) == before
    secrets, who = deployment.house.secrets, (deployment.administrator, deployment.vault, "db")
    secrets.delete(*who)
    with pytest.raises(DeletedButRecoverable):
        restore(deployment, db)
    secrets.purge(*who)
    deployment.create("DB", policy_for("db.test", "Unknown"))
    with pytest.raises(Conflict, match="belongs to a certificate"):
        restore(deployment, db)
    with deployment.house.store.reading() as reader:
        assert reader.head(deployment.vault.id, ObjectKind.SECRET, "db") is None


def test_it_opens_only_where_it_was_made(deployment: Deployment, db: bytes, tmp_path: Path, clock: FakeClock) -> None:
    """In another deployment, in another subscription, and as another kind of object it is refused, in words."""
    purge(deployment)
    abroad = open_vault(deployment, "abroad", subscription_id=str(uuid4()))
    assign(deployment.house, deployment.administrator.object_id, KEY_VAULT_ADMINISTRATOR, vault_scope(abroad))
    with pytest.raises(BadParameter, match="made in another subscription"):
        restore(deployment, db, abroad)
    who = (deployment.administrator, deployment.vault)
    for other in (deployment.house.backups.certificates, deployment.house.backups.keys):
        with pytest.raises(BadParameter, match="it is a backup of a secret, and not of a"):
            other.restore(*who, db)
    (tmp_path / "elsewhere").mkdir()
    with open_deployment(tmp_path / "elsewhere", clock) as elsewhere:
        with pytest.raises(BadParameter, match="made by another deployment"):
            restore(elsewhere, db)
        assert elsewhere.house.secrets.list_(elsewhere.administrator, elsewhere.vault, None, 25).items == ()
    restore(deployment, db)


def test_it_outlives_the_keys_that_it_was_sealed_under(
    deployment: Deployment, db: bytes, tmp_path: Path, clock: FakeClock
) -> None:
    """After a rotation of the vault keys, and one of the master key, it opens in a process that has seen neither before."""
    before = whole(deployment, deployment.vault)
    purge(deployment)
    rotate_vaults(deployment, anew=True)
    rotate(deployment, tmp_path)
    rotate_vaults(deployment, anew=True)
    with open_deployment(tmp_path, clock) as fresh:
        restore(fresh, db)
        assert whole(fresh, fresh.vault) == before
        newer = backup_of(fresh)
        purge(fresh)
    restore(deployment, newer)
    assert whole(deployment, deployment.vault) == before


def test_no_byte_of_it_can_be_changed(deployment: Deployment, db: bytes) -> None:
    """Wherever a bit is turned over, or the end is missing, it is refused, and nothing changes."""
    last = deployment.house.fleet.last_event()
    for place in (*range(90), *range(90, len(db), 997), len(db) - 1):
        altered = bytearray(db)
        altered[place] ^= 1 << place % 8
        with pytest.raises(BadParameter):
            restore(deployment, bytes(altered))
        with pytest.raises(BadParameter):
            restore(deployment, db[:place])
    assert deployment.house.fleet.last_event() == last


def test_the_largest_comes_back(deployment: Deployment, db: bytes) -> None:
    """500 versions are taken along, in no more bytes than a restore takes; one more cannot be backed up."""
    assert db
    store = deployment.house.store
    with store.reading() as reader:
        known = reader.secret(deployment.vault.id, "db", None)
    assert known is not None
    value = deployment.house.secrets.get(deployment.administrator, deployment.vault, "db").value.encode()
    assert MAX_VERSIONS * MAX_VALUE < MAX_BACKUP
    with store.writing() as writer:
        for _ in range(MAX_VERSIONS - 3):
            version = new_version()
            place = f"{known.vault_id}/secret/DB/{version}"
            sealed = deployment.house.keyring.seal(known.vault_id, value, place)
            writer.add_secret(replace(known, version=version, sealed_value=sealed))
    backup = backup_of(deployment)
    with store.writing() as writer:
        writer.add_secret(replace(known, version=new_version()))
    with pytest.raises(BadParameter, match="more than 500 versions"):
        backup_of(deployment)
    purge(deployment)
    restore(deployment, backup)
    with store.reading() as reader:
        assert len(reader.secret_versions(known.vault_id, "db", None, 600).items) == MAX_VERSIONS


def test_what_cannot_be_backed_up(deployment: Deployment, db: bytes) -> None:
    """What is not there, is deleted, or belongs to a certificate; and by whom."""
    assert db
    deployment.create("web", policy_for("web.test", "Self"))
    with pytest.raises(Forbidden, match="belongs to the certificate"):
        backup_of(deployment, "web")
    deployment.house.secrets.delete(deployment.administrator, deployment.vault, "db")
    for name in ("nobody", "db"):
        with pytest.raises(SecretNotFound):
            backup_of(deployment, name)
    stranger = Caller("nobody", "nothing", "nowhere")
    with pytest.raises(Forbidden, match="secrets backup permission"):
        deployment.house.backups.secrets.backup(stranger, deployment.vault, "db")
    with pytest.raises(Forbidden, match="secrets restore permission"):
        deployment.house.backups.secrets.restore(stranger, deployment.vault, db)


def test_a_broken_seal_is_not_backed_up(deployment: Deployment, db: bytes) -> None:
    """What does not open is no part of a backup: it is refused whole, and not left out."""
    assert db
    with deployment.house.store.writing() as writer:
        writer._connection.exec_driver_sql("UPDATE secret_version SET sealed_value = x'00'")  # type: ignore[attr-defined]
    with pytest.raises(SealBroken):
        backup_of(deployment)
