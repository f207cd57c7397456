"""The ground: what services stand on, and where the master key comes from."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from certworker.clock import Clock
from certworker.errors import SetupError
from certworker.measures import NO_MEASURES, Measures
from certworker.seal.sources import MasterKeySource, source_of
from certworker.settings import Settings
from certworker.vault.access import Access
from certworker.vault.issuers import Accounts
from certworker.vault.key_pool import KeyPool
from certworker.vault.keyring import Keyring, MasterKeyInForce
from certworker.vault.materials import Materials
from certworker.vault.renewal.planning import Planner
from certworker.vault.renewal.windows import MaintenanceCalendar
from certworker.vault.store import Store

if TYPE_CHECKING:
    from certworker.hsm.token import Token


@dataclass(frozen=True, slots=True)
class Ground:
    """What services stand on."""

    settings: Settings
    clock: Clock
    store: Store
    random: Random
    source: MasterKeySource
    master: MasterKeyInForce
    keyring: Keyring
    access: Access
    materials: Materials
    accounts: Accounts
    pool: KeyPool
    planner: Planner
    measures: Measures


def lay_ground(
    settings: Settings,
    clock: Clock,
    store: Store,
    random: Random,
    source: MasterKeySource,
    token: "Token | None",
    measures: Measures = NO_MEASURES,
) -> Ground:
    """Lay it. Raises SetupError where the master key is missing or another one, Sealed where it waits to be opened."""
    master = _master_key(store, source)
    keyring, access = Keyring(store, master), Access(store)
    pool = KeyPool(store, keyring, clock, settings.spare_keys.sizes, settings.spare_keys.count)
    materials, accounts = Materials(store, keyring, token, clock, pool), Accounts(store, keyring)
    renews = settings.renewal.on_policy_change == "renew"
    planner = Planner(MaintenanceCalendar(settings.maintenance), random, renews_on_change=renews)
    return Ground(settings, clock, store, random, source, master, keyring, access, materials, accounts, pool, planner, measures)


def open_token(settings: Settings, measures: Measures = NO_MEASURES) -> "AbstractContextManager[Token]":
    """Open the token that the settings name. Raises SetupError."""
    try:
        # python-pkcs11 comes with an extra, and only who has a token needs it
        from certworker.hsm import token  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise SetupError(f"hsm.module needs {error.name}: install certworker with its extra, certworker[hsm].") from None
    return token.open_token(settings.hsm, measures=measures)


@contextmanager
def open_source(settings: Settings) -> Iterator[MasterKeySource]:
    """Open the master key's source by itself, without a house. Raises SetupError."""
    with ExitStack() as stack:
        token = stack.enter_context(open_token(settings)) if settings.seal.master_key_label and settings.hsm.module else None
        yield source_of_house(settings, token)


def source_of_house(settings: Settings, token: "Token | None") -> MasterKeySource:
    """Find where the settings say that the master key is. Raises SetupError."""
    if not settings.seal.master_key_label:
        return source_of(settings.seal)
    if token is None:
        raise SetupError("seal.master_key_label names a key in a hardware token, and there is none: set hsm.module.")
    from certworker.hsm.master_key import TokenMasterKeySource  # noqa: PLC0415 - as above

    return TokenMasterKeySource(token, settings.seal.master_key_label)


def _master_key(store: Store, source: MasterKeySource) -> MasterKeyInForce:
    wanted = _wanted(store)
    try:
        return MasterKeyInForce(source.read, wanted)
    except SetupError:
        # a rotation may have come between the two looks
        if (again := _wanted(store)) == wanted:
            raise
        return MasterKeyInForce(source.read, again)


def _wanted(store: Store) -> str | None:
    with store.reading() as reader:
        return reader.master_key_id()
