"""A PKCS#11 token: the hardware that keys lie in."""

import os
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from time import sleep
from types import MappingProxyType
from typing import Final, TypeVar

from pkcs11 import Token as OpenToken
from pkcs11.constants import ObjectClass, TokenFlag
from pkcs11.exceptions import PKCS11Error
from pkcs11.mechanisms import Mechanism

from certworker.crypto.keys import KeyKind
from certworker.crypto.usable import UsableKey
from certworker.crypto.usable_keys import OctKey, usable_elsewhere
from certworker.errors import BadParameter, SetupError, Unavailable
from certworker.hsm import keys
from certworker.hsm.failures import PinRefused
from certworker.hsm.library import library_at
from certworker.hsm.secret_halves import TokenEc, TokenOct, TokenRsa
from certworker.hsm.sessions import SessionPool, SessionsTaken, TokenSession, find_token
from certworker.measures import NO_MEASURES, Measure, Measures
from certworker.settings import HsmSettings
from certworker.vault.hsm import HsmKey

T = TypeVar("T")
_DESTROYING_PAUSES: Final = (0.02, 0.1, 0.0)
_OPERATIONS: Final = ("generate", "import", "find", "use", "destroy")


@contextmanager
def open_token(
    settings: HsmSettings, environment: Mapping[str, str] = os.environ, measures: Measures = NO_MEASURES
) -> Iterator["Token"]:
    """Open the token of the settings, which name one, and close its sessions at the end. Raises SetupError."""
    if settings.module is None:
        raise SetupError("hsm.module: no PKCS#11 library is set.")
    library = library_at(settings.module)
    pool = SessionPool(
        library, settings.token_label, _read_pin(settings, environment), settings.sessions, settings.wait_seconds
    )
    try:
        opened = pool.open_one()
    except PinRefused:
        where = settings.pin_file or f"the variable {settings.pin_env}"
        raise SetupError(
            f"The hardware token {settings.token_label} refuses the user PIN in {where}. It was tried once: most tokens lock "
            "themselves after a few."
        ) from None
    except PKCS11Error as error:
        raise SetupError(
            f"hsm.token_label: {settings.module} has no token {settings.token_label} that answers ({type(error).__name__})."
        ) from None
    try:
        yield Token(pool, opened, measures, raw_oaep=settings.raw_oaep)
    finally:
        pool.close()


def has_seen_wrong_pins(settings: HsmSettings) -> bool:
    """Whether the token of the settings says that wrong PINs were tried since the last right one, or that it is locked.

    Nothing is tried for that. Where there is no such token, it has not.
    """
    library = library_at(settings.module) if settings.module else None
    if library is None:
        return False
    try:
        with library.using():
            flags = find_token(library, settings.token_label).flags
    except PKCS11Error:
        return False
    return bool(flags & (TokenFlag.USER_PIN_COUNT_LOW | TokenFlag.USER_PIN_FINAL_TRY | TokenFlag.USER_PIN_LOCKED))


class Token:
    """The port's implementation (`vault.hsm.Hsm`) on one token. Its mechanisms are asked for once."""

    def __init__(
        self, pool: SessionPool, opened: OpenToken, measures: Measures = NO_MEASURES, *, raw_oaep: bool = False
    ) -> None:
        self._pool = pool
        self._measures = measures
        measures.set(Measure.HSM_UP, 1)
        for operation in _OPERATIONS:
            measures.count(Measure.HSM_OPERATIONS, operation, "done", by=0)
        self._raw_oaep = raw_oaep
        self._mechanisms = frozenset(int(mechanism) for mechanism in opened.slot.get_mechanisms())

    def generate(self, key_id: str, kind: KeyKind) -> HsmKey:
        """Make a key, sensitive and not extractable."""
        return self._making("generate", kind, _GENERATION[kind.kty], lambda session: keys.generate(session, key_id, kind))

    def take(self, key_id: str, kind: KeyKind, private_key: bytes) -> HsmKey:
        """Put a key that was imported into the token."""
        return self._making("import", kind, None, lambda session: keys.take(session, key_id, kind, private_key))

    def use(self, key_id: str, kind: KeyKind, public_key: bytes) -> UsableKey:
        """Give the use of a key. It is looked for now, so that a missing one is known at once."""
        cka_id = keys.object_id(key_id)
        object_class = ObjectClass.SECRET_KEY if kind.kty == "oct" else ObjectClass.PRIVATE_KEY
        size = self._run("find", lambda session: keys.measure(session, object_class, cka_id))
        if kind.kty == "oct":
            return OctKey(TokenOct(self, cka_id, size))
        if kind.kty == "RSA":
            return usable_elsewhere(public_key, TokenRsa(self, cka_id, kind.size or 0, raw_oaep=self._raw_oaep))
        return usable_elsewhere(public_key, TokenEc(self, cka_id))

    def destroy(self, key_id: str) -> None:
        """Destroy a key, if it is there.

        What is not found is looked for again: SoftHSM overlooks objects while another process writes.
        """
        try:
            for pause in _DESTROYING_PAUSES:
                if self._run("destroy", lambda session: keys.destroy(session, key_id)):
                    break
                sleep(pause)
        except PKCS11Error as error:
            raise Unavailable(f"The hardware token does not destroy the key {key_id} ({type(error).__name__}).") from None

    def run(self, work: Callable[[TokenSession], T]) -> T:
        """Do work in a session, or twice, after trouble. Raises Unavailable, and errors of the token."""
        return self._run("use", work)

    def require(self, mechanism: Mechanism, algorithm: str) -> None:
        """Raise BadParameter where the token lacks a mechanism."""
        if mechanism not in self._mechanisms:
            raise BadParameter(f"alg: the hardware token has no CKM_{mechanism.name}, which {algorithm} needs.", "alg")

    def _run(self, operation: str, work: Callable[[TokenSession], T]) -> T:
        """Do work in a session, and count it; the token is up unless it was that which did not answer."""
        try:
            done = self._pool.run(work)
        except Unavailable as error:
            self._measures.count(Measure.HSM_OPERATIONS, operation, "failed")
            if not isinstance(error, SessionsTaken):
                self._measures.set(Measure.HSM_UP, 0)
            raise
        except Exception:
            self._measures.count(Measure.HSM_OPERATIONS, operation, "failed")
            raise
        self._measures.count(Measure.HSM_OPERATIONS, operation, "done")
        self._measures.set(Measure.HSM_UP, 1)
        return done

    def _making(
        self, operation: str, kind: KeyKind, mechanism: Mechanism | None, work: Callable[[TokenSession], HsmKey]
    ) -> HsmKey:
        told = f"{kind.kty} {kind.curve or kind.size or ''}".rstrip()
        if mechanism is not None and mechanism not in self._mechanisms:
            raise BadParameter(f"kty: the hardware token has no CKM_{mechanism.name}, which makes keys of this type.", "kty")
        try:
            return self._run(operation, work)
        except PKCS11Error as error:
            raise BadParameter(f"kty: the hardware token takes no {told} key ({type(error).__name__}).", "kty") from None


_GENERATION: Final = MappingProxyType(
    {"RSA": Mechanism.RSA_PKCS_KEY_PAIR_GEN, "EC": Mechanism.EC_KEY_PAIR_GEN, "oct": Mechanism.AES_KEY_GEN}
)


def _read_pin(settings: HsmSettings, environment: Mapping[str, str]) -> str:
    if settings.pin_file:
        return _pin_of(settings.pin_file)
    name = settings.pin_env or ""
    if not (pin := environment.get(name)):
        raise SetupError(f"hsm.pin_env: the environment has no variable {name} with the token's user PIN.")
    return pin


def _pin_of(path: Path) -> str:
    try:
        mode, pin = path.stat().st_mode, path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        told = error.strerror if isinstance(error, OSError) else "it is not text"
        raise SetupError(f"hsm.pin_file: {path} cannot be read: {told}.") from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise SetupError(f"hsm.pin_file: {path} is open to others than its owner; run: chmod 600 {path}")
    if not pin:
        raise SetupError(f"hsm.pin_file: {path} is empty: it holds the token's user PIN.")
    return pin
