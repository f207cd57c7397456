"""Where the master key comes from: one source, and a wrong or missing one says which key the database wants."""

from collections.abc import Callable
from pathlib import Path

import pytest

from certworker.crypto.sealing import key_id, new_key
from certworker.errors import Sealed, SettingsError, SetupError
from certworker.seal.enclosing import NewSeal, enclose
from certworker.seal.sources import CREDENTIALS_DIRECTORY, read_key_file, source_of
from certworker.settings import Seal, SealKind, load_settings

KEY = new_key()
WANTED = key_id(new_key())


def settings(tmp_path: Path, text: str) -> Seal:
    """Read a [seal] section."""
    (tmp_path / "certworker.toml").write_text(f"[seal]\n{text}\n")
    return load_settings(tmp_path / "certworker.toml", {}).seal


def credential(folder: Path, content: str) -> dict[str, str]:
    """Hand a credential over, as systemd does."""
    (folder / "vault-key").write_text(content)
    return {CREDENTIALS_DIRECTORY: str(folder)}


def test_the_key_is_read_from_each_source(tmp_path: Path) -> None:
    """A file, a variable and a credential give the same key, and say where it was."""
    (tmp_path / "own.key").write_text(KEY.hex())
    (tmp_path / "own.key").chmod(0o600)
    for text, environment, said in (
        ('master_key_file = "own.key"', {}, "the file"),
        ('master_key_env = "VAULT_KEY"', {"VAULT_KEY": f" {KEY.hex()}\n"}, "the environment variable VAULT_KEY"),
        ('master_key_credential = "vault-key"', credential(tmp_path, KEY.hex() + "\n"), "the credential vault-key"),
    ):
        source = source_of(settings(tmp_path, text), environment=environment)
        assert source.read(None).id == source.read(key_id(KEY)).id == key_id(KEY)
        assert said in str(source)
        with pytest.raises(SetupError, match=f"{WANTED}.*{key_id(KEY)}") as refusal:
            source.read(WANTED)
        assert KEY.hex() not in str(refusal.value)


@pytest.mark.parametrize("name", ["file", "env", "credential"])
def test_a_missing_key_says_which_one_is_wanted(tmp_path: Path, name: str) -> None:
    """And what would bring it."""
    seal = settings(tmp_path, f'master_key_{name} = "nowhere"')
    with pytest.raises(SetupError, match=WANTED):
        source_of(seal, environment={}).read(WANTED)
    with pytest.raises(SetupError, match=WANTED):
        source_of(seal, environment={CREDENTIALS_DIRECTORY: str(tmp_path)}).read(WANTED)


@pytest.mark.parametrize("content", ["", "ff" * 31, "ff" * 33, "no hex at all", "f" * 63, "\xff" * 64])
def test_what_is_no_key_is_refused_without_being_shown(tmp_path: Path, content: str) -> None:
    """From a variable as from a credential and from a file for a rotation."""
    (tmp_path / "new.key").write_text(content)
    (tmp_path / "new.key").chmod(0o600)
    environment = {"VAULT_KEY": content, **credential(tmp_path, content)}
    reads: list[Callable[[], object]] = [
        lambda: source_of(settings(tmp_path, 'master_key_env = "VAULT_KEY"'), environment=environment).read(None),
        lambda: source_of(settings(tmp_path, 'master_key_credential = "vault-key"'), environment=environment).read(None),
        lambda: source_of(settings(tmp_path, 'master_key_file = "new.key"')).read(None),
        lambda: read_key_file(tmp_path / "new.key"),
    ]
    for read in reads:
        with pytest.raises(SetupError) as refusal:
            read()
        assert not content or content not in str(refusal.value)


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    """With the command that mends it."""
    (tmp_path / "master.key").write_text(KEY.hex())
    (tmp_path / "master.key").chmod(0o640)
    with pytest.raises(SetupError, match="chmod 600"):
        source_of(settings(tmp_path, "")).read(None)
    with pytest.raises(SetupError, match="chmod 600"):
        read_key_file(tmp_path / "master.key")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('master_key_file = "a"\nmaster_key_env = "B"', "one source"),
        ('master_key_env = "A"\nmaster_key_credential = "b"', "one source"),
        ('master_key_label = "a"\nmaster_key_credential = "b"', "one source"),
        ('kind = "shamir"\nmaster_key_env = "A"', "kind shamir"),
        ('kind = "vault"', "seal.kind"),
    ],
)
def test_there_is_exactly_one_source(tmp_path: Path, text: str, said: str) -> None:
    """Two of them, or a seal on one that is no file, are refused when the settings are read."""
    with pytest.raises(SettingsError, match=said):
        settings(tmp_path, text)


def test_a_wrapped_key_waits_for_the_service_that_was_unsealed(tmp_path: Path) -> None:
    """Without one that runs here, it says what to do."""
    (tmp_path / "master.key").write_text(KEY.hex())
    (tmp_path / "master.key").chmod(0o600)
    seal = settings(tmp_path, 'kind = "passphrase"')
    assert seal.kind is SealKind.PASSPHRASE
    with pytest.raises(SetupError, match="seal enable"):
        source_of(seal).read(None)
    enclose(seal, NewSeal(SealKind.PASSPHRASE, "a passphrase of some length"), lambda _: None)
    with pytest.raises(Sealed, match="certworker seal unseal"):
        source_of(seal).read(None)
    with pytest.raises(SetupError, match="wrapped by a passphrase seal"):
        source_of(settings(tmp_path, "")).read(None)
    with pytest.raises(SetupError, match="the settings say shamir"):
        source_of(settings(tmp_path, 'kind = "shamir"')).read(None)
