"""A process dies while a key is made, changed or deleted: what it was at is done whole afterwards, or not at all."""

from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType
from typing import Final

import pytest

from certworker.crypto.keys import base64url
from certworker.vault.events import Event
from certworker.vault.key_creation import ArrivingKey, WantedKey
from certworker.vault.key_settings import KeySettings
from certworker.vault.objects import KeyVersion, ObjectHead, ObjectKind
from certworker.vault.rotation_policy import KeyRotation, RotationPolicy
from tests.stories.test_crash import Killed, MortalStore
from tests.support.clock import START, FakeClock
from tests.support.deployment import Deployment, open_deployment

Act = Callable[[Deployment], object]
State = tuple[ObjectHead | None, tuple[KeyVersion, ...], KeyRotation | None, tuple[Event, ...]]
POLICY: Final = RotationPolicy(rotate_after_create="P3M", expiry_time="P1Y")


def create(deployment: Deployment) -> None:
    """Make a key, or its next version."""
    life, who = deployment.house.key_life, (deployment.administrator, deployment.vault)
    life.creation.create(*who, "k", WantedKey("EC"), KeySettings(expires=START.replace(year=2027)))


def import_(deployment: Deployment) -> None:
    """Take one in."""
    life, who = deployment.house.key_life, (deployment.administrator, deployment.vault)
    life.creation.import_(*who, "k", ArrivingKey("oct", {"k": base64url(b"0123456789abcdef")}))


def update(deployment: Deployment) -> None:
    """Change what is in three places: attributes, operations, and with the end its plans."""
    life, who = deployment.house.key_life, (deployment.administrator, deployment.vault)
    settings = KeySettings(("sign",), enabled=False, expires=START.replace(year=2028), tags={"a": "b"})
    life.updates.update(*who, "k", None, settings)


def set_policy(deployment: Deployment) -> None:
    """Set a policy, by which the notice is planned anew as well."""
    life, who = deployment.house.key_life, (deployment.administrator, deployment.vault)
    life.rotations.set_policy(*who, "k", RotationPolicy(rotate_after_create="P1M", notify_before_expiry="P60D"))


def rotate(deployment: Deployment) -> None:
    """Rotate it."""
    deployment.house.key_life.rotations.rotate(deployment.administrator, deployment.vault, "k")


def delete(deployment: Deployment) -> None:
    """Delete it."""
    deployment.house.key_life.deletions.delete(deployment.administrator, deployment.vault, "k")


def recover(deployment: Deployment) -> None:
    """Bring it back."""
    deployment.house.key_life.deletions.recover(deployment.administrator, deployment.vault, "k")


def purge(deployment: Deployment) -> None:
    """Delete it for good."""
    deployment.house.key_life.deletions.purge(deployment.administrator, deployment.vault, "k")


def a_key(deployment: Deployment) -> None:
    """Have a key with a policy."""
    create(deployment)
    deployment.house.key_life.rotations.set_policy(deployment.administrator, deployment.vault, "k", POLICY)


def a_deleted_key(deployment: Deployment) -> None:
    """Have one that is deleted."""
    a_key(deployment)
    delete(deployment)


def nothing(_deployment: Deployment) -> None:
    """Have none."""


STORIES: Final = MappingProxyType(
    {
        "create": (nothing, create),
        "create a version": (a_key, create),
        "import": (nothing, import_),
        "import a version": (a_key, import_),
        "update": (a_key, update),
        "set a policy": (a_key, set_policy),
        "rotate": (a_key, rotate),
        "delete": (a_key, delete),
        "recover": (a_deleted_key, recover),
        "purge": (a_deleted_key, purge),
    }
)


def state_of(deployment: Deployment) -> State:
    """Read all that there is of the key."""
    with deployment.house.store.reading() as reader:
        head = reader.head(deployment.vault.id, ObjectKind.KEY, "k")
        versions = reader.key_versions(deployment.vault.id, "k", None, 25).items
        rotation = reader.rotation(deployment.vault.id, "k")
    return head, versions, rotation, deployment.events()


@pytest.mark.parametrize("committed", [False, True], ids=["before the commit", "after the commit"])
@pytest.mark.parametrize("story", STORIES)
def test_it_is_done_whole_or_not_at_all(tmp_path: Path, clock: FakeClock, story: str, *, committed: bool) -> None:
    """Every change of a key is one transaction."""
    prepare, act = STORIES[story]
    with open_deployment(tmp_path, clock) as deployment:
        prepare(deployment)
        before = state_of(deployment)
    opened = open_deployment(tmp_path, clock, wrap=lambda store: MortalStore(store, 1, committed=committed))
    with pytest.raises(Killed), opened as deployment:
        act(deployment)
    with open_deployment(tmp_path, clock) as deployment:
        if not committed:
            assert state_of(deployment) == before
            act(deployment)
        head, versions, rotation, events = after = state_of(deployment)
        assert after != before
        assert (head is None) == (story == "purge")
        more = story in {"create", "import", "rotate"} or "version" in story
        assert len(versions) == (0 if story == "purge" else len(before[1]) + more)
        assert (rotation is None) == (before[2] is None or story == "purge")
        assert len(events) == len(before[3]) + (story not in {"update", "set a policy"})
        for key in versions:
            assert deployment.house.materials.use(key)
        if head:
            assert head.current_version in {key.version for key in versions}
