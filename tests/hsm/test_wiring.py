"""The token in settings, and in a House."""

import subprocess
import sys
from pathlib import Path

import pytest

from certworker.bootstrap import open_house
from certworker.errors import SettingsError, SetupError
from certworker.hsm.token import open_token
from certworker.settings import HsmSettings, Seal, Settings, load_settings
from tests.conftest import ROOT
from tests.support.clock import FakeClock
from tests.support.softhsm import SoftToken

NO_LIBRARY = """
import sys
sys.modules["pkcs11"] = None
from pathlib import Path
from certworker.bootstrap.ground import open_token
from certworker.settings import HsmSettings, Settings
open_token(Settings(hsm=HsmSettings(module=Path("/nowhere.so"), pin_env="PIN")))
"""


@pytest.mark.parametrize("pins", ["", 'pin_file = "pin"\npin_env = "PIN"'], ids=["none", "both"])
def test_a_token_has_one_source_of_its_pin(tmp_path: Path, pins: str) -> None:
    """Settings with a token and no PIN, or two, are refused, and name both settings."""
    path = tmp_path / "certworker.toml"
    path.write_text(f'[hsm]\nmodule = "/usr/lib/token.so"\n{pins}\n')
    with pytest.raises(SettingsError, match=r"hsm\.module goes with one of hsm\.pin_file and hsm\.pin_env"):
        load_settings(path, {})


def test_paths_are_relative_to_the_settings(tmp_path: Path) -> None:
    """The PIN's file is looked for beside the settings; an environment variable goes before the file."""
    path = tmp_path / "certworker.toml"
    path.write_text('[hsm]\nmodule = "/usr/lib/token.so"\npin_file = "pin"\n')
    loaded = load_settings(path, {"CERTWORKER_HSM__SESSIONS": "3"}).hsm
    assert (loaded.module, loaded.pin_file, loaded.sessions) == (Path("/usr/lib/token.so"), tmp_path / "pin", 3)
    assert load_settings(None, {}).hsm.module is None


def test_without_the_library_for_tokens_the_extra_is_named() -> None:
    """python-pkcs11 comes with an extra: who wants a token and lacks it is told so."""
    ended = subprocess.run([sys.executable, "-c", NO_LIBRARY], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "certworker[hsm]" in ended.stderr.splitlines()[-1]


def test_no_token_is_opened_without_a_library() -> None:
    """Settings that name none are not guessed at."""
    with pytest.raises(SetupError, match=r"hsm\.module: no PKCS#11 library is set"), open_token(HsmSettings()):
        pass


@pytest.mark.system("softhsm2-util")
def test_a_house_does_not_open_with_a_wrong_token(tmp_path: Path, clock: FakeClock, soft_token: SoftToken) -> None:
    """The start stops with the setting's name, and nothing stays open."""
    settings = Settings(
        database_url=f"sqlite:///{tmp_path}/certworker.db",
        seal=Seal(master_key_file=tmp_path / "master.key"),
        hsm=soft_token.settings.model_copy(update={"token_label": "another"}),
    )
    with pytest.raises(SetupError, match=r"hsm\.token_label"), open_house(settings, clock):
        pass


@pytest.mark.system("softhsm2-util")
def test_a_master_key_in_a_token_wants_a_token(tmp_path: Path, clock: FakeClock) -> None:
    """`seal.master_key_label` without `hsm.module` says what is missing."""
    settings = Settings(database_url=f"sqlite:///{tmp_path}/certworker.db", seal=Seal(master_key_label="master"))
    with pytest.raises(SetupError, match=r"set hsm\.module"), open_house(settings, clock):
        pass
