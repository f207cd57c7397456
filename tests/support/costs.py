"""What one guess of a password or passphrase costs: little in this process, as a test makes hundreds. Programs take it all."""

from collections.abc import Iterator
from functools import partial
from typing import Final

import pytest

from certworker.crypto import passwords
from certworker.crypto.passphrases import ScryptCost

PASSWORD_LOG_N: Final = passwords._LOG_N
NOBODY: Final = passwords._NOBODY
"""What passwords cost outside of the tests, and the hash that those of nobody are compared with."""

_CHEAP_LOG_N: Final = 6


@pytest.fixture(scope="session", autouse=True)
def cheap_guesses() -> Iterator[None]:
    """Derive keys at little cost. It is written beside each hash and each seal, so that everything else is as it always is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "_LOG_N", _CHEAP_LOG_N)
        patch.setattr(passwords, "_NOBODY", NOBODY.replace(f"${PASSWORD_LOG_N}$", f"${_CHEAP_LOG_N}$"))
        patch.setattr("certworker.seal.enclosing.ScryptCost", partial(ScryptCost, _CHEAP_LOG_N))
        yield
