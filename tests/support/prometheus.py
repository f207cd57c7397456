"""A real Prometheus on loopback, with a folder of its own."""

import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.support.ports import free_ports

START_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Series:
    """A series that a query gave: its labels and its value."""

    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True, slots=True)
class Course:
    """A series over time: its labels, the times in Unix seconds, and the value at each."""

    labels: Mapping[str, str]
    times: tuple[float, ...]
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A running Prometheus."""

    client: httpx.Client

    def ask(self, expression: str) -> list[Series]:
        """Evaluate an expression now. Raises AssertionError with what Prometheus has against it."""
        answer = self._call("query", query=expression)
        if answer["resultType"] == "scalar":
            return [Series({}, float(answer["result"][1]))]
        return [Series(found["metric"], float(found["value"][1])) for found in answer["result"]]

    def ask_range(self, expression: str, seconds: float) -> list[Course]:
        """Evaluate an expression for each of the last seconds."""
        end = time.time()  # noqa: TID251  # Prometheus lives in real time
        answer = self._call("query_range", query=expression, start=str(end - seconds), end=str(end), step="1")
        return [
            Course(
                found["metric"],
                tuple(float(at) for at, _ in found["values"]),
                tuple(float(value) for _, value in found["values"]),
            )
            for found in answer["result"]
        ]

    def values_of(self, label: str, selector: str) -> list[str]:
        """List the values of a label, as the variables of a dashboard do."""
        found: list[str] = self._call(f"label/{label}/values", **{"match[]": selector})
        return found

    def rules(self) -> list[dict[str, Any]]:
        """List the rules as they stand."""
        return [rule for group in self._call("rules")["groups"] for rule in group["rules"]]

    def _call(self, what: str, **parameters: str) -> Any:  # noqa: ANN401 - whatever the call gives
        answer = self.client.get(f"/api/v1/{what}", params=parameters).json()
        assert answer["status"] == "success", f"{parameters}: {answer.get('error')}"
        return answer["data"]


@contextmanager
def running_prometheus(folder: Path, settings: Path) -> Iterator[Prometheus]:
    """Run Prometheus with settings until the block ends. Needs the program `prometheus`."""
    folder.mkdir(parents=True, exist_ok=True)
    (port,) = free_ports(1)
    command = ["prometheus", f"--config.file={settings}", f"--storage.tsdb.path={folder / 'data'}"]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"]
    output = folder / "prometheus.txt"
    with output.open("wb") as said:
        process = subprocess.Popen(command, stdout=said, stderr=said)
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
                _wait(process, client, output)
                yield Prometheus(client)
        finally:
            process.terminate()
            process.wait(20)


def _wait(process: "subprocess.Popen[bytes]", client: httpx.Client, output: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            if client.get("/-/ready").is_success:
                return
        except httpx.TransportError:
            time.sleep(0.1)
        if process.poll() is not None or time.monotonic() > deadline:
            raise AssertionError(output.read_text())
