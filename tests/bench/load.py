"""The load: wrk, which costs so little that what is measured is the server. On loopback, for a bounded time."""

import json
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

TURN_SECONDS = 2
_RATE = re.compile(r"Requests/sec:\s+([\d.]+)")
_FAILED = re.compile(r"Non-2xx or 3xx responses: (\d+)|Socket errors: (.*)")


@dataclass(frozen=True)
class Load:
    """Requests of one kind to one server. A `{n}` in the path becomes one of a hundred numbers in turn."""

    port: int
    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | None = None

    def rate(self, folder: Path, connections: int) -> float:
        """Send requests over so many connections, and give the answers a second. Raises RuntimeError where any is refused."""
        script = folder / "load.lua"
        script.write_text(self._script())
        url = f"https://127.0.0.1:{self.port}/"
        done = subprocess.run(
            ["wrk", "-t1", f"-c{connections}", f"-d{TURN_SECONDS}s", "-s", str(script), url],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        if failed := _FAILED.search(done.stdout):
            raise RuntimeError(f"{self.method} {self.path}: {failed.group()}")
        found = _RATE.search(done.stdout)
        if found is None:
            raise RuntimeError(done.stdout)
        return float(found.group(1))

    def _script(self) -> str:
        lines = [f"wrk.method = {json.dumps(self.method)}"]
        lines += [f"wrk.headers[{json.dumps(name)}] = {json.dumps(value)}" for name, value in self.headers.items()]
        if self.body is not None:
            lines.append(f"wrk.body = {json.dumps(self.body)}")
        before, numbered, after = self.path.partition("{n}")
        path = f"{json.dumps(before)} .. (count % 100) .. {json.dumps(after)}" if numbered else json.dumps(self.path)
        lines += ["local count = 0", "request = function()", "  count = count + 1", f"  return wrk.format(nil, {path})", "end"]
        return "\n".join(lines) + "\n"
