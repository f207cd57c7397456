"""SoftHSM tokens in temporary folders.

SoftHSM reads SOFTHSM2_CONF once a process, when it is opened. So a test process has one folder of tokens, and each test that
wants one a token of its own in it.
"""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from certworker.settings import HsmSettings

PIN, OFFICER_PIN = "correct-horse-1234", "battery-staple-5678"
CONFIGURATION = "SOFTHSM2_CONF"
_MODULES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
)


def softhsm_module() -> Path:
    """Find SoftHSM's library."""
    return next((path for path in map(Path, _MODULES) if path.exists()), Path(_MODULES[0]))


@dataclass(frozen=True)
class SoftToken:
    """A token, and the folder that it is in with all others."""

    label: str
    folder: Path
    pin_file: Path

    @property
    def settings(self) -> HsmSettings:
        """Give the settings that open it."""
        return HsmSettings(module=softhsm_module(), token_label=self.label, pin_file=self.pin_file, wait_seconds=2)

    @property
    def path(self) -> Path:
        """Find the folder of this token alone."""
        return next(path for path in self.folder.iterdir() if self.label.encode() in (path / "token.object").read_bytes())


def init_token(folder: Path, label: str) -> None:
    """Make a token, as an operator does, with the configuration that is in force."""
    command = ["softhsm2-util", "--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", OFFICER_PIN]
    subprocess.run(command, check=True, capture_output=True, env=os.environ | {CONFIGURATION: str(folder / "softhsm2.conf")})


@pytest.fixture(scope="session")
def softhsm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give the folder of this process's SoftHSM."""
    folder = tmp_path_factory.mktemp("softhsm")
    (folder / "tokens").mkdir()
    configuration = folder / "softhsm2.conf"
    configuration.write_text(f"directories.tokendir = {folder}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CONFIGURATION, str(configuration))
        yield folder


@pytest.fixture
def soft_token(softhsm: Path) -> SoftToken:
    """Give a new token."""
    label = f"test-{uuid4().hex[:12]}"
    init_token(softhsm, label)
    pin_file = softhsm / f"{label}.pin"
    pin_file.touch(0o600)
    pin_file.write_text(PIN + "\n")
    return SoftToken(label, softhsm / "tokens", pin_file)
