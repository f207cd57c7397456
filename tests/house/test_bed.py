"""The test bed itself: the home, the names under .localhost, the clock and the marker for system programs."""

import asyncio
import os
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from tests.support.clock import FakeClock

ROOT = Path(__file__).resolve().parents[2]

NEEDY = """
import pytest

@pytest.mark.system("sh")
def test_has(): pass

@pytest.mark.system("no-such-program")
def test_lacks(): pass

@pytest.mark.installed("Makefile")
def test_finds(): pass

@pytest.mark.installed("no/such/packages")
def test_misses(): pass
"""


def run_needy_tests(folder: Path, *, ci: bool) -> subprocess.CompletedProcess[str]:
    """Run tests that have what they need and tests that lack it, in a folder of their own."""
    (folder / "test_needy.py").write_text(NEEDY)
    (folder / "pytest.ini").write_text("[pytest]\nmarkers =\n    system(program): a program\n    installed(path): packages\n")
    env = {name: value for name, value in os.environ.items() if name not in {"CI", "PYTEST_ADDOPTS"}}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-p", "no:cacheprovider", "-ra", str(folder)],
        cwd=folder,
        env=env | {"PYTHONPATH": str(ROOT)} | ({"CI": "true"} if ci else {}),
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_missing_program_skips_its_test(tmp_path: Path) -> None:
    """On a developer's machine the test is skipped and the reason says how to get the program."""
    result = run_needy_tests(tmp_path, ci=False)
    assert result.returncode == 0
    assert "2 passed, 2 skipped" in result.stdout
    assert "needs no-such-program: make setup-system installs it" in result.stdout
    assert "needs no/such/packages: make test-clients installs it" in result.stdout


def test_a_missing_program_is_a_failure_in_ci(tmp_path: Path) -> None:
    """With CI=true the same test counts against the run, for the same reason."""
    result = run_needy_tests(tmp_path, ci=True)
    assert result.returncode == 1
    assert "2 passed, 2 errors" in result.stdout
    assert "needs no-such-program: make setup-system installs it" in result.stdout
    assert "needs no/such/packages: make test-clients installs it" in result.stdout


@pytest.mark.parametrize("host", ["localhost", "vault.localhost", "a.b.LocalHost.", b"acme.localhost"])
def test_a_name_under_localhost_is_loopback(host: str | bytes) -> None:
    """The name resolves, and family, type and port are kept."""
    found = socket.getaddrinfo(host, 8443, socket.AF_INET, socket.SOCK_STREAM)
    assert [(family, kind, address) for family, kind, _, _, address in found] == [
        (socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 8443))
    ]


def test_a_name_that_only_looks_like_localhost_is_left_to_the_system() -> None:
    """A numeric address is passed through, and so is a request for one."""
    assert socket.getaddrinfo("127.0.0.2", 80, type=socket.SOCK_STREAM)[0][4] == ("127.0.0.2", 80)
    with pytest.raises(socket.gaierror):
        socket.getaddrinfo("notlocalhost", 80, flags=socket.AI_NUMERICHOST)
    with pytest.raises(socket.gaierror):
        socket.getaddrinfo("vault.localhost", 80, flags=socket.AI_NUMERICHOST)


def test_a_client_reaches_a_server_by_such_a_name() -> None:
    """Sockets and asyncio go through the same door."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        socket.create_connection(("vault.localhost", port), timeout=5).close()

        async def connect() -> None:
            _, writer = await asyncio.open_connection("management.localhost", port)
            writer.close()
            await writer.wait_closed()

        asyncio.run(connect())


def test_home_is_a_temporary_folder() -> None:
    """Neither home is the user's own, and no setting of the user's reaches a test."""
    assert Path.home().name.startswith("home")
    assert Path(os.environ["CERTWORKER_HOME"]).parent == Path.home()
    assert [name for name in os.environ if name.startswith(("CERTWORKER_", "XDG_"))] == ["CERTWORKER_HOME"]


def test_the_clock_stands_until_it_is_moved(clock: FakeClock) -> None:
    """It begins with 2026, moves by so much, and jumps."""
    assert clock() == clock() == datetime(2026, 1, 1, tzinfo=UTC)
    assert clock.advance(timedelta(days=90)) == clock() == datetime(2026, 4, 1, tzinfo=UTC)
    clock.set(datetime(2030, 1, 1, 2, tzinfo=timezone(timedelta(hours=2))))
    assert clock() == datetime(2030, 1, 1, tzinfo=UTC)
    assert clock().tzinfo is UTC


def test_the_clock_refuses_a_time_without_a_zone(clock: FakeClock) -> None:
    """A naive time would be somebody's guess."""
    with pytest.raises(ValueError, match="time zone"):
        clock.set(datetime(2026, 1, 1))  # noqa: DTZ001 - what is refused
