"""A service under a seal, as an operator runs it: sealed at its start, opened by terminal and by API, nothing on its disk."""

import json
import os
import signal
import sqlite3
import ssl
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from azure.keyvault.certificates import CertificateClient

from certworker.cli.sockets import free_port
from certworker.seal.channel import ask_for_key
from certworker.seal.master_file import MasterFile
from certworker.seal.sources import source_of
from certworker.settings import load_settings
from tests.stories.test_run import COMMAND, Operator, policy, until

pytestmark = pytest.mark.long

PASSPHRASE = "correct horse battery"
OPERATOR_SECONDS = 30.0


class SealedOperator(Operator):
    """An operator whose deployment is under a seal."""

    def __init__(self, folder: Path, kind: str) -> None:
        super().__init__(folder)
        self.http01_port, self.tlsalpn01_port = free_port(0), free_port(0)
        with self.config.open("a") as settings:
            settings.write(f'[challenges]\nhttp01_listen = ["127.0.0.1"]\nhttp01_port = {self.http01_port}\n')
            settings.write(f'tlsalpn01_listen = ["127.0.0.1"]\ntlsalpn01_port = {self.tlsalpn01_port}\n')
            settings.write(f'[seal]\nkind = "{kind}"\n')

    def give(self, *command: str, said: str = "") -> subprocess.CompletedProcess[str]:
        """Give a command, with what it reads from standard input."""
        return subprocess.run(
            [*COMMAND, *command, "-c", str(self.config)], input=said, capture_output=True, text=True, check=False, timeout=60
        )

    def set_up(self, said: str = "", *options: str) -> dict[str, Any]:
        """Set the deployment up."""
        done = self.give("init", *options, said=said)
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def ops(self, path: str, **body: object) -> httpx.Response:
        """Ask the operators' port; with a body, POST it."""
        url = f"http://127.0.0.1:{self.metrics_port}{path}"
        return httpx.post(url, json=body) if body else httpx.get(url)

    def readiness(self) -> str:
        """Ask whether the service is ready."""
        try:
            return self.ops("/readyz").text.strip()
        except httpx.TransportError as error:
            return repr(error)

    def https(self, host: str, path: str) -> httpx.Response:
        """Ask the service without a look at its certificate."""
        return httpx.get(f"https://{host}:{self.port}{path}", verify=False)  # noqa: S501

    def until_ready(self) -> None:
        """Wait until the service serves."""
        until(lambda: self.readiness() == "ready", OPERATOR_SECONDS)


def processes(parent: int) -> dict[str, int]:
    """List the processes of a service by their role."""
    found = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            status, command = (folder / "stat").read_text(), (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if int(status.rpartition(")")[2].split()[1]) == parent and b"certworker.cli.child" in command:
            found[command[command.index(b"certworker.cli.child") + 1].decode()] = int(folder.name)
    return found


def assert_no_core_dumps(pid: int) -> None:
    """Check that a process leaves no core dump, and that its memory is closed to others of its user."""
    (limit,) = [line.split() for line in Path(f"/proc/{pid}/limits").read_text().splitlines() if "core file" in line]
    assert limit[4:6] == ["0", "0"]
    # of a process that may be dumped, /proc belongs to its user; of one that may not, to root and to nobody else
    wanted = 0 if os.geteuid() else None
    if wanted is not None:
        assert Path(f"/proc/{pid}/environ").stat().st_uid == wanted


def assert_not_on_disk(folder: Path, *secrets: bytes) -> None:
    """Check that no file of a folder holds a secret, as bytes or in hex."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert {"master.key", "certworker.db"} <= {path.name for path in files}
    for path in files:
        content = path.read_bytes()
        for secret in secrets:
            assert secret not in content, path
            assert secret.hex().encode() not in content.lower(), path


def test_shares_open_a_service_by_terminal_and_by_api(tmp_path: Path) -> None:
    """Sealed it answers 503 and does nothing; open it serves, and a process that is killed or replaced comes back open."""
    operator = SealedOperator(tmp_path, "shamir")
    credentials = operator.set_up("", "--shares", "4", "--threshold", "3")
    shares = credentials["seal_shares"]
    with operator.running() as service:
        assert_is_sealed(operator, service.pid)
        said = operator.give("seal", "unseal", said=shares[0] + "\n")
        assert said.stdout == "Sealed still: 1 of 3 shares.\n", said.stderr
        wrong = operator.ops("/certworker/v1/seal/unseal", share=shares[1][:-1] + "x")
        assert (wrong.status_code, wrong.json()["error"]["code"]) == (400, "BadParameter")
        hasty = operator.ops("/certworker/v1/seal/unseal", share=shares[1])
        assert (hasty.status_code, hasty.json()["error"]["code"]) == (503, "ServiceUnavailable")
        until(lambda: operator.ops("/certworker/v1/seal/unseal", share=shares[1]).status_code == 200)
        assert operator.ops("/certworker/v1/seal").json() == {"sealed": True, "kind": "shamir", "have": 2, "needed": 3}
        assert operator.ops("/certworker/v1/seal/unseal", share=shares[3]).json()["sealed"] is False
        operator.until_ready()
        until(lambda: set(processes(service.pid)) == {"api", "worker"})
        with operator.client(credentials) as client:
            client.begin_create_certificate("first", policy("first.example.test")).result()
            assert_comes_back_open(operator, service.pid, client)
        assert_worthless_disk(operator)
        for pid in (service.pid, *processes(service.pid).values()):
            assert_no_core_dumps(pid)
        assert operator.give("seal", "seal").returncode == 0
        until(lambda: operator.readiness() == "not ready: sealed", OPERATOR_SECONDS)
        assert_is_sealed(operator, service.pid)
    assert not (tmp_path / "seal.sock").exists()
    assert not any(share in operator.output() for share in shares)


def assert_is_sealed(operator: SealedOperator, service: int) -> None:
    """Check what a sealed service says, and that there is no process that could do anything."""
    # until the last open process has ended, it answers on the sockets that all of them share
    until(lambda: set(processes(service)) == {"sealed"}, OPERATOR_SECONDS)
    assert operator.readiness() == "not ready: sealed"
    assert (operator.ops("/healthz").status_code, operator.ops("/console").status_code) == (200, 503)
    assert "certworker_sealed 1.0" in operator.ops("/metrics").text
    for host, path in (
        ("main.vault.localhost", "/secrets/first?api-version=7.5"),
        ("login.localhost", "/tenant/oauth2/v2.0/token"),
        ("localhost", "/anything"),
    ):
        answer = operator.https(host, path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "ServiceUnavailable")
        assert "certworker seal unseal" in answer.json()["error"]["message"]
        assert int(answer.headers["retry-after"]) > 0
    challenge = f"http://127.0.0.1:{operator.http01_port}/.well-known/acme-challenge/token"
    assert httpx.get(challenge).status_code == 503, "a CA that asks is answered, and does not wait"
    with pytest.raises(ssl.SSLError, match=r"(?i)unrecognized[ _]name"):
        ssl.get_server_certificate(("localhost", operator.tlsalpn01_port), timeout=5)
    assert_no_core_dumps(processes(service)["sealed"])


def assert_comes_back_open(operator: SealedOperator, service: int, client: CertificateClient) -> None:
    """Kill a process, and have all of them replaced: what comes is unsealed, with nobody's help."""
    killed = processes(service)["api"]
    os.kill(killed, signal.SIGKILL)
    until(lambda: processes(service).get("api", killed) != killed, OPERATOR_SECONDS)
    operator.until_ready()
    assert client.get_certificate("first").name == "first"
    before = processes(service)
    os.kill(service, signal.SIGHUP)
    until(lambda: "The settings were read again" in operator.output(), OPERATOR_SECONDS)
    until(lambda: not set(before.values()) & set(processes(service).values()))
    assert operator.readiness() == "ready"
    assert client.get_certificate("first").name == "first"


def assert_worthless_disk(operator: SealedOperator) -> None:
    """Look for the master key, and for what opens it, in every file that the deployment has."""
    seal = load_settings(operator.config, {}).seal
    source = source_of(seal)
    assert isinstance(source, MasterFile)
    assert_not_on_disk(operator.folder, source.key_at(source.path), ask_for_key(seal.socket))


def test_a_passphrase_opens_every_service_of_the_host(tmp_path: Path) -> None:
    """A worker that runs by itself is opened with the first one; a new master key reaches both without a restart."""
    operator = SealedOperator(tmp_path, "passphrase")
    operator.set_up(PASSPHRASE + "\n")
    metrics_port = free_port(0)

    def worker_is_ready() -> bool:
        return httpx.get(f"http://127.0.0.1:{metrics_port}/readyz").status_code == 200

    beside = operator.running("--role", "worker", "--metrics-port", str(metrics_port), metrics_port=metrics_port)
    with operator.running("--role", "api"), beside as worker:
        assert not worker_is_ready()
        assert heartbeats(tmp_path) == 0
        said = operator.give("seal", "unseal", said=PASSPHRASE + "\n")
        assert said.stdout == "The service is unsealed.\n", said.stderr
        operator.until_ready()
        until(worker_is_ready, OPERATOR_SECONDS)
        until(lambda: heartbeats(tmp_path) > 0)
        rotated = operator.give("seal", "rotate-master")
        assert rotated.returncode == 0, rotated.stderr
        killed = processes(worker.pid)["worker"]
        os.kill(killed, signal.SIGKILL)
        until(lambda: processes(worker.pid).get("worker", killed) != killed, OPERATOR_SECONDS)
        until(worker_is_ready, OPERATOR_SECONDS)
        assert operator.readiness() == "ready"
        assert_worthless_disk(operator)
    assert PASSPHRASE not in operator.output()


def heartbeats(folder: Path) -> int:
    """Count the jobs that a worker has run."""
    with closing(sqlite3.connect(folder / "certworker.db")) as connection:
        return int(connection.execute("SELECT count(*) FROM heartbeat").fetchone()[0])


def test_a_variable_holds_the_master_key(tmp_path: Path) -> None:
    """The service starts by it, a killed process too; its value is in no log and no file."""
    operator = SealedOperator(tmp_path, "none")
    key = os.urandom(32).hex()
    operator.config.write_text(operator.config.read_text() + 'master_key_env = "THE_VAULT_KEY"\n')
    os.environ["THE_VAULT_KEY"] = key
    try:
        operator.set_up()
        with operator.running() as service:
            killed = processes(service.pid)["worker"]
            os.kill(killed, signal.SIGKILL)
            until(lambda: processes(service.pid).get("worker", killed) != killed, OPERATOR_SECONDS)
            assert operator.readiness() == "ready"
            assert key not in operator.output()
    finally:
        del os.environ["THE_VAULT_KEY"]
    refused = operator.give("run")
    assert refused.returncode == 1
    assert "THE_VAULT_KEY, which is not set" in refused.stderr
    assert "database wants the master key" in refused.stderr
    assert not any(key.encode() in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_a_process_is_closed_and_keeps_the_key_from_those_that_it_starts(tmp_path: Path) -> None:
    """A worker's own process: core dumps are off by its limit and by what the kernel says; a program it starts has no key."""
    operator = SealedOperator(tmp_path, "none")
    operator.config.write_text(operator.config.read_text() + 'master_key_env = "THE_VAULT_KEY"\n')
    environment = {**os.environ, "THE_VAULT_KEY": os.urandom(32).hex()}
    command = [*COMMAND, "init", "-c", str(operator.config)]
    subprocess.run(command, capture_output=True, check=True, env=environment)
    program = (
        "import ctypes, resource, subprocess, sys\n"
        "from certworker.cli import child\n"
        "def look(house, counters, options):\n"
        "    assert house.master.id\n"
        "    env = subprocess.run(['env'], capture_output=True, text=True, check=True).stdout\n"
        "    print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), *resource.getrlimit(resource.RLIMIT_CORE), 'THE_VAULT_KEY' in env)\n"
        "child._run_worker = look\n"
        f"child.main(['worker', '--config', {str(operator.config)!r}, '--ready', '1', '--parent', '0'])\n"
    )
    with subprocess.Popen(
        [COMMAND[0], "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    ) as looked:
        assert looked.stdout is not None
        assert looked.stdout.read().split() == [b"0", b"0", b"0", b"False"]


@pytest.mark.parametrize("kind", ["passphrase", "shamir"])
def test_a_plain_key_under_a_sealed_setting_says_what_to_do(tmp_path: Path, kind: str) -> None:
    """A service that was set up without a seal does not start as if it had one."""
    operator = Operator(tmp_path)
    operator.init()
    with operator.config.open("a") as settings:
        settings.write(f'[seal]\nkind = "{kind}"\n')
    refused = subprocess.run([*COMMAND, "run", "-c", str(operator.config)], capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert f"certworker seal enable --kind {kind}" in refused.stderr
