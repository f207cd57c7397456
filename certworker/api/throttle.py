"""How much a vault may be asked: a window of ten seconds that slides, for each class of operations, as the service has it.

A class has one limit, and what is dearer counts as so many of it: with 4,000 for RSA keys of 2048 bits and 500 for those of
4096, a signature by the latter is eight. A subscription may do five times as much as a vault. Each process keeps its share of
the limits, and counts by itself.
"""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from certworker.clock import Clock
from certworker.crypto.keys import kind_of
from certworker.errors import Throttled
from certworker.settings import ThrottlingSettings
from certworker.vault.objects import KeyVersion
from certworker.vault.vaults import Vault

WINDOW_SECONDS: Final = 10
SUBSCRIPTION: Final = 5
"""A subscription has so many times the limits of a vault."""
MOST_WINDOWS: Final = 4096
"""So many windows are kept; what was idle longest is forgotten, which lets through a little too much."""


class Class(StrEnum):
    """What counts together."""

    KEY_CREATIONS = "key creations"
    SECRET_CREATIONS = "secret creations"  # noqa: S105  # a kind, not a password
    KEY_OPERATIONS = "key operations"
    OTHER = "other operations"


_KEY_CREATIONS: Final = frozenset({"KeyCreate", "KeyRotate", "CertificateCreate", "CertificateRenew", "KeyRelease"})
_SECRET_CREATIONS: Final = frozenset({"SecretSet", "KeyImport", "CertificateImport"})


@dataclass(slots=True)
class _Window:
    """What was counted in each of the last seconds. `second` is the last one of them."""

    second: int
    counted: list[float]
    total: float = 0.0

    def advance(self, second: int) -> None:
        """Forget what is older than the window; of a clock that was set back, what is to come as well."""
        passed = second - self.second
        if passed < 0 or passed >= WINDOW_SECONDS:
            self.counted, self.total = [0.0] * WINDOW_SECONDS, 0.0
        else:
            for past in range(passed):
                slot = (self.second + 1 + past) % WINDOW_SECONDS
                self.total -= self.counted[slot]
                self.counted[slot] = 0.0
        self.second = second

    def free_in(self, wanted: float, limit: float) -> int:
        """Tell in how many seconds there is room for so much."""
        total = self.total
        for seconds in range(1, WINDOW_SECONDS):
            total -= self.counted[(self.second + seconds) % WINDOW_SECONDS]
            if total + wanted <= limit:
                return seconds
        return WINDOW_SECONDS


class Throttle:
    """Counts requests and refuses what is too much. Used from one event loop."""

    def __init__(self, settings: ThrottlingSettings, processes: int, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        limits = {
            Class.KEY_CREATIONS: settings.key_creations,
            Class.SECRET_CREATIONS: settings.secret_creations,
            Class.KEY_OPERATIONS: settings.key_operations,
            Class.OTHER: settings.other,
        }
        self._limits = {of: max(1.0, limit / processes) for of, limit in limits.items()}
        self._windows: OrderedDict[tuple[str, Class], _Window] = OrderedDict()

    def charge(self, vault: Vault, operation: str, key: KeyVersion | None) -> None:
        """Count a request, or refuse it, which is not counted. `key` is the one that it is about. Raises Throttled."""
        of = _class_of(operation)
        weight = self._weight(of, key)
        second = int(self._clock().timestamp())
        limit = self._limits[of]
        weight = min(weight, limit)  # or a process with a small share could never do it
        levels = (
            (self._window((vault.id, of), second), limit),
            (self._window((vault.subscription_id, of), second), limit * SUBSCRIPTION),
        )
        waits = [window.free_in(weight, most) for window, most in levels if window.total + weight > most]
        if waits:
            raise Throttled(
                f"The vault {vault.name} had too many requests of this kind ({of}) within {WINDOW_SECONDS} seconds. "
                f"Try again after {max(waits)} seconds, and less often.",
                timedelta(seconds=max(waits)),
            )
        for window, _ in levels:
            window.counted[second % WINDOW_SECONDS] += weight
            window.total += weight

    def _window(self, name: tuple[str, Class], second: int) -> _Window:
        window = self._windows.get(name)
        if window is None:
            if len(self._windows) >= MOST_WINDOWS:
                self._windows.popitem(last=False)
            window = self._windows[name] = _Window(second, [0.0] * WINDOW_SECONDS)
        self._windows.move_to_end(name)
        window.advance(second)
        return window

    def _weight(self, of: Class, key: KeyVersion | None) -> float:
        settings, in_token = self._settings, key is not None and key.kty.endswith("-HSM")
        if of is Class.KEY_CREATIONS:
            return settings.key_creations / settings.hsm_key_creations if in_token else 1.0
        if of is not Class.KEY_OPERATIONS or key is None:
            return 1.0
        bits = kind_of(key.public_key)[1] if key.kty.startswith("RSA") else None
        prefix = "hsm_key_operations" if in_token else "key_operations"
        name = f"{prefix}_rsa_{bits}" if bits in {3072, 4096} else prefix
        return settings.key_operations / float(getattr(settings, name))


def _class_of(operation: str) -> Class:
    if operation in _KEY_CREATIONS:
        return Class.KEY_CREATIONS
    if operation in _SECRET_CREATIONS:
        return Class.SECRET_CREATIONS
    return Class.KEY_OPERATIONS if operation.startswith("Key") else Class.OTHER
