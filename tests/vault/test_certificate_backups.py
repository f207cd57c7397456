"""A backup holds a certificate whole, opens only where it was made, and is put back whole or not at all."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from certworker.errors import BadParameter, CertificateNotFound, Conflict, DeletedButRecoverable, Forbidden, OperationInProgress
from certworker.vault.access import Caller
from certworker.vault.backup_format import MAX_BACKUP, MAX_VERSIONS
from certworker.vault.imports import Arrival
from certworker.vault.objects import ObjectHead, ObjectKind, new_version
from certworker.vault.policy import PEM, KeyProperties
from certworker.vault.rights.built_in_roles import KEY_VAULT_ADMINISTRATOR
from certworker.vault.rights.scopes import vault_scope
from certworker.vault.updates import Update
from certworker.vault.vaults import Vault
from tests.support.clock import START, FakeClock
from tests.support.deployment import Deployment, check_whole, open_deployment, policy_for
from tests.support.operations import assign
from tests.support.parcels import a_parcel
from tests.vault.test_certificates import NEW_VERSION
from tests.vault.test_secrecy import check_unreadable, forms_of


def open_vault(deployment: Deployment, name: str, **changes: str) -> Vault:
    """Add another vault."""
    vault = replace(deployment.vault, id=uuid4().hex, name=name, **changes)  # type: ignore[arg-type]
    with deployment.house.store.writing() as writer:
        writer.add_vault(vault)
        writer.add_wrapped_key(deployment.house.keyring.new_vault_key(vault.id, START))
    return vault


def backup_of(deployment: Deployment, name: str = "web") -> bytes:
    """Back up, as the administrator."""
    return deployment.house.backups.certificates.backup(deployment.administrator, deployment.vault, name)


def restore(deployment: Deployment, backup: bytes, vault: Vault | None = None) -> None:
    """Restore, as the administrator."""
    deployment.house.backups.certificates.restore(deployment.administrator, vault or deployment.vault, backup)


def purge(deployment: Deployment, name: str = "web") -> None:
    """Delete for good."""
    certificates, who = deployment.house.certificates, (deployment.administrator, deployment.vault, name)
    certificates.delete(*who)
    certificates.purge(*who)


def whole(deployment: Deployment, vault: Vault) -> Iterator[object]:
    """Give all that there is of the certificate `web`, without what names the vault."""
    house, who = deployment.house, (deployment.administrator, vault, "web")
    page = (None, 25)
    yield house.certificates.policy(*who).policy
    yield replace(house.certificates.policy(*who), vault_id="", fence=0)
    yield [replace(version, vault_id="") for version in house.certificates.versions(*who, *page).items]
    yield [replace(key, vault_id="", sealed_key=b"") for key in house.keys.versions(*who, *page).items]
    for secret in house.secrets.versions(*who, *page).items:
        yield replace(secret, vault_id="", sealed_value=b"")
        if secret.attributes.enabled:
            yield house.secrets.get(*who, secret.version).value
    for kind in ObjectKind:
        with house.store.reading() as reader:
            head = reader.head(vault.id, kind, "web")
            assert head is not None
            yield replace(head, vault_id="")


@pytest.fixture
def web(deployment: Deployment, clock: FakeClock) -> bytes:
    """Make a certificate with three versions: made here, imported, disabled; give a backup of it."""
    deployment.create("Web", policy_for("web.test", key=KeyProperties("EC", None, "P-256", exportable=False), content_type=PEM))
    deployment.work()
    clock.advance(timedelta(days=1))
    arrival = Arrival(a_parcel().pem(), tags={"a": "b"}, preserve_order=True)
    deployment.house.imports.import_(deployment.administrator, deployment.vault, "web", arrival)
    deployment.house.updates.update(deployment.administrator, deployment.vault, "web", None, Update(enabled=False))
    deployment.create("web", policy_for("web.test"))
    deployment.work()
    return backup_of(deployment)


def test_it_comes_back_as_it_was(deployment: Deployment, web: bytes, clock: FakeClock) -> None:
    """Versions, times, tags, policy and plan; in its own vault once it is purged, and in another; there are three events."""
    before, other = list(whole(deployment, deployment.vault)), open_vault(deployment, "other")
    clock.advance(timedelta(days=3))
    last = deployment.house.fleet.last_event()
    restore(deployment, web, other)
    told = deployment.house.fleet.events(last)
    assert [(event.type, event.vault_id, event.at, event.detail["reason"]) for event in told] == [
        (kind, other.id, clock(), "restore") for kind in NEW_VERSION
    ]
    purge(deployment)
    restore(deployment, web)
    check_whole(deployment, "web")
    for vault in (deployment.vault, other):
        assert list(whole(deployment, vault)) == before
    assert deployment.get("web").pending is False
    assert deployment.renewal("web").due_at is not None


def test_what_was_restored_is_renewed(deployment: Deployment, web: bytes, clock: FakeClock) -> None:
    """Its plan is the one that it had, and the worker goes by it."""
    purge(deployment)
    restore(deployment, web)
    due = deployment.renewal("web").due_at
    assert due is not None
    clock.set(due)
    deployment.work()
    deployment.work()
    assert len(deployment.versions("web")) == 4
    check_whole(deployment, "web")


def test_a_backup_tells_nothing(deployment: Deployment, web: bytes, tmp_path: Path) -> None:
    """Neither the key nor the name can be read in it, two of the same are not alike, and what is put back is sealed."""
    parcel = a_parcel()
    deployment.house.imports.import_(deployment.administrator, deployment.vault, "other", Arrival(parcel.pem()))
    backup = backup_of(deployment, "other")
    for form in (*forms_of(parcel.key), b"PRIVATE", b"other", parcel.leaf[:40]):
        assert form not in backup
    assert backup != backup_of(deployment, "other")
    purge(deployment, "other")
    restore(deployment, backup)
    check_unreadable(tmp_path, *forms_of(parcel.key), b"PRIVATE KEY")
    assert web[:4] == b"CWBK"


def test_a_name_that_is_taken_is_a_conflict(deployment: Deployment, web: bytes) -> None:
    """By a certificate, a deleted one, a pending one, or somebody's own secret; nothing has changed then."""
    house, vault, caller = deployment.house, deployment.vault, deployment.administrator
    before = list(whole(deployment, vault))
    with pytest.raises(Conflict, match="already exists"):
        restore(deployment, web)
    assert list(whole(deployment, vault)) == before
    house.certificates.delete(caller, vault, "web")
    with pytest.raises(DeletedButRecoverable):
        restore(deployment, web)
    house.certificates.purge(caller, vault, "web")
    operation = deployment.create("WEB", policy_for("web.test", "Unknown"))
    with pytest.raises(OperationInProgress):
        restore(deployment, web)
    house.certificates.delete_operation(caller, vault, "web", operation_id=operation.id)
    with house.store.writing() as writer:
        writer.put_head(ObjectHead(vault.id, ObjectKind.SECRET, "web", None, START))
    with pytest.raises(Conflict, match="not part of a certificate"):
        restore(deployment, web)
    with house.store.reading() as reader:
        assert reader.head(vault.id, ObjectKind.CERTIFICATE, "web") is None
        assert reader.head(vault.id, ObjectKind.KEY, "web") is None


def test_it_opens_only_where_it_was_made(deployment: Deployment, web: bytes, tmp_path: Path, clock: FakeClock) -> None:
    """In another deployment, and in another subscription, it says so."""
    purge(deployment)
    abroad = open_vault(deployment, "abroad", subscription_id=str(uuid4()))
    assign(deployment.house, deployment.administrator.object_id, KEY_VAULT_ADMINISTRATOR, vault_scope(abroad))
    with pytest.raises(BadParameter, match="made in another subscription"):
        restore(deployment, web, abroad)
    (tmp_path / "elsewhere").mkdir()
    with open_deployment(tmp_path / "elsewhere", clock) as elsewhere:
        with pytest.raises(BadParameter, match="made by another deployment"):
            restore(elsewhere, web)
        assert elsewhere.house.certificates.list_(elsewhere.administrator, elsewhere.vault, None, 25).items == ()
    restore(deployment, web)


def test_what_is_no_backup_says_so(deployment: Deployment, web: bytes) -> None:
    """Nothing, junk, a piece, one of a later release, and one whose inside is not what it should be."""
    purge(deployment)
    system, header = deployment.house.founding.system_vault(), web[:38]
    assert system is not None
    sealed = deployment.house.keyring.seal(system.id, b"no zlib", f"{system.id}/backup/{header.hex()}")
    cases = (
        (b"", "no backup"),
        (b"junk" * 100, "no backup"),
        (web[:30], "no backup"),
        (web[:60], "altered, or is cut off"),
        (web[:-1], "altered, or is cut off"),
        (web + b"\0", "altered, or is cut off"),
        (web[:4] + b"\1" + web[5:], "it has the format 1, and this release reads format 2"),
        (web[:37] + b"S" + web[38:], "it is a backup of a secret, and not of a certificate"),
        (web[:37] + b"Z" + web[38:], "a kind that this release does not know"),
        (header + sealed, "cannot be read by this release"),
        (web.ljust(MAX_BACKUP + 1, b"\0"), "no backup"),
    )
    for backup, expected in cases:
        with pytest.raises(BadParameter, match=expected) as refused:
            restore(deployment, backup)
        assert refused.value.field == "value"
    with pytest.raises(CertificateNotFound):
        deployment.get("web")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_no_byte_of_it_can_be_changed(deployment: Deployment, web: bytes, place: float, bit: int) -> None:
    """Whichever bit is turned over, it is refused, and nothing changes."""
    altered = bytearray(web)
    altered[int(place * len(web))] ^= 1 << bit
    other = deployment.house.store
    with pytest.raises(BadParameter):
        restore(deployment, bytes(altered))
    with other.reading() as reader:
        assert reader.last_event() == deployment.house.fleet.last_event()


def test_what_cannot_be_backed_up(deployment: Deployment, web: bytes) -> None:
    """What is not there, is deleted, or has no version; and more versions than a backup holds."""
    deployment.create("pending", policy_for("web.test", "Unknown"))
    for name in ("nobody", "pending"):
        with pytest.raises(CertificateNotFound):
            backup_of(deployment, name)
    version = deployment.get("web").version
    with deployment.house.store.writing() as writer:
        for _ in range(MAX_VERSIONS):
            writer.add_certificate_version(replace(version, version=new_version()))
    with pytest.raises(BadParameter, match="more than 500 versions"):
        backup_of(deployment)
    deployment.house.certificates.delete(deployment.administrator, deployment.vault, "web")
    with pytest.raises(CertificateNotFound):
        backup_of(deployment)
    assert web


def test_strangers_are_refused(deployment: Deployment, web: bytes) -> None:
    """The permissions are backup and restore."""
    stranger = Caller("nobody", "nothing", "nowhere")
    with pytest.raises(Forbidden, match="certificates backup permission"):
        deployment.house.backups.certificates.backup(stranger, deployment.vault, "web")
    with pytest.raises(Forbidden, match="certificates restore permission"):
        deployment.house.backups.certificates.restore(stranger, deployment.vault, web)
