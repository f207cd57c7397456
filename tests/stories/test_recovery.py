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

from tests.stories.test_run import COMMAND, Operator, policy

MOST = 500


def secrets_of(operator: Operator, credentials: dict[str, Any]) -> SecretClient:
    """Make an Azure client for the secrets of the first vault."""
    bundle = operator.folder / "ca.pem"
    bundle.write_bytes(
        subprocess.run([*COMMAND, "ca-bundle", "-c", str(operator.config)], capture_output=True, check=True).stdout
    )
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
            if self._stopping.is_set() or number == MOST:
                return
            self._client.set_secret(f"s{number}", f"value {number}")
            self.answered.append(f"s{number}")

    def stop(self) -> None:
        """Stop after the next one."""
        self._stopping.set()
        self.join()


def call(operator: Operator, *words: str) -> "subprocess.CompletedProcess[str]":
    """Call a command of the operator's."""
    return subprocess.run([*COMMAND, *words, "-c", str(operator.config)], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("road", ["sqlite to postgresql", "postgresql to sqlite"])
def test_a_lost_machine(tmp_path: Path, postgresql_url: str, road: str) -> None:
    """All that was answered before the backup is there, without a gap; credentials and names still hold."""
    urls = ["sqlite:///certworker.db", postgresql_url]
    first_url, second_url = urls if road.startswith("sqlite") else reversed(urls)
    (tmp_path / "first").mkdir()
    first, kept = Operator(tmp_path / "first", first_url), tmp_path / "kept"
    kept.mkdir()
    credentials = first.init()
    with first.running():
        with first.client(credentials) as certificates:
            certificates.begin_create_certificate("web", policy("web.example.test")).result()
        with secrets_of(first, credentials) as client:
            writing = Writing(client)
            writing.start()
            try:
                while len(writing.answered) < 5:
                    writing.join(0.01)
                before = len(writing.answered)
                made = call(first, "backup", "create", str(kept / "backup"))
                assert made.returncode == 0, made.stderr
                drilled = call(first, "drill", "recovery")
                assert drilled.returncode == 0, drilled.stderr
            finally:
                writing.stop()
        assert len(writing.answered) > before, "nothing was written meanwhile"
    shutil.copy(first.folder / "master.key", kept / "master.key")  # an operator keeps it apart
    shutil.rmtree(first.folder)

    (tmp_path / "second").mkdir()
    second = Operator(tmp_path / "second", second_url)
    assert call(second, "backup", "restore", str(kept / "backup")).returncode == 1, "without its master key"
    shutil.copy(kept / "master.key", second.folder / "master.key")
    restored = call(second, "backup", "restore", str(kept / "backup"))
    assert restored.returncode == 0, restored.stderr
    with second.running():
        with secrets_of(second, credentials) as client:
            names = {found.name for found in client.list_properties_of_secrets()} - {"web"}
            assert names == {f"s{number}" for number in range(len(names))}
            assert before <= len(names) <= len(writing.answered)
            assert client.get_secret("s0").value == "value 0"
            client.set_secret("after", "the disaster")
            assert client.get_secret("after").value == "the disaster"
        with second.client(credentials) as certificates:
            assert certificates.get_certificate("web").name == "web"
            certificates.begin_create_certificate("new", policy("new.example.test")).result()
