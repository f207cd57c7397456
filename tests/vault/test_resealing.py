"""New master keys and new vault keys while everything goes on; and a death at every point, after which every secret is read."""

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from certworker.audit.notary import Notary
from certworker.bootstrap import read_master_key
from certworker.crypto.sealing import new_key
from certworker.errors import Conflict, SealBroken, SetupError
from certworker.seal.master_file import MasterFile, next_of, no_wrapping_key
from certworker.seal.rotation import is_unfinished, rotate_master_key
from certworker.settings import SealKind
from certworker.vault.access import SERVICE
from certworker.vault.issuance import Account
from certworker.vault.issuers import Accounts, IssuerParameters
from certworker.vault.keyring import Keyring, MasterKeyInForce, SoftwareMasterKey
from certworker.vault.operations import Evidence
from certworker.vault.places import evidence_place
from certworker.vault.resealing import MasterKeyRotation, VaultKeyRotation, vault_terms
from certworker.vault.sealed_records import SealedKind, SealedRecord
from certworker.vault.store import Store, Writer
from tests.stories.test_crash import MortalStore
from tests.support.clock import FakeClock
from tests.support.deployment import ISSUER, Deployment, open_deployment, policy_for
from tests.support.everything import a_spare_key

MOST_POINTS = 60


def fill(deployment: Deployment) -> None:
    """Put a record of every kind into the vault."""
    house, vault_id = deployment.house, deployment.vault.id
    for name in ("web", "api"):
        deployment.create(name, policy_for(f"{name}.test", "Self"))
    operation = deployment.create("waiting", policy_for("waiting.test"))
    house.issuers.set(SERVICE, deployment.vault, ISSUER, IssuerParameters("Scripted", "account", "credential-of-the-issuer"))
    Accounts(house.store, house.keyring).keep(vault_id, ISSUER, "https://ca.test/", Account(b"account-key"))
    at = house.clock()
    sealed = house.keyring.seal(vault_id, b"evidence", evidence_place(vault_id, operation.id, at))
    Notary(house.store, house.keyring, house.clock).signer()
    with house.store.writing() as writer:
        writer.add_spare_key(a_spare_key(deployment))
        writer.add_evidence(Evidence(operation.id, at, "certificates", sealed))


def records(store: Store) -> list[SealedRecord]:
    """List every sealed record there is, two at a time."""
    found: list[SealedRecord] = []
    with store.reading() as reader:
        for vault in reader.vaults():
            for kind in SealedKind:
                after = None
                while page := reader.sealed_records(vault.id, kind, after, 2):
                    found += page
                    after = page[-1]
    return found


def read_all(deployment: Deployment) -> dict[str, bytes]:
    """Open every sealed record with what a fresh process would know."""
    keyring = Keyring(deployment.house.store, deployment.house.master)
    return {f"{one.place}": keyring.open(one.vault_id, one.sealed, one.place) for one in records(deployment.house.store)}


@pytest.fixture
def filled(tmp_path: Path, clock: FakeClock) -> Iterator[Deployment]:
    """Give a deployment with a record of every kind."""
    with open_deployment(tmp_path, clock) as deployment:
        fill(deployment)
        yield deployment


def file_in(folder: Path) -> MasterFile:
    """Give the master key file of a deployment."""
    return MasterFile(folder / "master.key", SealKind.NONE, no_wrapping_key)


def rotate(deployment: Deployment, folder: Path) -> str:
    """Rotate the master key; give the new one's id."""
    house = deployment.house
    return rotate_master_key(file_in(folder), house.master, MasterKeyRotation(house.store, house.clock)).new


def rotate_vaults(deployment: Deployment, store: Store | None = None, *, anew: bool = False) -> list[tuple[int, int, int]]:
    """Rotate the keys of every vault; give the new term, what was sealed anew, and what remains."""
    house = deployment.house
    rotation = VaultKeyRotation(store or house.store, house.keyring, house.clock, batch=2)
    done = [rotation.rotate(one.vault, anew=anew) for one in vault_terms(house.store)]
    return [(one.term, one.records, one.remaining) for one in done]


def test_every_kind_of_record_is_listed_with_the_place_that_it_opens_at(filled: Deployment) -> None:
    """All nine kinds are there, none is listed twice, and each opens; what is shown of one is its place alone."""
    found = records(filled.house.store)
    assert {one.kind for one in found} == set(SealedKind)
    assert len({(one.kind, one.row) for one in found}) == len(found)
    opened = read_all(filled)
    assert b"evidence" in opened.values()
    assert b"account-key" in opened.values()
    assert b"credential-of-the-issuer" in opened.values()
    assert repr(found[0]) == f"SealedRecord({found[0].place})"


def test_a_new_master_key_wraps_every_vault_key(filled: Deployment, tmp_path: Path, clock: FakeClock) -> None:
    """The old file is gone, a fresh start reads everything, and the old key opens nothing."""
    before, old = read_all(filled), read_master_key(tmp_path / "master.key")
    new = rotate(filled, tmp_path)
    assert new == read_master_key(tmp_path / "master.key").id != old.id
    assert not next_of(tmp_path / "master.key").exists()
    assert (tmp_path / "master.key").stat().st_mode & 0o777 == 0o600
    with filled.house.store.reading() as reader:
        assert reader.master_key_id() == new
        wrapped = [key for vault in reader.vaults() for key in reader.wrapped_keys(vault.id)]
    assert {key.master_key_id for key in wrapped} == {new}
    for key in wrapped:
        with pytest.raises(SealBroken):
            old.unwrap(key.wrapped, f"{key.vault_id}/vault-key/{key.term}")
    with open_deployment(tmp_path, clock) as fresh:
        assert read_all(fresh) == before


def test_a_process_that_runs_takes_the_new_master_key_on(filled: Deployment, tmp_path: Path, clock: FakeClock) -> None:
    """A vault key that it has not opened yet, and a vault that it makes, are under the new key without a restart."""
    before = read_all(filled)
    with open_deployment(tmp_path, clock) as other:
        new = rotate(other, tmp_path)
    assert filled.house.master.id != new
    assert read_all(filled) == before
    assert filled.house.master.id == new
    with open_deployment(tmp_path, clock) as other:
        newest = rotate(other, tmp_path)
    assert rotate_vaults(filled)[0][0] == 2
    with filled.house.store.reading() as reader:
        keys = [key.master_key_id for vault in reader.vaults() for key in reader.wrapped_keys(vault.id)]
    assert set(keys) == {newest}


def test_a_vault_key_that_comes_between_is_wrapped_as_well(filled: Deployment) -> None:
    """What was added after the rotation had looked is seen in its transaction, and it looks again."""
    house, new = filled.house, SoftwareMasterKey(new_key())

    class Interrupted(MasterKeyRotation):
        def _exchange(self, *arguments: Any) -> bool:  # noqa: ANN401
            with house.store.reading() as reader:
                is_first = len(reader.wrapped_keys(filled.vault.id)) == 1
            if is_first:
                with house.store.writing() as writer:
                    writer.add_wrapped_key(house.keyring.new_vault_key(filled.vault.id, house.clock(), 2))
            return super()._exchange(*arguments)

    old = house.master.turn_to(house.master.id)
    assert Interrupted(house.store, house.clock).put_in_force(old, new) == 3
    with house.store.reading() as reader:
        assert [key.master_key_id for key in reader.wrapped_keys(filled.vault.id)] == [new.id, new.id]
    assert MasterKeyRotation(house.store, house.clock).put_in_force(old, new) == 0
    with pytest.raises(SetupError, match=new.id):
        MasterKeyRotation(house.store, house.clock).put_in_force(old, SoftwareMasterKey(new_key()))


def test_vault_keys_that_never_stop_coming_are_told(filled: Deployment) -> None:
    """The rotation gives up in order, and the old key stays in force."""
    house = filled.house

    class Restless(MasterKeyRotation):
        def _exchange(self, *arguments: Any) -> bool:  # noqa: ANN401
            with house.store.writing() as writer:
                term = len(writer.wrapped_keys(filled.vault.id)) + 1
                writer.add_wrapped_key(house.keyring.new_vault_key(filled.vault.id, house.clock(), term))
            return super()._exchange(*arguments)

    with pytest.raises(Conflict):
        Restless(house.store, house.clock).put_in_force(house.master, SoftwareMasterKey(new_key()))
    with house.store.reading() as reader:
        assert reader.master_key_id() == house.master.id


def test_new_vault_keys_seal_every_record_anew(filled: Deployment, tmp_path: Path, clock: FakeClock) -> None:
    """Every record is under the new term and opens as before, here and in a fresh process; the old terms are kept."""
    before, count = read_all(filled), len(records(filled.house.store))
    sealed = {one.sealed for one in records(filled.house.store)}
    done = rotate_vaults(filled)
    assert [term for term, _, _ in done] == [2, 2]
    assert sum(changed for _, changed, _ in done) == count
    assert not any(remaining for _, _, remaining in done)
    found = records(filled.house.store)
    assert {one.sealed[4] for one in found} == {2}
    assert not sealed & {one.sealed for one in found}
    assert read_all(filled) == before
    assert [(one.newest, one.terms, one.under_older) for one in vault_terms(filled.house.store)] == [(2, 2, 0)] * 2
    with open_deployment(tmp_path, clock) as fresh:
        assert read_all(fresh) == before
        assert fresh.work()
        assert fresh.get("waiting").version


def test_a_rotation_that_was_broken_off_is_finished_first(filled: Deployment) -> None:
    """With records under the older term no further term is made, unless it is asked for."""
    vault = filled.vault
    with filled.house.store.writing() as writer:
        writer.add_wrapped_key(filled.house.keyring.new_vault_key(vault.id, filled.house.clock(), 2))
    rotation = VaultKeyRotation(filled.house.store, filled.house.keyring, filled.house.clock)
    done = rotation.rotate(vault)
    assert (done.term, done.is_new_term, done.remaining) == (2, False, 0)
    assert rotation.rotate(vault).term == 3
    with filled.house.store.writing() as writer:
        writer.add_wrapped_key(filled.house.keyring.new_vault_key(vault.id, filled.house.clock(), 4))
    assert rotation.rotate(vault, anew=True).term == 5


def test_a_write_of_somebody_else_is_never_lost(filled: Deployment) -> None:
    """A record that was changed after it was read is left alone, and taken up in the next pass."""
    house, vault = filled.house, filled.vault
    with house.store.reading() as reader:
        (before, *_) = reader.sealed_records(vault.id, SealedKind.SECRET, None, 1)
    theirs = house.keyring.seal(vault.id, b"theirs", before.place)

    class Meddling(VaultKeyRotation):
        def _open_and_seal(self, found: tuple[SealedRecord, ...]) -> tuple[list[tuple[SealedRecord, bytes]], list[str]]:
            fresh = super()._open_and_seal(found)
            if before in found:
                with house.store.writing() as writer:
                    assert writer.exchange_sealed(before, theirs)
            return fresh

    done = Meddling(house.store, house.keyring, house.clock).rotate(vault)
    assert done.remaining == 0
    opened = read_all(filled)
    assert opened[before.place] == b"theirs"
    assert {one.sealed[4] for one in records(house.store) if one.vault_id == vault.id} == {2}


def test_a_record_that_does_not_open_is_named_and_keeps_nobody_up(filled: Deployment) -> None:
    """The others are sealed anew; it stays as it is, and counts as remaining."""
    house, vault = filled.house, filled.vault
    with house.store.reading() as reader:
        (first, *_) = reader.sealed_records(vault.id, SealedKind.SECRET, None, 1)
    altered = first.sealed[:-1] + bytes([first.sealed[-1] ^ 1])
    with house.store.writing() as writer:
        assert writer.exchange_sealed(first, altered)
        assert not writer.exchange_sealed(first, b"too late")
    done = VaultKeyRotation(house.store, house.keyring, house.clock, batch=2).rotate(vault)
    assert (done.broken, done.remaining) == ((first.place,), 1)
    assert {one.sealed[4] for one in records(house.store) if one.place != first.place and one.vault_id == vault.id} == {2}


# --- a death at every point -------------------------------------------------------------------------------------------


class Reaper:
    """Kills this process at the n-th call of those that change files: right before it, or right after it."""

    def __init__(self, dies_at: int, *, after: bool) -> None:
        self.calls = 0
        self._dies_at = dies_at
        self._after = after

    def watch(self, name: str) -> None:
        """Put the call of `os` under watch."""
        real = getattr(os, name)

        def watched(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401
            self.calls += 1
            if self.calls == self._dies_at and not self._after:
                os.kill(os.getpid(), signal.SIGKILL)
            result = real(*arguments, **named)
            if self.calls == self._dies_at:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        setattr(os, name, watched)

    @contextmanager
    def writing(self, store: Store) -> Iterator[Writer]:
        """Count a transaction as one call: death before its commit, or right after it."""
        self.calls += 1
        with store.writing() as writer:
            yield writer
            if self.calls == self._dies_at and not self._after:
                os.kill(os.getpid(), signal.SIGKILL)
        if self.calls == self._dies_at:
            os.kill(os.getpid(), signal.SIGKILL)


class WatchedStore(MortalStore):
    """A store whose transactions the reaper counts."""

    def __init__(self, store: Store, reaper: Reaper) -> None:
        super().__init__(store, MOST_POINTS, committed=False)
        self._reaper = reaper

    def writing(self) -> Any:  # noqa: ANN401
        """Open a transaction, perhaps the last one."""
        return self._reaper.writing(self._store)


def dies(folder: Path, clock: FakeClock, act: Callable[[Deployment], object], n: int, *, after: bool) -> bool:
    """Let a process of its own act until its n-th change; tell whether it came to that."""
    child = os.fork()
    if child == 0:
        reaper = Reaper(n, after=after)
        try:
            with open_deployment(folder, clock, wrap=lambda store: WatchedStore(store, reaper)) as deployment:
                for name in ("replace", "fsync", "open", "link"):
                    reaper.watch(name)
                act(deployment)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


@pytest.mark.long
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("what", ["master", "vaults"])
def test_a_death_at_any_point_loses_nothing(tmp_path: Path, clock: FakeClock, what: str, *, after: bool) -> None:
    """Killed at each change of a file and each transaction, a fresh start reads everything; a second try finishes it."""
    template = tmp_path / "template"
    template.mkdir()
    with open_deployment(template, clock) as deployment:
        fill(deployment)
        before, terms = read_all(deployment), len(vault_terms(deployment.house.store))
    for point in range(1, MOST_POINTS):
        folder = tmp_path / str(point)
        shutil.copytree(template, folder)
        act = partial(rotate, folder=folder) if what == "master" else rotate_vaults
        died = dies(folder, clock, act, point, after=after)
        with open_deployment(folder, clock) as fresh:
            assert read_all(fresh) == before
            with fresh.house.store.reading() as reader:
                assert reader.master_key_id() == read_master_key(folder / "master.key").id
            act(fresh)
            assert read_all(fresh) == before
            assert not any(one.under_older for one in vault_terms(fresh.house.store))
        assert not next_of(folder / "master.key").exists()
        assert [path.name for path in folder.glob("master*")] == ["master.key"]
        if not died:
            break
    assert MOST_POINTS - 1 > point > (10 if what == "master" else 2 * terms)


def test_a_start_finishes_what_a_death_left(tmp_path: Path, clock: FakeClock) -> None:
    """After the transaction the next key is the one in force: it is renamed, by whoever comes first, and the two agree."""
    with open_deployment(tmp_path, clock) as deployment:
        fill(deployment)
        before, source = read_all(deployment), file_in(tmp_path)
        old, new = source.read(None), source.begin_next()
        assert source.begin_next().id == new.id
        MasterKeyRotation(deployment.house.store, clock).put_in_force(old, new)
    assert is_unfinished(source, new.id)
    readers = [MasterKeyInForce(file_in(tmp_path).read, new.id) for _ in range(2)]
    assert {reader.id for reader in readers} == {new.id}
    assert not is_unfinished(source, new.id)
    with open_deployment(tmp_path, clock) as fresh:
        assert read_all(fresh) == before


def test_neither_key_fitting_is_told_by_all_ids(tmp_path: Path, clock: FakeClock) -> None:
    """A start with a key that the database does not want says which one it wants, and changes nothing."""
    with open_deployment(tmp_path, clock) as deployment:
        wanted = deployment.house.master.id
    (tmp_path / "master.key").write_text(new_key().hex())
    file_in(tmp_path).begin_next()
    there = (tmp_path / "master.key").read_text()
    with pytest.raises(SetupError, match=wanted), open_deployment(tmp_path, clock):
        pass
    assert (tmp_path / "master.key").read_text() == there
    (tmp_path / "master.key").unlink()
    next_of(tmp_path / "master.key").unlink()
    with pytest.raises(SetupError, match=f"database wants the master key {wanted}"):
        file_in(tmp_path).read(wanted)
