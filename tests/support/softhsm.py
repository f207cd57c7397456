"""A SoftHSM token in a temporary folder.

SoftHSM reads SOFTHSM2_CONF once a process, when it is opened, and looks for tokens then. So a test process has one token, which
is made before, and each test has keys of its own in it.
"""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from certworker.settings import HsmSettings

LABEL = "certworker tests"
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
    """A token: its label, the folder that it lies in, and the file of its PIN."""

    label: str
    path: Path
    pin_file: Path

    @property
    def settings(self) -> HsmSettings:
        """Give the settings that open it."""
        return HsmSettings(module=softhsm_module(), token_label=self.label, pin_file=self.pin_file, wait_seconds=2)


@pytest.fixture(scope="session")
def soft_token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SoftToken]:
    """Give this process's token, made as an operator makes one."""
    folder = tmp_path_factory.mktemp("softhsm")
    tokens, configuration, pin_file = folder / "tokens", folder / "softhsm2.conf", folder / "pin"
    tokens.mkdir()
    configuration.write_text(f"directories.tokendir = {tokens}\nobjectstore.backend = file\nlog.level = ERROR\n")
    pin_file.touch(0o600)
    pin_file.write_text(PIN + "\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CONFIGURATION, str(configuration))
        command = ["softhsm2-util", "--init-token", "--free", "--label", LABEL, "--pin", PIN, "--so-pin", OFFICER_PIN]
        subprocess.run(command, check=True, capture_output=True)
        yield SoftToken(LABEL, next(tokens.iterdir()), pin_file)
