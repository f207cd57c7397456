"""The test bed: a home of its own, names under .localhost that resolve, and system programs that may be missing."""

import gc
import os
import shutil
import socket
import sys
from collections.abc import Generator, Iterator
from functools import wraps
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.support.clock import FakeClock

pytest_plugins = ("tests.support.postgresql", "tests.support.softhsm", "tests.support.statements", "tests.support.costs")

ROOT = Path(__file__).resolve().parent.parent


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keep the garbage collector away while everything is imported and collected: nearly all of it stays to the end."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


def pytest_collection_finish() -> None:
    """Let what was imported and collected, which stays to the end, be no work of the garbage collector."""
    gc.collect()
    gc.freeze()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test that lacks what it needs; with CI=true that is a failure, so CI never tests less in silence."""
    for reason in _lacks(item):
        if os.environ.get("CI") == "true":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)


def _lacks(item: pytest.Item) -> Iterator[str]:
    for program in _arguments(item, "system"):
        if shutil.which(program) is None:
            yield f"needs {program}: make setup-system installs it"
    for path in _arguments(item, "installed"):
        if not (ROOT / path).exists():
            yield f"needs {path}: make test-clients installs it"


def _arguments(item: pytest.Item, name: str) -> Iterator[str]:
    for marker in item.iter_markers(name):
        yield from marker.args


@pytest.fixture(scope="session", autouse=True)
def empty_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Point the home folders at an empty one, and drop the user's settings: no test reads or writes what is theirs."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("CERTWORKER_", "XDG_")):
                patch.delenv(name)
        patch.setenv("HOME", str(home))
        patch.setenv("CERTWORKER_HOME", str(home / "certworker"))
        yield


@pytest.fixture(scope="session", autouse=True)
def localhost_names() -> Iterator[None]:
    """Resolve `localhost` and every name under it to loopback, whatever the machine's own resolver says of them.

    RFC 6761 6.3 wants it so and many machines do not do it. The operating system's resolver is not ours to change, so
    only Python's door to it is wrapped, in this process: a program that a test starts, and uvloop, ask the system.
    """
    resolve = socket.getaddrinfo

    @wraps(resolve)
    def getaddrinfo(
        host: str | bytes | None,
        port: str | bytes | int | None,
        family: int = 0,
        type: int = 0,  # noqa: A002 - the signature is the standard library's
        proto: int = 0,
        flags: int = 0,
    ) -> Any:  # noqa: ANN401 - and so is what it returns
        if _is_localhost(host) and not flags & socket.AI_NUMERICHOST:
            host = "::1" if family == socket.AF_INET6 else "127.0.0.1"
        return resolve(host, port, family, type, proto, flags)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", getaddrinfo)
        yield


@pytest.fixture(scope="session", autouse=True)
def nothing_to_sniff() -> Iterator[None]:
    """Say once that there is no sniffio: httpx looks for it, along the whole path, at each call of an app in this process."""
    with pytest.MonkeyPatch.context() as patch:
        if find_spec("sniffio") is None:
            patch.setitem(sys.modules, "sniffio", None)
        yield


def _is_localhost(host: str | bytes | None) -> bool:
    if host is None:
        return False
    name = (host.decode("ascii", "replace") if isinstance(host, bytes) else host).lower().removesuffix(".")
    return name == "localhost" or name.endswith(".localhost")


@pytest.fixture
def clock() -> FakeClock:
    """Give a clock that stands at 2026-01-01T00:00:00Z until the test moves it."""
    return FakeClock()
