"""The command line, called in this process against a service over TLS; standard streams are pipes, as in a script."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from certworker.cli.main import app
from certworker.worker.rounds import Rounds
from tests.api.world import TestAuthority, World


@dataclass(frozen=True)
class Said:
    """What a command said, and what it ended with."""

    code: int
    out: str
    raw: bytes
    err: str

    @property
    def json(self) -> Any:  # noqa: ANN401 - any JSON
        """Read standard output as JSON."""
        return json.loads(self.out)

    def table(self) -> list[list[str]]:
        """Read standard output as rows of columns, its head left out."""
        return [line.split() for line in self.out.splitlines()[1:]]


@dataclass(frozen=True)
class Terminal:
    """Calls commands; its configuration lies in `folder`, and nothing of it is in the environment unless it is put there."""

    world: World
    authority: TestAuthority
    folder: Path

    def environment(self) -> dict[str, str]:
        """Say by the environment where to go, and as whom."""
        return {
            "CERTWORKER_VAULT_URL": self.world.vault_url,
            "CERTWORKER_CLIENT_ID": self.world.administrator.client_id,
            "CERTWORKER_CLIENT_SECRET": self.world.client_secret,
            "CERTWORKER_CA_BUNDLE": str(self.authority.bundle),
        }

    def __call__(self, *words: str, stdin: str | bytes = b"", **environment: str) -> Said:
        """Call a command that must go well, as the administrator."""
        said = self.try_(*words, stdin=stdin, **environment)
        assert said.code == 0, said
        return said

    def try_(self, *words: str, stdin: str | bytes = b"", **environment: str) -> Said:
        """Call a command, as the administrator, whatever comes of it."""
        return self.bare(*words, stdin=stdin, **(self.environment() | environment))

    def bare(self, *words: str, stdin: str | bytes = b"", **environment: str) -> Said:
        """Call a command that knows nothing but what is given."""
        fixed = {"XDG_CONFIG_HOME": str(self.folder), "CERTWORKER_HOME": str(self.folder / "home"), "COLUMNS": "200"}
        result = CliRunner().invoke(app, words, input=stdin, env={**fixed, **environment})
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert self.world.client_secret not in result.output
        return Said(result.exit_code, result.stdout_bytes.decode("utf-8", "replace"), result.stdout_bytes, result.stderr)


@contextmanager
def working(world: World) -> Iterator[None]:
    """Let a worker do what is due for as long as this lasts."""
    rounds, stop = Rounds(world.house, "test-worker"), threading.Event()

    def work() -> None:
        while not stop.wait(0.02):
            rounds.run_due(world.clock())

    worker = threading.Thread(target=work, name="worker")
    worker.start()
    try:
        yield
    finally:
        stop.set()
        worker.join()
