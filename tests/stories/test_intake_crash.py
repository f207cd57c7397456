"""A process dies while a certificate is imported, updated or restored: it is there whole afterwards, or not at all."""

from collections.abc import Callable
from pathlib import Path

import pytest

from certworker.errors import CertificateNotFound, Conflict
from certworker.vault.imports import Arrival
from certworker.vault.objects import ObjectKind
from certworker.vault.updates import Update
from tests.stories.test_crash import Killed, MortalStore
from tests.support.clock import FakeClock
from tests.support.deployment import Deployment, check_whole, open_deployment, policy_for
from tests.support.parcels import a_parcel

PARCEL = a_parcel()
AT_THE_COMMIT = pytest.mark.parametrize("committed", [False, True], ids=["before the commit", "after the commit"])


def die(folder: Path, clock: FakeClock, act: Callable[[Deployment], object], *, committed: bool) -> None:
    """Act once, in a process that dies at its only write."""
    opened = open_deployment(folder, clock, wrap=lambda store: MortalStore(store, 1, committed=committed))
    with pytest.raises(Killed), opened as deployment:
        act(deployment)


def import_(deployment: Deployment) -> None:
    """Import."""
    deployment.house.imports.import_(deployment.administrator, deployment.vault, "web", Arrival(PARCEL.pfx()))


def check_nothing(deployment: Deployment) -> None:
    """Check that there is nothing of the certificate, and no event of it."""
    with pytest.raises(CertificateNotFound):
        deployment.get("web")
    with deployment.house.store.reading() as reader:
        assert not any(reader.head(deployment.vault.id, kind, "web") for kind in ObjectKind)


@AT_THE_COMMIT
def test_a_death_during_an_import(tmp_path: Path, clock: FakeClock, *, committed: bool) -> None:
    """Whole with its three events, or not there; asked for again, it is one more version at the most."""
    with open_deployment(tmp_path, clock):
        pass
    die(tmp_path, clock, import_, committed=committed)
    with open_deployment(tmp_path, clock) as deployment:
        assert len(deployment.events()) == (3 if committed else 0)
        if committed:
            check_whole(deployment, "web")
        else:
            check_nothing(deployment)
        import_(deployment)
        check_whole(deployment, "web")
        assert len(deployment.versions("web")) == 1 + committed


@AT_THE_COMMIT
def test_a_death_during_a_restore(tmp_path: Path, clock: FakeClock, *, committed: bool) -> None:
    """All versions, or none; asked for again, it is there, or in the way of itself."""
    with open_deployment(tmp_path, clock) as deployment:
        import_(deployment)
        deployment.create("web", policy_for("web.test", "Self"))
        who = (deployment.administrator, deployment.vault)
        backup, versions = deployment.house.backups.certificates.backup(*who, "web"), deployment.versions("web")
        deployment.house.certificates.delete(*who, "web")
        deployment.house.certificates.purge(*who, "web")

    def restore(deployment: Deployment) -> None:
        deployment.house.backups.certificates.restore(deployment.administrator, deployment.vault, backup)

    die(tmp_path, clock, restore, committed=committed)
    with open_deployment(tmp_path, clock) as deployment:
        if committed:
            with pytest.raises(Conflict):
                restore(deployment)
        else:
            check_nothing(deployment)
            restore(deployment)
        check_whole(deployment, "web")
        assert deployment.versions("web") == versions


@AT_THE_COMMIT
def test_a_death_during_an_update(tmp_path: Path, clock: FakeClock, *, committed: bool) -> None:
    """Certificate, key and secret are of one mind."""
    with open_deployment(tmp_path, clock) as deployment:
        import_(deployment)

    def tag(deployment: Deployment) -> None:
        update = Update(tags={"a": "b"})
        deployment.house.updates.update(deployment.administrator, deployment.vault, "web", None, update)

    die(tmp_path, clock, tag, committed=committed)
    with open_deployment(tmp_path, clock) as deployment:
        check_whole(deployment, "web")
        house, who = deployment.house, (deployment.administrator, deployment.vault, "web")
        tags = {"a": "b"} if committed else {}
        assert deployment.get("web").version.tags == house.keys.get(*who).tags == house.secrets.get(*who).secret.tags == tags
