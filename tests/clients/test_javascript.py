"""Azure's JavaScript SDKs, as they come from npm, drive every operation that they have."""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.clients.conftest import Served
from tests.clients.files import write_client_files

SCRIPTS = Path(__file__).parent / "js"
SECONDS = 100

pytestmark = [
    pytest.mark.system("node", "openssl"),
    pytest.mark.installed("tests/clients/js/node_modules/.package-lock.json"),
]


@dataclass(frozen=True)
class Outcome:
    """What came of one operation."""

    operation: str
    ok: bool
    error: str | None


def drive(served: Served, folder: Path, script: str, api_version: str) -> list[Outcome]:
    """Run a script that drives operations; give what came of each."""
    world = served.world
    files = write_client_files(folder, world.clock())
    environment = {
        "PATH": os.environ["PATH"],
        "NODE_EXTRA_CA_CERTS": str(served.authority.bundle),
        "VAULT_URL": world.vault_url,
        "AUTHORITY": world.house.settings.authority,
        "TENANT_ID": world.tenant,
        "CLIENT_ID": world.administrator.client_id,
        "CLIENT_SECRET": world.client_secret,
        "API_VERSION": api_version,
        "ISSUER_PROVIDER": "Scripted",
        "CA_CERTIFICATE": str(files.ca_pem),
        "CA_DER": str(files.ca_der),
        "CA_KEY": str(files.ca_key),
        "PFX": str(files.pfx),
        "PEM": str(files.pem),
    }
    command = ["node", str(SCRIPTS / script)]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=SECONDS)
    assert ended.returncode == 0, ended.stderr
    return [Outcome(**json.loads(line)) for line in ended.stdout.splitlines()]


def assert_all_went_well(outcomes: list[Outcome]) -> None:
    """Fail with one line for each operation that did not."""
    failed = [f"{outcome.operation}: {outcome.error}" for outcome in outcomes if not outcome.ok]
    assert not failed, "\n".join(failed)


@pytest.mark.parametrize("api_version", ["", "7.4"], ids=["default", "7.4"])
def test_every_operation_of_the_certificate_client(served: Served, folder: Path, api_version: str) -> None:
    """Every method of CertificateClient is driven to its end, its pollers too; SecretClient reads what belongs to them."""
    outcomes = drive(served, folder, "certificates.mjs", api_version)
    assert_all_went_well(outcomes)
    assert outcomes[-1].operation == "every method of CertificateClient"


@pytest.mark.parametrize("api_version", ["", "7.4"], ids=["default", "7.4"])
def test_keys_and_secrets(served: Served, folder: Path, api_version: str) -> None:
    """Every method of KeyClient, CryptographyClient and SecretClient is driven; node's own cryptography agrees."""
    outcomes = drive(served, folder, "keys_and_secrets.mjs", api_version)
    assert_all_went_well(outcomes)
    assert outcomes[-1].operation == "every method of SecretClient, KeyClient and CryptographyClient"
