"""The only wiring: settings and a clock become a House."""

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import Random, SystemRandom
from types import MappingProxyType

from certworker.clock import Clock, utc_now
from certworker.crypto.sealing import KEY_SIZE, new_key
from certworker.errors import SetupError
from certworker.issuers.acme import AcmeIssuerSettings, AcmeProvider
from certworker.issuers.challenges import Challenges
from certworker.issuers.local import LocalProvider
from certworker.issuers.registry import load_providers
from certworker.network.egress import EgressRules
from certworker.settings import Settings
from certworker.store.engine import open_store
from certworker.store.migrate import migrate
from certworker.vault.access import Access
from certworker.vault.backups import Backups
from certworker.vault.certificates import Certificates
from certworker.vault.contacts import ContactBook
from certworker.vault.deletions import Deletions
from certworker.vault.directory import Directory
from certworker.vault.drafts import Drafts
from certworker.vault.examinations import IssuerExaminations
from certworker.vault.fleet import Fleet
from certworker.vault.founding import Founding
from certworker.vault.histories import Histories
from certworker.vault.imports import Imports
from certworker.vault.issuance import Providers
from certworker.vault.issuances import Issuances
from certworker.vault.issuers import Accounts, Issuers
from certworker.vault.keyring import Keyring, MasterKey, SoftwareMasterKey
from certworker.vault.keys import Keys
from certworker.vault.materials import Materials
from certworker.vault.merging import Merging
from certworker.vault.progression import Progression
from certworker.vault.refusals import Refusals
from certworker.vault.renewals import Renewals
from certworker.vault.requested import RequestedRenewals
from certworker.vault.secrets import Secrets
from certworker.vault.store import Store
from certworker.vault.updates import Updates
from certworker.vault.versions import Versions

SERVER_CERTIFICATE_VALIDITY = timedelta(days=30)
NO_PROVIDERS: Providers = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class House:
    """Everything that a door (API, worker, CLI) needs. Built after a process has started; closed before it ends."""

    settings: Settings
    clock: Clock
    store: Store
    master: MasterKey
    keyring: Keyring
    access: Access
    directory: Directory
    materials: Materials
    founding: Founding
    certificates: Certificates
    keys: Keys
    secrets: Secrets
    issuers: Issuers
    issuances: Issuances
    renewals: Renewals
    progression: Progression
    merging: Merging
    refusals: Refusals
    challenges: Challenges
    local: LocalProvider
    fleet: Fleet
    imports: Imports
    updates: Updates
    backups: Backups
    contacts: ContactBook
    requested: RequestedRenewals
    histories: Histories
    examinations: IssuerExaminations


@contextmanager
def open_house(
    settings: Settings, clock: Clock = utc_now, random: Random | None = None, providers: Providers = NO_PROVIDERS
) -> Iterator[House]:
    """Build a House on a database that is migrated first, and close it at the end. Raises SetupError."""
    migrate(settings.database_url)
    store = open_store(settings.database_url, clock)
    try:
        yield build(settings, clock, store, random or SystemRandom(), providers)
    finally:
        store.close()


def build(settings: Settings, clock: Clock, store: Store, random: Random, providers: Providers = NO_PROVIDERS) -> House:
    """Wire the services together, with further `providers` beside (or before) those of the house.

    Raises SetupError where the master key file is missing or no key.
    """
    master = read_master_key(settings.seal.master_key_file)
    keyring = Keyring(store, master)
    access = Access(store)
    accounts, challenges = Accounts(store, keyring), Challenges(store)
    local = LocalProvider(accounts, SERVER_CERTIFICATE_VALIDITY)
    acme = AcmeProvider(accounts, challenges, EgressRules(settings.network.allow_private), _acme_settings(settings))
    known = load_providers({"acme": acme, "local": local, **providers})
    issuers = Issuers(store, keyring, access, known, clock)
    drafts, versions = Drafts(store, keyring), Versions(keyring, random)
    issuances = Issuances(store, drafts, versions, clock)
    directory, refusals = Directory(store, keyring, clock), Refusals(store, access, keyring)
    return House(
        settings=settings,
        clock=clock,
        store=store,
        master=master,
        keyring=keyring,
        access=access,
        directory=directory,
        materials=Materials(store, keyring, None, clock),
        founding=Founding(store, keyring, directory, clock),
        certificates=Certificates(store, access, issuances, Deletions(), clock),
        keys=Keys(store, access),
        secrets=Secrets(store, keyring, access, Deletions(), clock),
        issuers=issuers,
        issuances=issuances,
        renewals=Renewals(store, issuances, clock),
        progression=Progression(store, drafts, versions, issuers, refusals, known, clock),
        merging=Merging(store, access, drafts, versions, clock),
        refusals=refusals,
        challenges=challenges,
        local=local,
        fleet=Fleet(store),
        imports=Imports(store, access, keyring, clock, random),
        updates=Updates(store, access, clock),
        backups=Backups(store, access, keyring, master, clock),
        contacts=ContactBook(store, access),
        requested=RequestedRenewals(store, access, issuances),
        histories=Histories(store, access),
        examinations=IssuerExaminations(store, access, issuers, known, clock),
    )


def make_master_key(path: Path) -> bool:
    """Make a master key file (mode 0600) unless there is one; tell whether it was made.

    It must be kept apart from the database, and backed up.
    """
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    except OSError as error:
        raise SetupError(f"The master key file {path} cannot be made: {error.strerror}.") from error
    with os.fdopen(handle, "w") as file:
        file.write(new_key().hex() + "\n")
        file.flush()
        os.fsync(file.fileno())
    return True


def read_master_key(path: Path) -> SoftwareMasterKey:
    """Read the master key. Raises SetupError where it is missing, no key, or open to others."""
    try:
        text, mode = path.read_text().strip(), path.stat().st_mode
    except OSError as error:
        hint = "`certworker init` makes one on the first start"
        raise SetupError(f"The master key file {path} cannot be read: {error.strerror}; {hint}.") from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise SetupError(f"The master key file {path} is open to others than its owner; run: chmod 600 {path}")
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != KEY_SIZE:
        raise SetupError(f"The master key file {path} does not hold {KEY_SIZE} bytes in hex.")
    return SoftwareMasterKey(key)


def _acme_settings(settings: Settings) -> Callable[[str], AcmeIssuerSettings]:
    def settings_of(issuer: str) -> AcmeIssuerSettings:
        found = settings.issuer(issuer)
        bundle = str(found.ca_bundle) if found.ca_bundle else None
        return AcmeIssuerSettings(bundle, found.challenge, found.contacts, found.timeout_seconds)

    return settings_of
