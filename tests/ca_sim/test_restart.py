"""What is remembered over a restart, in one process and over a kill -9."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ca_sim.acme.jose import key_authorization, public_jwk
from ca_sim.acme.objects import Account, Authorization, Challenge, Status
from ca_sim.book import _FIRST as FIRST_SCHEMA
from ca_sim.book import Book
from ca_sim.clock import utc_now
from ca_sim.files import StateError
from ca_sim.identifiers import Identifier
from ca_sim.in_process import in_process
from ca_sim.planes import PlaneName
from ca_sim.server import ListenError, Running, serve_in_thread
from ca_sim.settings import read
from tests.ca_sim.caller import assert_problem, calling, make_csr, make_key
from tests.ca_sim.conftest import settings_for
from tests.ca_sim.responder import Responder
from tests.support.clock import START, FakeClock

ROOT = Path(__file__).resolve().parents[2]


def test_a_restart_remembers(tmp_path: Path, responder: Responder) -> None:
    """Root, account, pending order, certificate and revocation are as they were."""
    settings = settings_for(responder, state_directory=str(tmp_path / "state"))
    key = make_key()
    with serve_in_thread(settings, utc_now) as first, calling(first, key) as client:
        client.register()
        kept, revoked = (client.issue(responder, f"{name}.test") for name in ("kept", "revoked"))
        client.revoke(revoked)
        order = path_of(client.order("pending.test").headers["Location"])
        account = path_of(client.kid)
    # The port may be another one, so that only the path of a URL is the same.
    with serve_in_thread(settings, utc_now) as second, calling(second, key) as client:
        assert second.root_pem == first.root_pem
        assert client.register(onlyReturnExisting=True).status_code == 200
        assert path_of(client.kid) == account
        base = second.directory_url.removesuffix("/directory")
        assert client.post(base + order).json()["status"] == "pending"
        assert_problem(client.revoke(revoked), "alreadyRevoked", 400)
        assert client.revoke(kept).status_code == 200
        assert client.issue(responder, "after.test")
    assert (tmp_path / "state" / "root.pem").read_bytes() == second.root_pem


def test_work_that_was_cut_off_is_taken_up(tmp_path: Path, responder: Responder) -> None:
    """A challenge and an order that the book holds as being processed are finished after the start."""
    settings = settings_for(responder, state_directory=str(tmp_path))
    key = make_key()
    with serve_in_thread(settings, utc_now) as first, calling(first, key) as client:
        client.register()
        answered, (ready, _) = client.order("answered.test"), client.ready_order(responder, "ready.test")
        token = client.challenge(answered.json()["authorizations"][0])["token"]
    responder.show(token, key_authorization(token, public_jwk(key.public_key())))
    with closing(Book(tmp_path / "book.sqlite")) as book, book.transaction():
        authorization = book.authorization(answered.json()["authorizations"][0].rsplit("/", 1)[1])
        order = book.order(ready.rsplit("/", 1)[1])
        assert authorization is not None
        assert order is not None
        csr = x509.load_der_x509_csr(make_csr(["ready.test"])).public_bytes(Encoding.PEM).decode()
        book.put_authorization(authorization.answered("http-01"))
        book.put_order(order.finalized(csr, utc_now()))
    with serve_in_thread(settings, utc_now) as second, calling(second, key) as client:
        client.register()
        base = second.directory_url.removesuffix("/directory")
        assert client.settled(base + path_of(answered.headers["Location"]))["status"] == "ready"
        assert client.settled(base + path_of(ready))["status"] == "valid"


def test_a_validation_that_was_cut_off_is_taken_up_in_process(tmp_path: Path) -> None:
    """An authority in the caller's thread goes on where a server was killed."""
    settings = read({"state_directory": str(tmp_path), "validation": {"always_valid": True}})
    pending = Authorization(
        id="one",
        account_id="me",
        order_id="",
        identifier=Identifier("dns", "cut.test"),
        expires_at=START + timedelta(days=1),
        challenges=(Challenge(type="http-01", token="token"),),
    )
    with closing(Book(tmp_path / "book.sqlite")) as book, book.transaction():
        book.put_account(Account(id="me", jwk=public_jwk(make_key().public_key()), created_at=START))
        book.put_authorization(pending.answered("http-01"))
    with in_process(settings, FakeClock()) as authority:
        found = authority.house.book.authorization("one")
        assert found is not None
        assert found.status is Status.VALID


def test_an_order_in_work_of_the_first_release_is_issued(tmp_path: Path) -> None:
    """It does not say when it is ready, which would be never."""
    csr = x509.load_der_x509_csr(make_csr(["old.test"])).public_bytes(Encoding.PEM).decode()
    times = {"created_at": START.isoformat(), "expires_at": (START + timedelta(days=7)).isoformat()}
    name = {"type": "dns", "value": "old.test"}
    body = {"id": "one", "account_id": "me", "identifiers": [name], "profile": "classic", "authorization_ids": [], **times}
    with closing(sqlite3.connect(tmp_path / "book.sqlite")) as old:
        old.executescript(FIRST_SCHEMA)
        old.execute("PRAGMA user_version = 1")
        written = json.dumps(body | {"status": "processing", "csr": csr, "error": None, "serial": None}).encode()
        old.execute("INSERT INTO orders (id, account_id, status, body) VALUES ('one', 'me', 'processing', ?)", (written,))
        old.commit()
    with in_process(read({"state_directory": str(tmp_path)}), FakeClock()) as authority:
        book, jwk = authority.house.book, public_jwk(make_key().public_key())
        with book.transaction():
            book.put_account(Account(id="me", jwk=jwk, created_at=START))
        order = book.order("one")
        assert order is not None
        assert authority.house.acme.orders.current(order).status is Status.VALID


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    """And not that there is nothing to roll back; the next transaction is taken as soon as there is room."""
    with closing(Book(tmp_path / "book.sqlite")) as book:
        sql = book._sql
        (pages,) = sql.execute("PRAGMA page_count").fetchone()
        sql.execute(f"PRAGMA max_page_count = {pages + 1}")
        with pytest.raises(sqlite3.OperationalError, match="full"), book.transaction():
            book.put_document("room", "large", "x" * 100_000)
        sql.execute("PRAGMA max_page_count = 1000000")
        with book.transaction():
            book.put_document("room", "small", "x")
        assert [body for _, body in book.documents("room")] == ["x"]


def path_of(url: str) -> str:
    """Cut scheme, host and port off."""
    return "/" + url.split("/", 3)[3]


def test_two_authorities_share_nothing(tmp_path: Path, responder: Responder) -> None:
    """Each has its own root and its own accounts, with a state directory and in memory."""
    kept = settings_for(responder, state_directory=str(tmp_path / "a"))
    with serve_in_thread(kept, utc_now) as one, serve_in_thread(settings_for(responder), utc_now) as two:
        assert one.root_pem != two.root_pem
        key = make_key()
        with calling(one, key) as client, calling(two, key) as stranger:
            client.register()
            assert_problem(stranger.register(onlyReturnExisting=True), "accountDoesNotExist", 400)


def test_a_state_directory_is_used_by_one_at_a_time(tmp_path: Path, responder: Responder) -> None:
    """The second is told who is in its way."""
    settings = settings_for(responder, state_directory=str(tmp_path))
    with (
        serve_in_thread(settings, utc_now),
        pytest.raises(StateError, match="another ca-sim uses"),
        serve_in_thread(settings, utc_now),
    ):
        pass


def test_a_port_in_use_is_told(running: Running, responder: Responder) -> None:
    """The line names port and address."""
    port = int(running.management_url.rpartition(":")[2])
    for name in ("port", "management_port"):
        settings = settings_for(responder, **{name: port})
        with pytest.raises(ListenError, match=f"port {port} of 127.0.0.1 is in use"), serve_in_thread(settings, utc_now):
            pass


def test_a_book_of_a_newer_release_is_refused(tmp_path: Path, responder: Responder) -> None:
    """An older release does not touch it; what is no book at all is told as well."""
    settings = settings_for(responder, state_directory=str(tmp_path))
    with closing(sqlite3.connect(tmp_path / "book.sqlite")) as book:
        book.execute("PRAGMA user_version = 99")
    with pytest.raises(StateError, match="newer ca-sim"), serve_in_thread(settings, utc_now):
        pass
    (tmp_path / "book.sqlite").write_bytes(b"rubbish" * 1000)
    with pytest.raises(StateError, match="not a book"), serve_in_thread(settings, utc_now):
        pass


@contextmanager
def process(config: Path, ready: Path, *more: str, pass_fds: tuple[int, ...] = ()) -> Iterator[subprocess.Popen[str]]:
    """Run `ca-sim serve` until it is ready; kill it at the end if it still runs."""
    command = [sys.executable, "-m", "ca_sim.app", "serve", "-c", str(config), "--ready-file", str(ready), *more]
    ready.unlink(missing_ok=True)
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, pass_fds=pass_fds
    ) as started:
        try:
            for _ in range(1000):
                if ready.exists() or started.poll() is not None:
                    break
                time.sleep(0.01)
            yield started
        finally:
            started.kill()


def write_config(folder: Path, responder: Responder) -> Path:
    """Write settings with free ports and a state directory."""
    config = folder / "ca.toml"
    lines = ["port = 0", "management_port = 0", "public_port = 0", "retry_after_seconds = 0"]
    lines += [f"http01_port = {responder.port}", f'state_directory = "{folder / "state"}"']
    config.write_text("\n".join([*lines, "[digicert]", "port = 0", "[globalsign]", "port = 0"]))
    return config


def read_ready(ready: Path) -> Running:
    """Take the URLs and the bundle from the ready file."""
    document = json.loads(ready.read_text())
    bases = {PlaneName(name): url for name, url in document["bases"].items()}
    return Running(document["acme_directory"], bases, Path(document["ca_bundle"]).read_bytes())


def test_a_killed_process_goes_on_where_it_was(tmp_path: Path, responder: Responder) -> None:
    """Killed with an order ready and one being processed, the next process issues both."""
    config, ready, key = write_config(tmp_path, responder), tmp_path / "ready.json", make_key()
    with process(config, ready) as first, calling(read_ready(ready), key) as client:
        client.register()
        url, _ = client.ready_order(responder, "ready.test")
        other, order = client.ready_order(responder, "finalized.test")
        assert client.finalize(order, make_csr(["finalized.test"])).status_code == 200
        os.kill(first.pid, signal.SIGKILL)
        assert first.wait(10) == -signal.SIGKILL
    with process(config, ready), calling(read_ready(ready), key) as client:
        client.register(onlyReturnExisting=True)
        base = client.directory["newNonce"].split("/acme/")[0]
        assert client.settled(base + path_of(other))["status"] == "valid"
        order = client.post(base + path_of(url)).json()
        assert order["status"] == "ready"
        client.finalize(order, make_csr(["ready.test"]))
        assert client.settled(base + path_of(url))["status"] == "valid"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_cleanly(tmp_path: Path, responder: Responder, number: signal.Signals) -> None:
    """The status is 0, one line with the directory is printed, and the ready file is gone."""
    ready = tmp_path / "ready.json"
    with process(write_config(tmp_path, responder), ready) as started:
        running = read_ready(ready)
        assert httpx.get(f"{running.management_url}/status").status_code == 200
        started.send_signal(number)
        assert started.wait(5) == 0
        assert started.stdout is not None
        assert started.stdout.read() == f"ca-sim is ready: ACME directory {running.directory_url}\n"
    assert not ready.exists()


def test_it_ends_with_its_parent(tmp_path: Path, responder: Responder) -> None:
    """When the other end of the inherited pipe is closed, it stops."""
    reader, writer = os.pipe()
    more = ("--parent-fd", str(reader))
    with process(write_config(tmp_path, responder), tmp_path / "ready.json", *more, pass_fds=(reader,)) as started:
        os.close(reader)
        os.write(writer, b"still here")
        time.sleep(0.1)
        assert started.poll() is None
        os.close(writer)
        assert started.wait(5) == 0


@pytest.mark.parametrize(
    ("text", "more", "status", "says"),
    [
        ("prt = 1", (), 2, "prt is not a setting: did you mean port?"),
        ('listen_hosts = ["192.0.2.1"]', (), 1, "cannot listen on 192.0.2.1 port 14000"),
        ("port = 0\nmanagement_port = 0", ("--parent-fd", "77"), 1, "--parent-fd 77 is not an open pipe or socket"),
        ('state_directory = "/dev/null/state"', (), 1, "cannot use the state directory /dev/null/state"),
    ],
)
def test_a_bad_start_is_one_line(tmp_path: Path, text: str, more: tuple[str, ...], status: int, says: str) -> None:
    """Settings are status 2, everything else is 1, and there is no traceback."""
    config = tmp_path / "ca.toml"
    config.write_text(text)
    with process(config, tmp_path / "ready.json", *more) as started:
        _, errors = started.communicate(timeout=10)
        assert started.returncode == status
        assert says in errors
        assert errors.startswith("ca-sim: ")
        assert errors.count("\n") == 1


def test_the_settings_are_printed() -> None:
    """`ca-sim settings` gives the sample file."""
    command = [sys.executable, "-m", "ca_sim.app", "settings"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == (ROOT / "config" / "ca_sim.toml").read_text()
