"""A process dies while a secret is set or changed, or a secret or a key is restored: it is there whole, or not at all."""

from collections.abc import Callable
from pathlib import Path

import pytest

from certworker.errors import Conflict, SecretNotFound
from certworker.vault.events import EventType
from certworker.vault.key_creation import WantedKey
from certworker.vault.objects import ObjectKind
from certworker.vault.rotation_policy import RotationPolicy
from certworker.vault.secrets import NewSecret, SecretUpdate
from tests.stories.test_crash import Killed, MortalStore
from tests.support.clock import FakeClock
from tests.support.deployment import Deployment, open_deployment

AT_THE_COMMIT = pytest.mark.parametrize("committed", [False, True], ids=["before the commit", "after the commit"])


def die(folder: Path, clock: FakeClock, act: Callable[[Deployment], object], *, committed: bool) -> None:
    """Act once, in a process that dies at its only write."""
    opened = open_deployment(folder, clock, wrap=lambda store: MortalStore(store, 1, committed=committed))
    with pytest.raises(Killed), opened as deployment:
        act(deployment)


def set_(deployment: Deployment, value: str = "hush") -> None:
    """Set."""
    deployment.house.secrets.set(deployment.administrator, deployment.vault, "db", NewSecret(value, tags={"a": "b"}))


def value_of(deployment: Deployment) -> str:
    """Read the current value."""
    return deployment.house.secrets.get(deployment.administrator, deployment.vault, "db").value


def check_nothing(deployment: Deployment) -> None:
    """Check that there is nothing of the secret."""
    with pytest.raises(SecretNotFound):
        value_of(deployment)
    with deployment.house.store.reading() as reader:
        assert reader.head(deployment.vault.id, ObjectKind.SECRET, "db") is None
        assert reader.secret_versions(deployment.vault.id, "db", None, 25).items == ()


def versions_told(deployment: Deployment) -> int:
    """Count the events of new versions."""
    return sum(event.type is EventType.SECRET_NEW_VERSION for event in deployment.events())


@AT_THE_COMMIT
def test_a_death_during_a_set(tmp_path: Path, clock: FakeClock, *, committed: bool) -> None:
    """Of a new secret, and of a known one's next version: head, version and event together."""
    with open_deployment(tmp_path, clock):
        pass
    die(tmp_path, clock, set_, committed=committed)
    with open_deployment(tmp_path, clock) as deployment:
        assert versions_told(deployment) == int(committed)
        if committed:
            assert value_of(deployment) == "hush"
        else:
            check_nothing(deployment)
        set_(deployment, "second")
    die(tmp_path, clock, lambda deployment: set_(deployment, "third"), committed=committed)
    with open_deployment(tmp_path, clock) as deployment:
        assert value_of(deployment) == ("third" if committed else "second")
        assert versions_told(deployment) == 1 + 2 * committed
        found = deployment.house.secrets.versions(deployment.administrator, deployment.vault, "db", None, 25)
        assert len(found.items) == 1 + 2 * committed


@AT_THE_COMMIT
def test_a_death_during_an_update(tmp_path: Path, clock: FakeClock, *, committed: bool) -> None:
    """Attributes, tags, content type and notice are of one mind."""
    with open_deployment(tmp_path, clock) as deployment:
        set_(deployment)

    def update(deployment: Deployment) -> None:
        changes = SecretUpdate("text/plain", expires=clock(), tags={})
        deployment.house.secrets.update(deployment.administrator, deployment.vault, "db", None, changes)

    die(tmp_path, clock, update, committed=committed)
    with open_deployment(tmp_path, clock) as deployment:
        found = deployment.house.secrets.get(deployment.administrator, deployment.vault, "db").secret
        changed = (found.content_type, found.tags, found.attributes.expires, found.notice_at)
        assert changed == (("text/plain", {}, clock(), clock()) if committed else (None, {"a": "b"}, None, None))


@AT_THE_COMMIT
def test_a_death_during_a_restore(tmp_path: Path, clock: FakeClock, *, committed: bool) -> None:
    """All versions, or none; asked for again, it is there, or in the way of itself."""
    with open_deployment(tmp_path, clock) as deployment:
        who = (deployment.administrator, deployment.vault)
        for value in ("one", "two", "three"):
            set_(deployment, value)
        backup = deployment.house.backups.secrets.backup(*who, "db")
        deployment.house.secrets.delete(*who, "db")
        deployment.house.secrets.purge(*who, "db")

    def restore(deployment: Deployment) -> None:
        deployment.house.backups.secrets.restore(deployment.administrator, deployment.vault, backup)

    die(tmp_path, clock, restore, committed=committed)
    with open_deployment(tmp_path, clock) as deployment:
        if committed:
            with pytest.raises(Conflict):
                restore(deployment)
        else:
            check_nothing(deployment)
            restore(deployment)
        assert value_of(deployment) == "three"
        found = deployment.house.secrets.versions(deployment.administrator, deployment.vault, "db", None, 25)
        assert len(found.items) == 3
        assert versions_told(deployment) == 4


@AT_THE_COMMIT
def test_a_death_during_the_restore_of_a_key(tmp_path: Path, clock: FakeClock, *, committed: bool) -> None:
    """Its versions and its rotation policy together."""
    with open_deployment(tmp_path, clock) as deployment:
        who = (deployment.administrator, deployment.vault)
        deployment.house.key_life.creation.create(*who, "sign", WantedKey("EC"))
        deployment.house.key_life.rotations.set_policy(*who, "sign", RotationPolicy(rotate_after_create="P90D"))
        backup = deployment.house.backups.keys.backup(*who, "sign")
        deployment.house.key_life.deletions.delete(*who, "sign")
        deployment.house.key_life.deletions.purge(*who, "sign")

    def restore(deployment: Deployment) -> None:
        deployment.house.backups.keys.restore(deployment.administrator, deployment.vault, backup)

    die(tmp_path, clock, restore, committed=committed)
    with open_deployment(tmp_path, clock) as deployment:
        with deployment.house.store.reading() as reader:
            found = reader.rotation(deployment.vault.id, "sign"), reader.key(deployment.vault.id, "sign", None)
        assert [part is not None for part in found] == [committed, committed]
        if not committed:
            restore(deployment)
        rotation = deployment.house.key_life.rotations.policy(deployment.administrator, deployment.vault, "sign")
        assert rotation is not None
        assert rotation.policy.rotate_after_create == "P90D"
