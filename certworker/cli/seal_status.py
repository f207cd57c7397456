"""How the seal of a deployment stands, as far as can be told without opening it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from certworker.bootstrap import open_source
from certworker.clock import utc_now
from certworker.errors import CertworkerError, SetupError, Unavailable
from certworker.seal.channel import ask
from certworker.seal.master_file import MasterFile
from certworker.seal.sources import MakingSource, MasterKeySource
from certworker.settings import SealKind, Settings
from certworker.store.engine import is_there, open_store
from certworker.store.migrate import NOT_SET_UP, require_current
from certworker.vault.resealing import VaultTerms, vault_terms
from certworker.vault.store import Store

Rows = list[tuple[object, ...]]


@dataclass(frozen=True, slots=True)
class SealStatus:
    """How it stands. `present` is the id of the key that is there, `in_force` of the one that the database wants."""

    source: str
    kind: SealKind
    service: str
    present: str | None
    problem: str | None
    in_force: str | None
    vaults: tuple[VaultTerms, ...]

    @property
    def under_older(self) -> int:
        """Count the records that are sealed under older terms."""
        return sum(one.under_older for one in self.vaults)

    def fields(self) -> Mapping[str, object]:
        """Show it to a person."""
        return {
            "master key": self.source,
            "seal": self.kind.value,
            "service": self.service,
            "key there": self.present,
            "problem": self.problem,
            "key in force": self.in_force,
            "vaults": len(self.vaults),
            "vault keys": sum(one.terms for one in self.vaults),
            "records": sum(one.records for one in self.vaults),
            "under older vault keys": str(self.under_older),
        }

    def rows(self) -> Rows:
        """Show every vault."""
        return [(one.vault.name, one.newest, one.terms, str(one.records), str(one.under_older)) for one in self.vaults]

    def wire(self) -> Mapping[str, Any]:
        """Show it to a program."""
        return {
            "source": self.source,
            "kind": self.kind.value,
            "service": self.service,
            "key_present": self.present,
            "problem": self.problem,
            "key_in_force": self.in_force,
            "vaults": [
                {
                    "name": one.vault.name,
                    "term": one.newest,
                    "terms": one.terms,
                    "records": one.records,
                    "under_older_terms": one.under_older,
                }
                for one in self.vaults
            ],
        }


def look(settings: Settings) -> SealStatus:
    """Look at the settings, the master key's source, the service that runs here, and the database.

    Raises SetupError where there is no deployment in that, Unavailable where it does not answer.
    """
    said, present, problem = "", None, None
    in_force, vaults = _of_database(settings)
    try:
        with open_source(settings) as source:
            said = str(source)
            present = _present(source, in_force)
    except CertworkerError as error:
        problem = str(error)
    if present and in_force and present != in_force:
        problem = "the key there is another one; after a rotation that was broken off: certworker seal rotate-master"
    return SealStatus(said, settings.seal.kind, _service(settings), present, problem, in_force, vaults)


def _of_database(settings: Settings) -> tuple[str | None, tuple[VaultTerms, ...]]:
    """Read which master key is in force, and how the vaults' keys stand.

    One of an earlier release is read too: a sealed service brings it up to date when it is unsealed, not before.
    """
    try:
        with _open(settings) as store:
            with store.reading() as reader:
                in_force = reader.master_key_id()
            return in_force, vault_terms(store)
    except Unavailable:
        require_current(settings.database_url)  # says so where it is the schema that is in the way
        raise


def _present(source: MasterKeySource, in_force: str | None) -> str | None:
    match source:
        case MasterFile(kind=kind) if kind is not SealKind.NONE:
            return source.wrapped().id
        case MakingSource():
            return source.read(in_force).id
    return source.read(None).id


def master_key_id(settings: Settings) -> str | None:
    """Tell which master key the database wants; none where there is no database yet."""
    with suppress(Unavailable, SetupError), _open(settings) as store, store.reading() as reader:
        return reader.master_key_id()
    return None


def _service(settings: Settings) -> str:
    if settings.seal.kind is SealKind.NONE:
        return "needs no unsealing"
    try:
        state = ask(settings.seal.socket, {"ask": "status"})
    except Unavailable:
        return "does not run here"
    if not state["sealed"]:
        return "unsealed"
    return f"sealed ({state['have']} of {state['needed']} shares)" if settings.seal.kind is SealKind.SHAMIR else "sealed"


@contextmanager
def _open(settings: Settings) -> Iterator[Store]:
    if not is_there(settings.database_url):
        raise SetupError(NOT_SET_UP)  # or SQLite would make it
    store = open_store(settings.database_url, utc_now)
    try:
        yield store
    finally:
        store.close()
