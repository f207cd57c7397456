"""Rotating the master key, wherever it comes from: the new key is safe before the database wants it; the old one goes last."""

from dataclasses import dataclass
from pathlib import Path

from certworker.errors import SetupError
from certworker.seal.master_file import MasterFile, next_of
from certworker.seal.private_files import alone_in, remove_leftovers
from certworker.seal.sources import MakingSource, MasterKeySource, read_key_file
from certworker.vault.keyring import MasterKey, MasterKeyInForce
from certworker.vault.resealing import MasterKeyRotation


@dataclass(frozen=True, slots=True)
class Rotated:
    """What was done: the ids of both keys, how many vault keys were wrapped anew, and what is left to do by hand."""

    old: str
    new: str
    vault_keys: int
    to_do: str | None = None


def rotate_master_key(
    source: MasterKeySource, master: MasterKeyInForce, rotation: MasterKeyRotation, new_key_file: Path | None = None
) -> Rotated:
    """Put a new master key in force. It can be called again wherever it was broken off.

    Raises SetupError, Conflict where another one is under way.
    """
    if isinstance(source, MasterFile):
        if new_key_file:
            raise SetupError(f"The master key is in {source}: its successor is made there, without --new-key-file.")
        with alone_in(source.path.parent):
            remove_leftovers(source.path)
            return _rotate_file(source, master, rotation)
    if isinstance(source, MakingSource):
        if new_key_file:
            raise SetupError(f"The master key is {source}: its successor is made there, without --new-key-file.")
        return _rotate_within(source, master, rotation)
    if new_key_file is None:
        raise SetupError(
            f"The master key is in {source}, which this command cannot change. Write the new one, 32 random bytes in hex, to a "
            "file (mode 0600), and give it as --new-key-file."
        )
    old, new = master.turn_to(master.id), read_key_file(new_key_file)
    count = _put_in_force(rotation, old, new)
    return Rotated(
        old.id,
        new.id,
        count,
        f"Now put the content of {new_key_file} into {source}, and restart the service. Until then no start succeeds.",
    )


def is_unfinished(source: MasterKeySource, wanted: str | None) -> bool:
    """Tell whether a rotation was broken off after the database had changed: opening the house finishes it."""
    if not isinstance(source, MasterFile) or not next_of(source.path).exists():
        return False
    return source.read(None).id != wanted


def _rotate_file(source: MasterFile, master: MasterKeyInForce, rotation: MasterKeyRotation) -> Rotated:
    old, new = master.turn_to(master.id), source.begin_next()
    count = _put_in_force(rotation, old, new)
    source.put_next_in_place()
    return Rotated(old.id, new.id, count)


def _rotate_within(source: MakingSource, master: MasterKeyInForce, rotation: MasterKeyRotation) -> Rotated:
    old, new = master.turn_to(master.id), source.make()
    count = _put_in_force(rotation, old, new)
    to_do = f"The old key {old.id} is there still, for backups of the database that were made before."
    return Rotated(old.id, new.id, count, to_do)


def _put_in_force(rotation: MasterKeyRotation, old: MasterKey, new: MasterKey) -> int:
    if old.id == new.id:
        raise SetupError(f"The master key {old.id} is in force already.")
    return rotation.put_in_force(old, new)
