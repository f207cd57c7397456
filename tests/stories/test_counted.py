"""One port tells what all processes of a service have counted, whatever becomes of them."""

import os
import re
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.stories.test_run import Operator, until

pytestmark = pytest.mark.long

VARIABLE = b"CERTWORKER_COUNTERS="
JUNK = "j0nk"
TOKEN = "eyJ0.not-a-token-that-anybody-may-see.x"
TOTAL = re.compile(r'certworker_http_requests_total\{method="(\w+)",plane="vault",status="\d+"\} ([\d.e+]+)')


class Counted:
    """A service with two API processes and a worker, who is asked and scraped."""

    def __init__(self, operator: Operator) -> None:
        self.operator = operator

    def ask(self, number: int) -> int:
        """Ask for a secret over a connection of its own, with a name, a host and a token that are junk; give the status."""
        host = f"{'main' if number % 2 else f'{JUNK}{number}'}.vault.localhost:{self.operator.port}"
        headers = {"Host": host, "Authorization": f"Bearer {TOKEN}"}
        url = f"https://127.0.0.1:{self.operator.port}/secrets/{JUNK}{number}?api-version=2025-07-01"
        method = "PROPFIND" if number % 10 == 0 else "GET"
        return httpx.request(method, url, headers=headers, verify=False).status_code  # noqa: S501  # by an address

    def scrape(self) -> str:
        """Scrape the service."""
        answer = httpx.get(f"http://127.0.0.1:{self.operator.metrics_port}/metrics")
        assert answer.status_code == 200, answer.text
        return answer.text

    def total(self) -> int:
        """Sum up how many requests to vaults were counted."""
        return sum(int(float(count)) for _, count in TOTAL.findall(self.scrape()))


def children_of(process: "subprocess.Popen[str]") -> list[int]:
    """List the processes of a service."""
    return [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


def role_of(pid: int) -> str:
    """Tell what a process of a service is for."""
    return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[3].decode()


def folder_of(pid: int) -> Path:
    """Find the folder that a process counts in."""
    found = next(entry for entry in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0") if entry.startswith(VARIABLE))
    return Path(found.removeprefix(VARIABLE).decode())


def test_the_sum_is_what_was_asked(tmp_path: Path) -> None:
    """Under load, over a reload and a killed process, no request is lost and none is told twice; no junk is a label."""
    operator = Operator(tmp_path)
    operator.config.write_text(operator.config.read_text().replace("[server]\n", "[server]\nprocesses = 2\n"))
    operator.init()
    service, seen = Counted(operator), []
    with operator.running() as process, ThreadPoolExecutor(4) as asking:
        folder = folder_of(children_of(process)[0])
        assert {folder_of(pid) for pid in children_of(process)} == {folder}
        assert folder.stat().st_mode & 0o777 == 0o700

        asked = [asking.submit(service.ask, number) for number in range(60)]
        seen.append(service.total())
        process.send_signal(signal.SIGHUP)
        until(lambda: "The settings were read again" in operator.output(), 60)
        asked += [asking.submit(service.ask, number) for number in range(60, 100)]
        assert {one.result(30) for one in asked} == {401, 404}
        seen.append(service.total())
        assert seen[-1] == 100

        killed = next(pid for pid in children_of(process) if role_of(pid) == "api")
        os.kill(killed, signal.SIGKILL)
        until(lambda: not (folder / f"counter_{killed}.db").exists())
        until(lambda: sum(role_of(pid) == "api" for pid in children_of(process)) == 2)
        seen += [service.total(), *(service.ask(number) and service.total() for number in range(100, 105))]
        assert seen[2:] == [100, 101, 102, 103, 104, 105]

        until(lambda: 'process_exits_total{how="SIGKILL",role="api"} 1.0' in service.scrape())
        until(lambda: 'process_starts_total{role="api"} 5.0' in service.scrape())  # two, two after the reload, and one
        text = service.scrape()
        assert 'certworker_process_exits_total{how="SIGKILL",role="worker"} 0.0' in text
        assert 'certworker_vault_operations_total{operation="Authentication",result="refused"} ' in text
        assert 'certworker_vault_requests_total{result="refused",vault="main"} 52.0' in text
        assert re.search(r'certworker_scheduler_runs_total\{group="issuance",result="idle"\} [1-9]', text)
        assert 'method="other",plane="vault"' in text
        assert JUNK not in text.lower()
        assert TOKEN not in text
        assert len(list(folder.glob("counter_*.db"))) <= 5  # of three processes and their supervisor, and of all that ended
    assert not folder.exists()
