"""The reference: OpenBao with transit and KV v2, raft storage, TLS and a file audit device, in a process of its own."""

import json
import os
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import httpx

from certworker.cli.sockets import free_port
from tests.bench.load import Load

PROGRAM = Path(sys.executable).with_name("bao")
_START_SECONDS = 30.0
_SETTINGS = """
storage "raft" {{ path = "{folder}/raft" node_id = "one" }}
listener "tcp" {{
  address = "127.0.0.1:{port}" cluster_address = "127.0.0.1:{cluster}"
  tls_cert_file = "{folder}/tls.pem" tls_key_file = "{folder}/tls.key"
}}
audit "file" "file" {{ options = {{ file_path = "{folder}/audit.log" }} }}
api_addr = "https://127.0.0.1:{port}"
cluster_addr = "https://127.0.0.1:{cluster}"
log_level = "error"
"""


@dataclass(frozen=True)
class OpenBao:
    """Where it listens, and the loads that are like ours."""

    port: int
    token: str

    def load(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Load:
        """Describe a load."""
        return Load(self.port, method, path, {"X-Vault-Token": self.token}, json.dumps(body) if body else None)

    @property
    def secret_get(self) -> Load:
        """Read a secret."""
        return self.load("GET", "/v1/kv/data/secret")

    @property
    def secret_set(self) -> Load:
        """Write one of a hundred secrets."""
        return self.load("POST", "/v1/kv/data/set-{n}", {"data": {"value": "v" * 32}})

    def sign(self, key: str) -> Load:
        """Sign a digest."""
        body = {"input": b64encode(b"\1" * 32).decode(), "prehashed": True, "signature_algorithm": "pkcs1v15"}
        return self.load("POST", f"/v1/transit/sign/{key}/sha2-256", body)

    @property
    def encrypt(self) -> Load:
        """Encrypt 32 bytes with AES-GCM."""
        return self.load("POST", "/v1/transit/encrypt/aes", {"plaintext": b64encode(b"p" * 32).decode()})


@contextmanager
def openbao(folder: Path, certificate: bytes, key: bytes) -> Iterator[OpenBao]:
    """Start it in `folder`, unsealed and with what the loads need, until the block ends."""
    folder.mkdir()
    (folder / "raft").mkdir()
    (folder / "tls.pem").write_bytes(certificate)
    (folder / "tls.key").write_bytes(key)
    port, cluster = free_port(0), free_port(0)
    (folder / "bao.hcl").write_text(_SETTINGS.format(folder=folder, port=port, cluster=cluster))
    with (folder / "output.txt").open("wb") as output:
        process = subprocess.Popen(
            [PROGRAM, "server", f"-config={folder / 'bao.hcl'}"],
            stdout=output,
            stderr=output,
            env={**os.environ, "HOME": str(folder), "BAO_DISABLE_MLOCK": "true"},
        )
        try:
            yield _set_up(port, folder, process)
        finally:
            process.terminate()
            process.wait(20)


def _set_up(port: int, folder: Path, process: "subprocess.Popen[bytes]") -> OpenBao:
    with httpx.Client(base_url=f"https://127.0.0.1:{port}/v1/", verify=False, timeout=30) as client:  # noqa: S501  # loopback
        _wait(client, folder, process)
        opened = _ask(client, "PUT", "sys/init", {"secret_shares": 1, "secret_threshold": 1})
        _ask(client, "PUT", "sys/unseal", {"key": opened["keys"][0]})
        client.headers["X-Vault-Token"] = opened["root_token"]
        deadline = monotonic() + _START_SECONDS
        while client.get("sys/leader").json().get("is_self") is not True and monotonic() < deadline:
            sleep(0.1)
        _ask(client, "POST", "sys/mounts/kv", {"type": "kv", "options": {"version": "2"}})
        _ask(client, "POST", "sys/mounts/transit", {"type": "transit"})
        for name, kind in (("rsa", "rsa-2048"), ("ec", "ecdsa-p256"), ("aes", "aes256-gcm96")):
            _ask(client, "POST", f"transit/keys/{name}", {"type": kind})
        _ask(client, "POST", "kv/config", {"max_versions": 10})
        _until_it_writes(client)
    return OpenBao(port, opened["root_token"])


def _wait(client: httpx.Client, folder: Path, process: "subprocess.Popen[bytes]") -> None:
    deadline = monotonic() + _START_SECONDS
    while monotonic() < deadline and process.poll() is None:
        try:
            client.get("sys/health")
        except httpx.TransportError:
            sleep(0.1)
        else:
            return
    raise RuntimeError((folder / "output.txt").read_text())


def _until_it_writes(client: httpx.Client) -> None:
    """Wait: a new KV v2 upgrades itself for a moment, in which it takes nothing."""
    deadline = monotonic() + _START_SECONDS
    while client.post("kv/data/secret", json={"data": {"value": "v" * 32}}).is_error and monotonic() < deadline:
        sleep(0.2)


def _ask(client: httpx.Client, method: str, path: str, body: Mapping[str, Any]) -> Any:  # noqa: ANN401  # JSON
    answer = client.request(method, path, json=body)
    if answer.is_error:
        raise RuntimeError(f"{method} {path}: {answer.text}")
    return answer.json() if answer.content else None
