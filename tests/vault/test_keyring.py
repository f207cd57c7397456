"""The keyring opens a vault's records under the right master key, at the right place, and not otherwise."""

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from certworker.bootstrap import make_master_key, read_master_key
from certworker.crypto.sealing import new_key
from certworker.errors import SealBroken, SetupError
from certworker.vault.keyring import Keyring, MasterKeyInForce, SoftwareMasterKey
from certworker.vault.vaults import WrappedKey
from tests.support.clock import START, FakeClock
from tests.support.deployment import Deployment, open_deployment, policy_for


def change(folder: Path, *statements: str) -> None:
    """Change the database behind the service's back."""
    with closing(sqlite3.connect(folder / "certworker.db")) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def test_another_master_key_is_told_by_both_ids(tmp_path: Path, clock: FakeClock) -> None:
    """The start fails, and says which key the database wants and which one is there."""
    with open_deployment(tmp_path, clock):
        pass
    wanted = read_master_key(tmp_path / "master.key").id
    (tmp_path / "master.key").unlink()
    make_master_key(tmp_path / "master.key")
    given = read_master_key(tmp_path / "master.key").id
    with pytest.raises(SetupError, match=f"{wanted}.*{given}"), open_deployment(tmp_path, clock):
        pass


def test_a_wrapped_key_that_was_altered_or_swapped_is_noticed(tmp_path: Path, clock: FakeClock) -> None:
    """A vault key that lies where another vault's belongs opens nothing."""
    with open_deployment(tmp_path, clock) as deployment:
        deployment.create("web", policy_for("web.test", "Self"))
    vault = f"'{deployment.vault.id}'"
    foreign = f"(SELECT wrapped FROM vault_key WHERE vault_id <> {vault})"  # noqa: S608
    change(tmp_path, f"UPDATE vault_key SET wrapped = {foreign} WHERE vault_id = {vault}")  # noqa: S608
    with open_deployment(tmp_path, clock) as deployment, pytest.raises(SealBroken, match="vault-key"):
        deployment.house.secrets.get(deployment.administrator, deployment.vault, "web")


def test_a_flipped_byte_in_the_database_is_noticed(deployment: Deployment, tmp_path: Path) -> None:
    """A secret that was altered is told by its place, and never served."""
    deployment.create("web", policy_for("web.test", "Self"))
    change(
        tmp_path,
        "UPDATE secret_version SET sealed_value = CAST("
        "substr(sealed_value, 1, 40) || x'00' || substr(sealed_value, 42) AS BLOB)",
    )
    with pytest.raises(SealBroken, match="secret/WEB/"):
        deployment.house.secrets.get(deployment.administrator, deployment.vault, "web")


@pytest.mark.parametrize("swapped", ["name", "version"])
def test_a_swapped_row_is_noticed(deployment: Deployment, tmp_path: Path, swapped: str) -> None:
    """The secret of another object, or of an older version, does not open in this one's place."""
    deployment.create("web", policy_for("web.test", "Self"))
    deployment.create("web" if swapped == "version" else "other", policy_for("other.test", "Self"))
    highest = "(SELECT sealed_value FROM secret_version ORDER BY version DESC LIMIT 1)"
    change(tmp_path, f"UPDATE secret_version SET sealed_value = {highest}")  # noqa: S608
    lowest = min(deployment.versions("web") + deployment.versions("other"))
    name = "web" if lowest in deployment.versions("web") else "other"
    with pytest.raises(SealBroken, match=lowest):
        deployment.house.secrets.get(deployment.administrator, deployment.vault, name, lowest)


def test_an_older_term_still_opens_and_the_newest_seals(deployment: Deployment) -> None:
    """Whichever was needed first, what is sealed from now on is sealed under the newest term; no keyring has to be told."""
    house, vault_id = deployment.house, deployment.vault.id
    other = Keyring(house.store, house.master)
    old = other.seal(vault_id, b"old", "place")
    with house.store.writing() as writer:
        writer.add_wrapped_key(house.keyring.new_vault_key(vault_id, START + timedelta(days=1), 2))
    for keyring in (other, house.keyring, Keyring(house.store, house.master)):
        assert keyring.open(vault_id, old, "place") == b"old"
        new = keyring.seal(vault_id, b"new", "place")
        assert (old[4], new[4]) == (1, 2)
        assert keyring.open(vault_id, new, "place") == b"new"
    unknown = new[:4] + b"\x09" + new[5:]
    with pytest.raises(SealBroken, match="no key of the term 9"):
        house.keyring.open(vault_id, unknown, "place")


def test_a_vault_key_under_a_master_key_that_was_replaced_is_not_added(deployment: Deployment) -> None:
    """The transaction that would add it fails, and the one that follows has it wrapped by the key in force."""
    house, vault_id = deployment.house, deployment.vault.id
    new = SoftwareMasterKey(new_key())
    known = {house.master.id: house.master.turn_to(house.master.id), new.id: new}
    keyring = Keyring(house.store, MasterKeyInForce(lambda wanted: known[wanted or house.master.id]))
    tries = []

    def add() -> WrappedKey:
        tries.append(key := keyring.new_vault_key(vault_id, START, 2))
        with house.store.writing() as writer:
            writer.add_wrapped_key(key)
        return key

    with house.store.writing() as writer:
        writer.set_master_key_id(new.id, START)
    assert keyring.adding(add).master_key_id == new.id
    assert [key.master_key_id for key in tries] == [house.master.id, new.id]
    with house.store.reading() as reader:
        assert [key.master_key_id for key in reader.wrapped_keys(vault_id)] == [house.master.id, new.id]


def test_the_master_key_is_never_shown() -> None:
    """Its `repr` is an address."""
    key = new_key()
    assert key.hex() not in repr(SoftwareMasterKey(key)) + repr(vars(SoftwareMasterKey(key)))
