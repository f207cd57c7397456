"""The machine is lost: a backup was made while clients wrote, it is restored elsewhere, and the clients go on."""

import shutil
import subprocess
import threading
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from azure.identity import ClientSecretCredential
from azure.keyvault.secrets import SecretClient

from tests.stories.test_run import COMMAND, Operator

pytestmark = pytest.mark.long

MOST = 500


def secrets_of(operator: Operator, credentials: dict[str, Any], bundle: Path) -> SecretClient:
    """Make an Azure client for the secrets of the first vault."""
    credential = ClientSecretCredential(
        credentials["tenant_id"],
        credentials["client_id"],
        credentials["client_secret"],
        authority=f"https://login.localhost:{operator.port}",
        disable_instance_discovery=True,
        connection_verify=str(bundle),
    )
    return SecretClient(f"https://main.vault.localhost:{operator.port}", credential, connection_verify=str(bundle))


class Writing(threading.Thread):
    """A client that sets one secret after the other, until it is told to stop; it knows which ones it was answered for."""

    def __init__(self, client: SecretClient) -> None:
        super().__init__(name="writing")
        self._client = client
        self._stopping = threading.Event()
        self.answered: list[str] = []

    def run(self) -> None:
        """Set secrets."""
        for number in count():
            if self._stopping.wait(0.02) or number == MOST:
                return
            self._client.set_secret(f"s{number}", f"value {number}")
            self.answered.append(f"s{number}")

    def stop(self) -> None:
        """Stop after the next one."""
        self._stopping.set()
        self.join()


def call(operator: Operator, *words: str) -> "subprocess.CompletedProcess[str]":
    """Call a command of the operator's, which must go well."""
    done = subprocess.run([*COMMAND, *words, "-c", str(operator.config)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.parametrize("road", ["sqlite to postgresql", "postgresql to sqlite"])
def test_a_lost_machine(tmp_path: Path, postgresql_url: str, road: str) -> None:
    """All that was answered before the backup is there, without a gap; credentials, names and the server's root still hold."""
    urls = ["sqlite:///certworker.db", postgresql_url]
    first_url, second_url = urls if road.startswith("sqlite") else reversed(urls)
    for name in ("first", "second", "kept"):
        (tmp_path / name).mkdir()
    first, second, kept = Operator(tmp_path / "first", first_url), Operator(tmp_path / "second", second_url), tmp_path / "kept"
    credentials = first.init()
    with first.running():
        (kept / "ca.pem").write_text(call(first, "ca-bundle").stdout)
        with secrets_of(first, credentials, kept / "ca.pem") as client:
            writing = Writing(client)
            writing.start()
            try:
                while len(writing.answered) < 5:
                    writing.join(0.01)
                before = len(writing.answered)
                call(first, "backup", "create", str(kept / "backup"))
            finally:
                writing.stop()
        assert len(writing.answered) > before, "nothing was written meanwhile"
    shutil.copy(first.folder / "master.key", kept / "master.key")  # an operator keeps it apart
    shutil.rmtree(first.folder)

    shutil.copy(kept / "master.key", second.folder / "master.key")
    call(second, "backup", "restore", str(kept / "backup"))
    with second.running(), secrets_of(second, credentials, kept / "ca.pem") as client:
        names = {found.name for found in client.list_properties_of_secrets()}
        assert names == {f"s{number}" for number in range(len(names))}
        assert before <= len(names) <= len(writing.answered)
        assert client.get_secret("s0").value == "value 0"
        client.set_secret("after", "the disaster")
        assert client.get_secret("after").value == "the disaster"
