"""Sessions with a token: pooled, opened again after trouble, and never waited for without end."""

import ctypes
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep
from uuid import uuid4

import pytest
from pkcs11.exceptions import DeviceRemoved, SessionClosed

from certworker.crypto.keys import KeyKind
from certworker.crypto.usable import UsableKey
from certworker.errors import SetupError, Unavailable
from certworker.hsm.sessions import TokenSession
from certworker.hsm.token import Token, open_token
from certworker.settings import HsmSettings
from tests.support.softhsm import LABEL, PIN, SoftToken, softhsm_module

pytestmark = pytest.mark.system("softhsm2-util")

EC = KeyKind("EC", None, "P-256")
DIGEST = bytes(32)


def make(token: Token) -> UsableKey:
    """Make an EC key and load it."""
    made = token.generate(uuid4().hex, EC)
    return token.use(made.id, EC, made.public_key)


def signs(key: UsableKey) -> bool:
    """Tell whether a key signs."""
    return key.verify("ES256", DIGEST, key.sign("ES256", DIGEST))


@contextmanager
def removed(soft_token: SoftToken) -> Iterator[None]:
    """Take the token away, and bring it back."""
    hidden = soft_token.path.parent.parent / "away"
    soft_token.path.rename(hidden)
    try:
        yield
    finally:
        hidden.rename(soft_token.path)


def eventually(attempt: Callable[[], bool]) -> bool:
    """Try again for as long as the library is let alone between two openings."""
    until = monotonic() + 5
    while monotonic() < until:
        with suppress(Unavailable):
            return attempt()
        sleep(0.05)
    return False


def test_many_threads_share_a_few_sessions(soft_token: SoftToken) -> None:
    """Sixteen threads sign through three sessions, and every signature is right."""
    with open_token(soft_token.settings.model_copy(update={"sessions": 3, "wait_seconds": 30})) as token:
        keys = [make(token) for _ in range(4)]
        with ThreadPoolExecutor(16) as threads:
            assert all(threads.map(signs, keys * 30))
        assert len(token._pool._idle) <= 3


def test_exhaustion_is_unavailable_and_not_a_hang(soft_token: SoftToken) -> None:
    """When all sessions stay taken, the next caller is told to come again, and served once one is free."""
    with open_token(soft_token.settings.model_copy(update={"sessions": 2, "wait_seconds": 0.2})) as token:
        key = make(token)
        taken, done = threading.Semaphore(0), threading.Event()

        def hold(_: TokenSession) -> None:
            taken.release()
            assert done.wait(10)

        with ThreadPoolExecutor(2) as threads:
            holders = [threads.submit(token.run, hold) for _ in range(2)]
            for _ in holders:
                assert taken.acquire(timeout=10)
            began = monotonic()
            with pytest.raises(Unavailable, match="All 2 sessions") as caught:
                key.sign("ES256", DIGEST)
            assert monotonic() - began < 2
            assert caught.value.retry_after
            done.set()
        assert all(holder.exception() is None for holder in holders)
        assert signs(key)


@pytest.mark.parametrize("error", [SessionClosed, DeviceRemoved])
def test_work_is_done_again_in_a_new_session(token: Token, error: type[Exception]) -> None:
    """A session that breaks down is not used again, and its work is done in another."""
    sessions = []

    def work(session: TokenSession) -> str:
        sessions.append(session)
        if len(sessions) == 1:
            raise error
        return "done"

    assert token.run(work) == "done"
    assert len(sessions) == 2
    assert sessions[0] is not sessions[1]


def test_trouble_that_stays_is_unavailable(token: Token) -> None:
    """After two sessions that broke down, the caller is told to come again."""
    tries = []

    def work(session: TokenSession) -> None:
        tries.append(session)
        raise DeviceRemoved

    with pytest.raises(Unavailable, match=r"does not answer \(DeviceRemoved\)") as caught:
        token.run(work)
    assert len(tries) == 2
    assert caught.value.retry_after


def test_sessions_that_were_closed_behind_its_back_are_opened_again(token: Token) -> None:
    """A pool whose sessions are all invalid goes on."""
    key = make(token)
    for session in list(token._pool._idle):
        session.session.close()
    assert signs(key)


def test_a_login_that_was_lost_is_made_again(token: Token) -> None:
    """Somebody else in this process logs out: a key is neither missing nor refused for that."""
    key = make(token)
    other = make(token)
    logout = token._pool._library._function(19, ctypes.c_ulong)
    assert token.run(lambda session: logout(session.handle)) == 0
    assert signs(key)
    assert token.run(lambda session: logout(session.handle)) == 0
    token.run(TokenSession.forget_keys)
    assert signs(other)


def test_a_token_that_goes_away_and_comes_back(soft_token: SoftToken) -> None:
    """While it is gone, all is Unavailable, quickly; when it is back, the same keys sign, in every pool of the process."""
    with open_token(soft_token.settings) as token, open_token(soft_token.settings) as another:
        key, kept = make(token), make(another)
        key_id = uuid4().hex
        with removed(soft_token):
            began = monotonic()
            for attempt in (
                lambda: key.sign("ES256", DIGEST),
                lambda: token.generate(key_id, EC),
                lambda: token.use(key_id, EC, b""),
                lambda: kept.sign("ES256", DIGEST),
                lambda: token.destroy(key_id),
            ):
                with pytest.raises(Unavailable, match="does not answer"):
                    attempt()
            assert monotonic() - began < 5
        assert eventually(lambda: signs(key))
        assert eventually(lambda: signs(kept))
        assert signs(make(token))


def test_threads_at_work_outlive_the_removal(soft_token: SoftToken) -> None:
    """Threads that sign while the token is taken away get Unavailable or a right signature, and nothing else."""
    with open_token(soft_token.settings) as token:
        key, stop = make(token), threading.Event()

        def work() -> int:
            count = 0
            while not stop.is_set():
                with suppress(Unavailable):
                    assert signs(key)
                    count += 1
            return count

        with ThreadPoolExecutor(6) as threads:
            workers = [threads.submit(work) for _ in range(6)]
            sleep(0.2)
            with removed(soft_token):
                sleep(0.3)
            assert eventually(lambda: signs(key))
            stop.set()
            assert sum(worker.result(20) for worker in workers) > 0


def test_a_closed_pool_says_so(soft_token: SoftToken) -> None:
    """After its end a pool gives no sessions, and another pool of the process is not disturbed by that."""
    with open_token(soft_token.settings) as staying:
        with open_token(soft_token.settings) as leaving:
            key, lost = make(staying), make(leaving)
        with pytest.raises(Unavailable, match="not used any more"):
            lost.sign("ES256", DIGEST)
        assert signs(key)


def test_the_setting_that_is_wrong_is_named(soft_token: SoftToken, tmp_path: Path) -> None:
    """A wrong library, label or PIN stops the start, in words that name it and do not tell the PIN."""
    right = soft_token.settings
    wrong_pin, open_pin, empty_pin = (tmp_path / name for name in ("wrong", "open", "empty"))
    for path, text, mode in ((wrong_pin, "not-the-pin-77", 0o600), (open_pin, PIN, 0o640), (empty_pin, "", 0o600)):
        path.write_text(text)
        path.chmod(mode)
    text_file = tmp_path / "text.so"
    text_file.write_text("no library")
    wrongs: list[tuple[dict[str, object], str]] = [
        ({"module": tmp_path / "missing.so"}, r"hsm\.module: .*missing\.so is no PKCS#11 library"),
        ({"module": text_file}, r"hsm\.module: .*text\.so is no PKCS#11 library"),
        ({"module": Path("libc.so.6")}, r"hsm\.module: libc\.so\.6 is no PKCS#11 library"),
        ({"token_label": "another"}, r"hsm\.token_label: .* has no token another"),
        ({"pin_file": wrong_pin}, "refuses the user PIN in .*wrong"),
        ({"pin_file": open_pin}, r"hsm\.pin_file: .* is open to others"),
        ({"pin_file": empty_pin}, r"hsm\.pin_file: .* is empty"),
        ({"pin_file": tmp_path / "none"}, r"hsm\.pin_file: .* cannot be read"),
        ({"pin_file": None, "pin_env": "NO_SUCH_PIN"}, r"hsm\.pin_env: the environment has no variable NO_SUCH_PIN"),
    ]
    for changes, words in wrongs:
        with pytest.raises(SetupError, match=words) as caught, open_token(right.model_copy(update=changes)):
            pass
        assert PIN not in str(caught.value)
        assert "not-the-pin-77" not in str(caught.value)


def test_the_pin_comes_from_the_environment() -> None:
    """A variable that the settings name holds the PIN."""
    settings = HsmSettings(module=softhsm_module(), token_label=LABEL, pin_env="TOKEN_PIN")
    with open_token(settings, {"TOKEN_PIN": PIN}) as token:
        assert signs(make(token))


def test_a_pin_that_was_changed_is_tried_once(soft_token: SoftToken, caplog: pytest.LogCaptureFixture) -> None:
    """A PIN that is refused while running is not tried again: the token would lock itself."""
    with open_token(soft_token.settings) as token:
        key = make(token)
        pool = token._pool
        pool._pin = "changed-elsewhere"
        for session in list(pool._idle):
            session.session.close()
        for _ in range(2):
            with pytest.raises(Unavailable, match="refuses the PIN"):
                key.sign("ES256", DIGEST)
        assert pool._pin_refused
    assert "changed-elsewhere" not in caplog.text
