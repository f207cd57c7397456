"""The master key of a deployment that is being set up: made where it is to lie in a file, and asked for where it is not."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

from certworker.bootstrap import open_source
from certworker.cli.seal_opening import new_seal, opened_source
from certworker.cli.seal_status import master_key_id
from certworker.errors import Conflict, SetupError
from certworker.seal.enclosing import make_enclosed
from certworker.seal.master_file import make_master_key
from certworker.seal.private_files import alone_in
from certworker.seal.sources import MakingSource, MasterKeySource, source_of
from certworker.settings import SealKind, Settings


@dataclass(frozen=True, slots=True, repr=False)
class FirstKey:
    """Where the key comes from, and the shares that open it, which are shown this once."""

    source: MasterKeySource | None
    where: str
    shares: tuple[str, ...] = ()

    def to_do(self) -> str:
        """Say what to keep."""
        return f"Back up the master key ({self.where}), apart from the database: without it nothing opens."


@contextmanager
def first_master_key(settings: Settings, shares: int, threshold: int) -> Iterator[FirstKey]:
    """Make the master key where it lies in a file and there is none; take it away again where the set-up is refused.

    A passphrase is asked for. Raises SetupError, BadParameter, Conflict where another one is at it: it may have set up under
    the key that this one would take away.
    """
    alone = nullcontext() if settings.seal.elsewhere else alone_in(settings.seal.master_key_file.parent)
    with alone, _first_key(settings, shares, threshold) as first:
        yield first


@contextmanager
def _first_key(settings: Settings, shares: int, threshold: int) -> Iterator[FirstKey]:
    path = settings.seal.master_key_file
    made = False
    if settings.seal.master_key_label:
        first = FirstKey(None, _make_in_token(settings))
    elif not settings.seal.elsewhere and not path.exists():
        if wanted := master_key_id(settings):
            raise SetupError(
                f"This deployment has been set up already. Its master key {path} is missing: bring it back from its backup. "
                f"The database wants the master key {wanted}."
            )
        first, made = _make(settings, shares, threshold)
    else:
        source = opened_source(settings)
        first = FirstKey(source, str(source))
    try:
        yield first
    except BaseException as error:
        if not made or not (first.shares or isinstance(error, Conflict | SetupError)):
            raise
        # a key that opens nothing, or under shares that nobody has seen, must not lie where the right one is looked for
        path.unlink(missing_ok=True)
        if isinstance(error, Conflict):
            raise SetupError(f"{error} Its master key {path} is missing: bring it back from its backup.") from None
        raise


def _make(settings: Settings, shares: int, threshold: int) -> tuple[FirstKey, bool]:
    seal = settings.seal
    if seal.kind is SealKind.NONE:
        made = make_master_key(seal.master_key_file)
        return FirstKey(source_of(seal), f"the file {seal.master_key_file}"), made
    enclosed = make_enclosed(seal, new_seal(seal.kind, shares, threshold))
    if enclosed is None:
        raise SetupError(f"The master key file {seal.master_key_file} was made by somebody else meanwhile.")
    where = f"the file {seal.master_key_file}"
    return FirstKey(source_of(seal, lambda: enclosed.wrapping_key), where, enclosed.shares), True


def _make_in_token(settings: Settings) -> str:
    """Make the master key in the token unless there is one of its label; say where it is."""
    with open_source(settings) as source:
        if isinstance(source, MakingSource) and not source.ids():
            source.make()
        return str(source)
