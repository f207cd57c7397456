"""The master key of a deployment that is being set up: made where it is to lie in a file, and asked for where it is not."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from certworker.cli.seal_opening import new_seal, opened_source
from certworker.errors import Conflict, SetupError
from certworker.seal.enclosing import make_enclosed
from certworker.seal.master_file import make_master_key
from certworker.seal.sources import MasterKeySource, source_of
from certworker.settings import SealKind, Settings


@dataclass(frozen=True, slots=True, repr=False)
class FirstKey:
    """Where the key comes from, and the shares that open it, which are shown this once."""

    source: MasterKeySource
    shares: tuple[str, ...] = ()

    def to_do(self) -> str:
        """Say what to keep."""
        return f"Back up the master key ({self.source}), apart from the database: without it nothing opens."


@contextmanager
def first_master_key(settings: Settings, shares: int, threshold: int) -> Iterator[FirstKey]:
    """Make the master key where it lies in a file and there is none; take it away again where the set-up is refused.

    A passphrase is asked for. Raises SetupError, BadParameter.
    """
    path, kind = settings.seal.master_key_file, settings.seal.kind
    first, made = FirstKey(source_of(settings.seal)), False
    if not settings.seal.elsewhere and not path.exists():
        first, made = _make(settings, shares, threshold), True
    elif kind is not SealKind.NONE:
        first = FirstKey(opened_source(settings))
    try:
        yield first
    except (Conflict, SetupError) as error:
        if not made:
            raise
        # a key that opens nothing must not lie where the right one is looked for
        path.unlink(missing_ok=True)
        if isinstance(error, Conflict):
            raise SetupError(f"{error} Its master key {path} is missing: bring it back from its backup.") from None
        raise


def _make(settings: Settings, shares: int, threshold: int) -> FirstKey:
    seal = settings.seal
    if seal.kind is SealKind.NONE:
        make_master_key(seal.master_key_file)
        return FirstKey(source_of(seal))
    enclosed = make_enclosed(seal, new_seal(seal.kind, shares, threshold))
    if enclosed is None:
        raise SetupError(f"The master key file {seal.master_key_file} was made by somebody else meanwhile.")
    return FirstKey(source_of(seal, lambda: enclosed.wrapping_key), enclosed.shares)
