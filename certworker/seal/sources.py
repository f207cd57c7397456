"""Where the master key comes from, by the settings: one source, read again when the database wants another key."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol, runtime_checkable

from certworker.errors import SetupError
from certworker.seal.channel import ask_for_key
from certworker.seal.master_file import MasterFile, parse_key
from certworker.seal.private_files import read_private
from certworker.settings import Seal
from certworker.vault.keyring import MasterKey, SoftwareMasterKey

CREDENTIALS_DIRECTORY = "CREDENTIALS_DIRECTORY"


class MasterKeySource(Protocol):
    """A place that holds the master key. Its `str` says where that is."""

    def read(self, wanted: str | None) -> MasterKey:
        """Give the master key of the id that the database wants; the one that is there, where it wants none yet.

        Raises SetupError where there is no such key, Sealed where it waits to be opened.
        """


@runtime_checkable
class MakingSource(MasterKeySource, Protocol):
    """A place that makes master keys itself, and keeps several: a token."""

    def ids(self) -> list[str]:
        """List the ids of those that are there."""

    def make(self) -> MasterKey:
        """Make one beside those that are there. Raises SetupError."""


class EnvironmentSource:
    """An environment variable, which is read once: it cannot change while a process lives."""

    def __init__(self, name: str, environment: Mapping[str, str]) -> None:
        self._name = name
        self._value = environment.get(name)

    def __str__(self) -> str:
        """Say where the key is."""
        return f"the environment variable {self._name}"

    def read(self, wanted: str | None) -> SoftwareMasterKey:
        """Give the key of the variable."""
        if not self._value:
            raise SetupError(f"The master key is to be in {self}, which is not set.{_wants(wanted)}")
        return _check(SoftwareMasterKey(parse_key(self._value.strip(), f"The environment variable {self._name}")), wanted, self)


class CredentialSource:
    """A credential that systemd hands to the service (systemd.exec(5), LoadCredential=)."""

    def __init__(self, name: str, environment: Mapping[str, str]) -> None:
        self._name = name
        self._folder = environment.get(CREDENTIALS_DIRECTORY)

    def __str__(self) -> str:
        """Say where the key is."""
        return f"the credential {self._name}"

    def read(self, wanted: str | None) -> SoftwareMasterKey:
        """Give the key of the credential."""
        if not self._folder:
            raise SetupError(
                f"The master key is to be in {self}, and this process was handed none (${CREDENTIALS_DIRECTORY} is not set). "
                f"Start it by systemd, with LoadCredential={self._name}:PATH.{_wants(wanted)}"
            )
        path = Path(self._folder) / self._name
        return _check(SoftwareMasterKey(parse_key(_read_credential(path, wanted), f"The credential {path}")), wanted, self)


def source_of(
    seal: Seal, wrapping_key: Callable[[], bytes] | None = None, environment: Mapping[str, str] = os.environ
) -> MasterKeySource:
    """Find the source that the settings name, unless it is a token, which has to be opened.

    A wrapped key is opened by `wrapping_key`, or by the service that runs here.
    """
    if seal.master_key_env:
        return EnvironmentSource(seal.master_key_env, environment)
    if seal.master_key_credential:
        return CredentialSource(seal.master_key_credential, environment)
    return MasterFile(seal.master_key_file, seal.kind, wrapping_key or (lambda: ask_for_key(seal.socket)))


def read_key_file(path: Path) -> SoftwareMasterKey:
    """Read a master key that is to be put in force. Raises SetupError."""
    return SoftwareMasterKey(parse_key(read_private(path, "The file"), f"The file {path}"))


def _read_credential(path: Path, wanted: str | None) -> str:
    # its mode is systemd's own affair: its folder is closed to others
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise SetupError(f"The credential {path} cannot be read: {reason}.{_wants(wanted)}") from None


def _check(key: SoftwareMasterKey, wanted: str | None, source: object) -> SoftwareMasterKey:
    if wanted not in (None, key.id):
        raise SetupError(
            f"The database was sealed under the master key {wanted}, and this one is {key.id} ({source}). Put the one that "
            "belongs to the database there; after `certworker seal rotate-master` that is the new one."
        )
    return key


def _wants(wanted: str | None) -> str:
    return f" The database wants the master key {wanted}." if wanted else ""
