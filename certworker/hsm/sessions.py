"""Sessions with a token: a bounded pool of them, opened again after trouble, and never waited for without end."""

import logging
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from threading import BoundedSemaphore, Lock
from time import sleep
from typing import Any, Final, TypeVar

import pkcs11
from pkcs11.constants import Attribute, ObjectClass
from pkcs11.exceptions import PKCS11Error, SessionHandleInvalid, UserNotLoggedIn

from certworker.errors import Unavailable
from certworker.hsm.failures import STALE, PinRefused, TokenGone, is_trouble
from certworker.hsm.library import RESTART_PAUSE, Library, answers

MOST_KEYS: Final = 256
"""Keys whose handles a session remembers."""
TRIES: Final = 2
STALE_TRIES: Final = 4
"""How often work is begun: more often where only a key has to be looked for again."""
BUSY_RETRY: Final = timedelta(seconds=1)
GONE_RETRY: Final = timedelta(seconds=5)

_LOGGED_IN = (0x0, 0x100)  # CKR_OK, CKR_USER_ALREADY_LOGGED_IN: a process is logged in as a whole
_PIN_ANSWERS = (0xA0, 0xA1, 0xA2, 0xA3, 0xA4, 0x102)  # CKR_PIN_*, CKR_USER_PIN_NOT_INITIALIZED
_USER_STATES: Final[tuple[int | None, ...]] = (1, 3)  # CKS_RO_USER_FUNCTIONS, CKS_RW_USER_FUNCTIONS
OPENING_PAUSES: Final = (0.05, RESTART_PAUSE)
"""Seconds between the looks for a token at the start."""
T = TypeVar("T")
Key = Any
"""python-pkcs11 makes the class of a key when it finds it, by what the key can do."""
_log = logging.getLogger(__name__)


class SessionsTaken(Unavailable):
    """There is no session to be had: what the token would say is not known."""


class TokenSession:
    """One session. Handles of keys are its own, and one thread has it at a time."""

    def __init__(self, library: Library, session: pkcs11.Session) -> None:
        self.session = session
        self.handle: int = session.handle  # type: ignore[attr-defined]  # it is there; the stubs do not tell
        self.generation = library.generation
        self._library = library
        self._keys: OrderedDict[tuple[ObjectClass, bytes], Key] = OrderedDict()

    def key(self, kind: ObjectClass, key_id: bytes) -> Key | None:
        """Find a key by its CKA_ID. Raises a PKCS11Error where the token does not answer."""
        name = (kind, key_id)
        found = self._keys.get(name)
        if found is None:
            found = next(iter(self.find({Attribute.CLASS: kind, Attribute.ID: key_id})), None)
            if found is None:
                return None
            self._keys[name] = found
            if len(self._keys) > MOST_KEYS:
                self._keys.popitem(last=False)
        self._keys.move_to_end(name)
        return found

    def find(self, attributes: dict[Attribute, Any]) -> list[Key]:
        """Find objects. Nothing is found, and nothing said, where a session is not logged in or its token is gone: so ask."""
        self.check()
        found = list(self.session.get_objects(attributes))
        if not found and not answers(self.session.token.slot):
            raise TokenGone
        return found

    def check(self) -> None:
        """Make sure that the session is open and logged in."""
        state = self._library.session_state(self.handle)
        if state is None:
            raise SessionHandleInvalid
        if state not in _USER_STATES:
            raise UserNotLoggedIn

    def works(self) -> bool:
        """Tell whether the session and its token answer, so that an unclear error was about what was asked for."""
        return self._library.session_state(self.handle) in _USER_STATES and answers(self.session.token.slot)

    def forget_keys(self) -> None:
        """Forget the handles."""
        self._keys.clear()


class SessionPool:
    """At most `size` sessions with the token of a label, opened when they are needed."""

    def __init__(self, library: Library, label: str, pin: str, size: int, wait_seconds: float) -> None:
        self._library = library
        self._label = label
        self._pin = pin
        self._size = size
        self._wait_seconds = wait_seconds
        self._free = BoundedSemaphore(size)
        self._idle: deque[TokenSession] = deque()
        self._lock = Lock()
        self._closed = False
        self._pin_refused = False

    def run(self, work: Callable[[TokenSession], T]) -> T:
        """Do work in a session; once more in a new one, after trouble. Work may thus be begun several times.

        Raises Unavailable where all sessions stay taken, or the token does not answer; other errors of the token as they are.
        """
        with self._turn():
            tries = 0
            while True:
                try:
                    return self._attempt(work)
                except PKCS11Error as error:
                    self._check_worth(error)
                    tries += 1
                    if tries >= (STALE_TRIES if isinstance(error, STALE) else TRIES):
                        raise self._gone(error) from None
                    self._recover(error)

    def open_one(self) -> pkcs11.Token:
        """Open a session, to be the first idle one; give its token. Raises TokenGone, PinRefused."""
        for pause in OPENING_PAUSES:
            with suppress(TokenGone):
                return self._open_first()
            # SoftHSM writes the state of its token at each log-in. Whoever opens the library in that moment sees none, until it
            # is opened anew: of processes that start together, one may
            sleep(pause)
            self._library.restart(self._library.generation, self._wait_seconds)
        return self._open_first()

    def _open_first(self) -> pkcs11.Token:
        with self._library.using():
            session = self._open()
            self._put_back(session)
        return session.session.token

    def close(self) -> None:
        """Close the sessions: those in use when they come back."""
        self._closed = True
        self._drop_idle()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if self._closed:
            raise SessionsTaken("The hardware token is not used any more: this process is about to end.", BUSY_RETRY)
        if not self._free.acquire(timeout=self._wait_seconds):
            raise SessionsTaken(
                f"All {self._size} sessions with the hardware token were taken for {self._wait_seconds:g} seconds. Try again.",
                BUSY_RETRY,
            )
        try:
            yield
        finally:
            self._free.release()

    def _attempt(self, work: Callable[[TokenSession], T]) -> T:
        with self._library.using():
            session = self._take() or self._open()
            usable = False
            try:
                result = work(session)
                usable = True
            except PKCS11Error as error:
                usable = not is_trouble(error) or isinstance(error, STALE)
                session.forget_keys()
                raise
            except Exception:
                usable = True  # not the token's
                raise
            finally:
                if usable:
                    self._put_back(session)
                else:
                    self._drop(session)
        return result

    def _take(self) -> TokenSession | None:
        with self._lock:
            while self._idle:
                session = self._idle.pop()  # the one used last: it knows the keys that are in use
                if session.generation == self._library.generation:
                    return session
        return None

    def _put_back(self, session: TokenSession) -> None:
        with self._lock:
            if not self._closed:
                self._idle.append(session)
                return
        self._drop(session)

    def _open(self) -> TokenSession:
        if self._pin_refused:
            raise PinRefused
        session = TokenSession(self._library, self._token().open(rw=True))
        answer = self._library.login(session.handle, self._pin)
        if answer in _LOGGED_IN:
            return session
        self._drop(session)
        if answer in _PIN_ANSWERS:
            self._pin_refused = True
            raise PinRefused
        raise TokenGone

    def _token(self) -> pkcs11.Token:
        return find_token(self._library, self._label)

    def _drop(self, session: TokenSession) -> None:
        # after the library was opened again, the same handle may be another's
        if session.generation == self._library.generation:
            with suppress(PKCS11Error):
                session.session.close()

    def _drop_idle(self) -> None:
        with self._lock:
            idle = list(self._idle)
            self._idle.clear()
        with suppress(TokenGone), self._library.using():
            for session in idle:
                self._drop(session)

    def _recover(self, error: PKCS11Error) -> None:
        """Make room for a new beginning: some libraries see a token again only after they were opened again."""
        seen = self._library.generation
        if not self._is_there():
            self._library.restart(seen, self._wait_seconds)
        elif isinstance(error, STALE):
            # another process changed something: SoftHSM says so of keys that are there, too
            _log.info("the hardware token says %s: the key is looked for again", _name(error))
            return
        _log.warning("the hardware token says %s: its sessions are opened anew", _name(error))
        self._drop_idle()

    def _check_worth(self, error: PKCS11Error) -> None:
        """Raise what another session cannot change."""
        if isinstance(error, PinRefused):
            raise self._gone(error) from None
        if not is_trouble(error):
            raise error

    def _is_there(self) -> bool:
        try:
            with self._library.using():
                self._token()
        except PKCS11Error:
            return False
        return True

    def _gone(self, error: PKCS11Error) -> Unavailable:
        if isinstance(error, PinRefused):
            return Unavailable("The hardware token refuses the PIN that this process was started with.", GONE_RETRY)
        return Unavailable(f"The hardware token {self._label} does not answer ({_name(error)}). Try again later.", GONE_RETRY)


def _name(error: PKCS11Error) -> str:
    return type(error).__name__


def find_token(library: Library, label: str) -> pkcs11.Token:
    """Find the token of a label. Raises TokenGone."""
    for slot in library.slots():
        with suppress(PKCS11Error):  # a slot whose token does not answer is not the one
            token = slot.get_token()
            if token.label == label:
                return token
    raise TokenGone
