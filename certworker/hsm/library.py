"""A PKCS#11 library in this process, of which there is one, whoever uses it.

The library is told that threads call it (PKCS#11 2.40 section 5.4, CKF_OS_LOCKING_OK), which python-pkcs11 does not do: without
that SoftHSM, for one, takes no locks. Nothing is in a call while the library is closed and opened again.
"""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from threading import Condition
from time import monotonic
from typing import Final

from pkcs11 import _pkcs11
from pkcs11.exceptions import PKCS11Error
from pkcs11.types import Slot

from certworker.errors import SetupError
from certworker.hsm.failures import TokenGone

RESTART_PAUSE: Final = 1.0
"""Seconds between two attempts to open the library again: a token that is gone must not keep the process busy."""

LONGEST_RESTART: Final = 10.0
"""Seconds that a caller waits for the library to be opened again."""

_OK, _ALREADY_INITIALIZED = 0x0, 0x191
_OS_LOCKING_OK = 0x2
_FUNCTIONS = 68
_INITIALIZE, _FINALIZE, _GET_SESSION_INFO, _LOGIN = 0, 1, 15, 18  # places in CK_FUNCTION_LIST
_USER = 1


class _InitializeArguments(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("create", "destroy", "lock", "unlock")),
        ("flags", ctypes.c_ulong),
        ("reserved", ctypes.c_void_p),
    )


class _FunctionList(ctypes.Structure):
    _fields_ = (("version", ctypes.c_ubyte * 2), ("functions", ctypes.c_void_p * _FUNCTIONS))


class _SessionInfo(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_ulong) for name in ("slot", "state", "flags", "error"))


class _Functions(_pkcs11.lib):
    """python-pkcs11's access to a library that was opened already."""

    def __init__(self, path: str) -> None:
        # the parent's would open the library, and for one thread only
        self.path = path


@cache
def library_at(path: Path) -> "Library":
    """Give the library at a path: always the same one, since its state is the process's. Raises SetupError."""
    return Library(path)


class Library:
    """An open library. `generation` counts how often it was opened: sessions of an earlier one are no more."""

    def __init__(self, path: Path) -> None:
        try:
            loaded = ctypes.CDLL(str(path))
            get_functions = loaded.C_GetFunctionList
        except (OSError, AttributeError) as error:
            raise SetupError(f"hsm.module: {path} is no PKCS#11 library that can be loaded here: {error}.") from None
        functions = ctypes.POINTER(_FunctionList)()
        if get_functions(ctypes.byref(functions)) != _OK:
            raise SetupError(f"hsm.module: {path} does not tell its functions, as a PKCS#11 library does.")
        self._loaded = loaded
        self._functions = functions.contents
        self._condition = Condition()
        self._calls = 0
        self._restarting = False
        self._restarted_at = monotonic() - RESTART_PAUSE
        self.generation = 0
        if (answer := self._initialize()) != _OK:
            raise SetupError(f"hsm.module: {path} cannot be initialized (CKR {answer:#x}); its own configuration may be wrong.")
        self._access = _Functions(str(path))

    @contextmanager
    def using(self) -> Iterator[None]:
        """Call the library only within this: it is not closed meanwhile. Raises TokenGone where it takes long to open again."""
        with self._condition:
            if not self._condition.wait_for(lambda: not self._restarting, LONGEST_RESTART):
                raise TokenGone
            self._calls += 1
        try:
            yield
        finally:
            with self._condition:
                self._calls -= 1
                self._condition.notify_all()

    def slots(self) -> list[Slot]:
        """List the slots that have a token."""
        return self._access.get_slots(token_present=True)

    def login(self, session: int, pin: str) -> int:
        """Log the user in; give the library's answer."""
        function = self._function(_LOGIN, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_char_p, ctypes.c_ulong)
        encoded = pin.encode()
        return int(function(session, _USER, encoded, len(encoded)))

    def session_state(self, session: int) -> int | None:
        """Tell the state of a session (CK_STATE); none where there is no such session."""
        info = _SessionInfo()
        function = self._function(_GET_SESSION_INFO, ctypes.c_ulong, ctypes.c_void_p)
        return int(info.state) if function(session, ctypes.addressof(info)) == _OK else None

    def restart(self, seen: int, wait_seconds: float) -> None:
        """Close and open the library, as some need it to see a token that came back.

        Nothing is done where another did so since the generation `seen`, a moment ago, or calls do not come to an end.
        """
        with self._condition:
            if self._restarting or self.generation != seen or monotonic() - self._restarted_at < RESTART_PAUSE:
                return
            self._restarting = True
            try:
                if self._condition.wait_for(lambda: not self._calls, wait_seconds):
                    self._reopen()
            finally:
                self._restarting = False
                self._condition.notify_all()

    def _reopen(self) -> None:
        self._restarted_at = monotonic()
        self.generation += 1
        self._function(_FINALIZE, ctypes.c_void_p)(None)
        self._initialize()  # where it fails, so does the next call, and it is tried again

    def _initialize(self) -> int:
        arguments = _InitializeArguments(flags=_OS_LOCKING_OK)
        answer = int(self._function(_INITIALIZE, ctypes.c_void_p)(ctypes.addressof(arguments)))
        return _OK if answer == _ALREADY_INITIALIZED else answer

    def _function(self, place: int, *arguments: type) -> "ctypes._FuncPointer":
        return ctypes.CFUNCTYPE(ctypes.c_ulong, *arguments)(self._functions.functions[place])


def answers(slot: Slot) -> bool:
    """Tell whether the token in a slot answers."""
    try:
        slot.get_token()
    except PKCS11Error:
        return False
    return True
