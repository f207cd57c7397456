"""The only wiring: settings and a clock become a House."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from random import Random, SystemRandom
from types import MappingProxyType
from typing import TYPE_CHECKING

from certworker.clock import Clock, utc_now
from certworker.errors import SettingsError, SetupError
from certworker.issuers.challenges import Challenges
from certworker.issuers.house import house_providers
from certworker.issuers.limits import limits_by
from certworker.issuers.local import LocalProvider
from certworker.issuers.registry import load_providers
from certworker.network.authority_keys import DiscoveredKeys
from certworker.network.channels import open_audience
from certworker.network.egress import EgressRules
from certworker.network.http import Connect
from certworker.network.revocation import RevocationFetcher
from certworker.seal.master_file import make_master_key, read_master_key
from certworker.seal.private_files import read_private
from certworker.seal.sources import MasterKeySource, source_of
from certworker.settings import Settings
from certworker.store.engine import open_store
from certworker.store.migrate import migrate
from certworker.vault.access import Access
from certworker.vault.account_keys import AccountKeys
from certworker.vault.attestations import Attestations
from certworker.vault.backup_format import BackupFormat
from certworker.vault.certificate_backups import CertificateBackups
from certworker.vault.certificates import Certificates
from certworker.vault.client_certificates import ClientCertificates
from certworker.vault.contacts import ContactBook
from certworker.vault.deletions import Deletions
from certworker.vault.directory import Directory
from certworker.vault.drafts import Drafts
from certworker.vault.examinations import IssuerExaminations
from certworker.vault.expiries import Expiries
from certworker.vault.fleet import Fleet
from certworker.vault.founding import Founding
from certworker.vault.histories import Histories
from certworker.vault.imports import Imports
from certworker.vault.issuance import Providers
from certworker.vault.issuances import Issuances
from certworker.vault.issuers import Accounts, Issuers
from certworker.vault.key_backups import KeyBackups
from certworker.vault.key_creation import KeyCreation
from certworker.vault.key_deletions import KeyDeletions
from certworker.vault.key_operations import KeyOperations
from certworker.vault.key_pool import KeyPool
from certworker.vault.key_rotation import KeyRotations
from certworker.vault.key_updates import KeyUpdates
from certworker.vault.keyring import Keyring, MasterKeyInForce
from certworker.vault.keys import Keys
from certworker.vault.materials import Materials
from certworker.vault.merging import Merging
from certworker.vault.notification.audience import Audience
from certworker.vault.notification.deliveries import Deliveries
from certworker.vault.notification.desk import NoticeDesk
from certworker.vault.notification.expiry_watch import ExpiryWatch
from certworker.vault.notification.marks import read_threshold
from certworker.vault.notification.telling import Telling
from certworker.vault.progression import Progression
from certworker.vault.refusals import Refusals
from certworker.vault.release_policy import plain_authority
from certworker.vault.releases import Releases
from certworker.vault.renewal.advising import Advising
from certworker.vault.renewal.mass_replacement import MassReplacements
from certworker.vault.renewal.outlook import Outlooks
from certworker.vault.renewal.pauses import Pauses
from certworker.vault.renewal.planning import Planner
from certworker.vault.renewal.windows import MaintenanceCalendar
from certworker.vault.renewals import Renewals
from certworker.vault.requested import RequestedRenewals
from certworker.vault.resilience.budgets import Budgets
from certworker.vault.resilience.failover import Failover
from certworker.vault.resilience.routing import Preference, Routing
from certworker.vault.resilience.setbacks import Setbacks
from certworker.vault.revocation.consequences import Consequences
from certworker.vault.revocation.services import RevocationServices, revocation_services
from certworker.vault.revocations import Revocations
from certworker.vault.secret_backups import SecretBackups
from certworker.vault.secrets import Secrets
from certworker.vault.store import Store
from certworker.vault.updates import Updates
from certworker.vault.versions import Versions

if TYPE_CHECKING:
    from certworker.hsm.token import Token

__all__ = [
    "NO_PROVIDERS",
    "SERVER_CERTIFICATE_VALIDITY",
    "House",
    "build",
    "make_master_key",
    "open_house",
    "open_source",
    "read_master_key",
]

SERVER_CERTIFICATE_VALIDITY = timedelta(days=30)
NO_PROVIDERS: Providers = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class KeyLife:
    """What happens to keys from the making of one to its end."""

    creation: KeyCreation
    updates: KeyUpdates
    rotations: KeyRotations
    deletions: KeyDeletions


@dataclass(frozen=True, slots=True)
class ObjectBackups:
    """Backup and restore of single objects, by their kind."""

    certificates: CertificateBackups
    keys: KeyBackups
    secrets: SecretBackups


@dataclass(frozen=True, slots=True)
class Dealings:
    """What CAs are asked for beside certificates."""

    examinations: IssuerExaminations
    account_keys: AccountKeys
    revocations: Revocations


@dataclass(frozen=True, slots=True)
class Notification:
    """Who is told what, and that it arrives."""

    audience: Audience
    expiry_watch: ExpiryWatch
    telling: Telling
    deliveries: Deliveries
    desk: NoticeDesk


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """What keeps certificates alive beside their issuance."""

    planner: Planner
    outlooks: Outlooks
    pauses: Pauses
    key_pool: KeyPool
    advising: Advising
    mass_replacements: MassReplacements
    notification: Notification
    revocation: RevocationServices


@dataclass(frozen=True, slots=True)
class House:
    """Everything that a door (API, worker, CLI) needs. Built after a process has started; closed before it ends."""

    settings: Settings
    clock: Clock
    store: Store
    master_source: MasterKeySource
    master: MasterKeyInForce
    keyring: Keyring
    access: Access
    directory: Directory
    materials: Materials
    founding: Founding
    certificates: Certificates
    keys: Keys
    key_life: KeyLife
    attestations: Attestations
    expiries: Expiries
    key_operations: KeyOperations
    secrets: Secrets
    issuers: Issuers
    issuances: Issuances
    renewals: Renewals
    progression: Progression
    failover: Failover
    merging: Merging
    refusals: Refusals
    challenges: Challenges
    local: LocalProvider
    fleet: Fleet
    imports: Imports
    updates: Updates
    backups: ObjectBackups
    contacts: ContactBook
    requested: RequestedRenewals
    histories: Histories
    dealings: Dealings
    releases: Releases
    lifecycle: Lifecycle


@contextmanager
def open_house(
    settings: Settings,
    clock: Clock = utc_now,
    random: Random | None = None,
    providers: Providers = NO_PROVIDERS,
    source: MasterKeySource | None = None,
    audience: Audience | None = None,
) -> Iterator[House]:
    """Build a House on a database that is migrated first, and close it at the end.

    The master key is taken from the source that the settings name, unless one is given. Raises SetupError, Sealed.
    """
    migrate(settings.database_url)
    with ExitStack() as stack:
        store = open_store(settings.database_url, clock)
        stack.callback(store.close)
        token = stack.enter_context(_open_token(settings)) if settings.hsm.module else None
        yield build(settings, clock, store, random or SystemRandom(), providers, source, token, audience=audience)


def build(
    settings: Settings,
    clock: Clock,
    store: Store,
    random: Random,
    providers: Providers = NO_PROVIDERS,
    source: MasterKeySource | None = None,
    token: "Token | None" = None,
    connect: Connect | None = None,
    audience: Audience | None = None,
) -> House:
    """Wire the services together, with further `providers` beside (or before) those of the house, which `connect` by HTTP.

    Who is told is as the settings say, unless an `audience` is given.

    Raises SetupError where the master key is missing or another one, Sealed where it waits to be opened.
    """
    ground = _ground(settings, clock, store, random, source or _source_of(settings, token), token)
    keyring, access, materials = ground.keyring, ground.access, ground.materials
    challenges, keys = Challenges(store), Keys(store, access)
    local = LocalProvider(ground.accounts, SERVER_CERTIFICATE_VALIDITY)
    known = _providers(ground, challenges, {"local": local, **providers}, connect)
    issuers, refusals = Issuers(store, keyring, access, known, clock), Refusals(store, access, keyring)
    advising = Advising(store, issuers, known, ground.planner, random, clock)
    versions = Versions(keyring, materials, ground.planner, (advising.follow,))
    directory = Directory(store, keyring, clock)
    budgets, routing = Budgets(limits_by(settings)), _routing(settings, known)
    issuances = Issuances(store, Drafts(store, materials), versions, ground.planner, budgets, clock)
    progression = Progression(store, versions, issuers, refusals, known, Setbacks(random), clock)
    return House(
        settings=settings,
        clock=clock,
        store=store,
        master_source=ground.source,
        master=ground.master,
        keyring=keyring,
        access=access,
        directory=directory,
        materials=materials,
        founding=Founding(store, keyring, directory, clock),
        certificates=Certificates(store, access, issuances, Deletions(), ground.planner, clock),
        keys=keys,
        key_life=_key_life(ground),
        attestations=Attestations(keys),
        expiries=Expiries(store),
        key_operations=KeyOperations(store, access, materials, clock),
        secrets=Secrets(store, keyring, access, Deletions(), clock),
        issuers=issuers,
        issuances=issuances,
        renewals=Renewals(store, issuances, ground.planner, budgets, routing, clock),
        progression=progression,
        failover=Failover(store, routing, progression, clock),
        merging=Merging(store, access, versions, clock),
        refusals=refusals,
        challenges=challenges,
        local=local,
        fleet=Fleet(store),
        imports=Imports(store, access, keyring, materials, ground.planner, clock),
        updates=Updates(store, access, ground.planner, clock),
        backups=_backups(ground),
        contacts=ContactBook(store, access),
        requested=RequestedRenewals(store, access, issuances),
        histories=Histories(store, access),
        dealings=_dealings(ground, issuers, known),
        releases=_releases(ground),
        lifecycle=_lifecycle(
            ground, issuers, advising, budgets, audience or _audience(ground), _revocation(ground, issuances, connect)
        ),
    )


@dataclass(frozen=True, slots=True)
class _Ground:
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


def _ground(
    settings: Settings, clock: Clock, store: Store, random: Random, source: MasterKeySource, token: "Token | None"
) -> _Ground:
    master = _master_key(store, source)
    keyring, access = Keyring(store, master), Access(store)
    pool = KeyPool(store, keyring, clock, settings.spare_keys.sizes, settings.spare_keys.count)
    materials, accounts = Materials(store, keyring, token, clock, pool), Accounts(store, keyring)
    renews = settings.renewal.on_policy_change == "renew"
    planner = Planner(MaintenanceCalendar(settings.maintenance), random, renews_on_change=renews)
    return _Ground(settings, clock, store, random, source, master, keyring, access, materials, accounts, pool, planner)


def _providers(ground: _Ground, challenges: Challenges, others: Providers, connect: Connect | None) -> Providers:
    clients = ClientCertificates(ground.store, ground.materials)
    own = house_providers(ground.settings, ground.accounts, challenges, clients.find, connect)
    return load_providers({**own, **others})


def _lifecycle(
    ground: _Ground,
    issuers: Issuers,
    advising: Advising,
    budgets: Budgets,
    audience: Audience,
    revocation: RevocationServices,
) -> Lifecycle:
    store, access, planner, clock = ground.store, ground.access, ground.planner, ground.clock
    outlooks, pauses = Outlooks(store, access, planner, clock), Pauses(store, access, planner, clock)
    replacements = MassReplacements(store, access, issuers, outlooks, planner, budgets, clock)
    told = _notification(ground, audience)
    return Lifecycle(planner, outlooks, pauses, ground.pool, advising, replacements, told, revocation)


def _revocation(ground: _Ground, issuances: Issuances, connect: Connect | None) -> RevocationServices:
    settings, allowed = ground.settings.revocation, ground.settings.network.allow_private
    fetcher = RevocationFetcher(allowed, settings.list_bytes, settings.timeout_seconds, connect)
    every = timedelta(seconds=settings.check_seconds)
    return revocation_services(
        ground.store, ground.access, ground.planner, issuances, fetcher, ground.clock, ground.random, every
    )


def _audience(ground: _Ground) -> Audience:
    """Set the channels up that the settings name, and who listens on them. Raises SettingsError."""
    return open_audience(ground.settings, ground.store, read_private)


def _notification(ground: _Ground, audience: Audience) -> Notification:
    store, planner, clock, settings = ground.store, ground.planner, ground.clock, ground.settings.notices
    thresholds = tuple(map(read_threshold, settings.thresholds))
    before = timedelta(hours=settings.before_renewal_hours)
    return Notification(
        audience,
        ExpiryWatch(store, planner, thresholds, before),
        Telling(store, audience, planner, thresholds, before, settings.hold),
        Deliveries(store, audience, settings.digest_from, clock),
        NoticeDesk(store, ground.access, audience, clock),
    )


def _routing(settings: Settings, providers: Providers) -> Routing:
    preferences = {
        name: Preference(found.fallback, timedelta(seconds=found.fallback_after_seconds))
        for name, found in settings.issuers.items()
    }
    return Routing(preferences, providers)


def _key_life(ground: _Ground) -> KeyLife:
    store, access, materials, clock = ground.store, ground.access, ground.materials, ground.clock
    return KeyLife(
        KeyCreation(store, access, materials, clock),
        KeyUpdates(store, access, clock),
        KeyRotations(store, access, materials, clock),
        KeyDeletions(store, access, Deletions(), clock),
    )


def _dealings(ground: _Ground, issuers: Issuers, providers: Providers) -> Dealings:
    store, access, clock = ground.store, ground.access, ground.clock
    return Dealings(
        IssuerExaminations(store, access, issuers, providers, clock),
        AccountKeys(access, issuers, clock),
        Revocations(store, access, issuers, Consequences(ground.planner), clock),
    )


def _backups(ground: _Ground) -> ObjectBackups:
    store, access, keyring, materials, clock = ground.store, ground.access, ground.keyring, ground.materials, ground.clock
    form = BackupFormat(store, keyring)
    return ObjectBackups(
        CertificateBackups(store, access, keyring, materials, form, ground.planner, clock),
        KeyBackups(store, access, materials, form, clock),
        SecretBackups(store, access, keyring, form, clock),
    )


def _open_token(settings: Settings) -> "AbstractContextManager[Token]":
    try:
        # python-pkcs11 comes with an extra, and only who has a token needs it
        from certworker.hsm.token import open_token  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise SetupError(f"hsm.module needs {error.name}: install certworker with its extra, certworker[hsm].") from None
    return open_token(settings.hsm)


@contextmanager
def open_source(settings: Settings) -> Iterator[MasterKeySource]:
    """Open the master key's source by itself, without a house. Raises SetupError."""
    with ExitStack() as stack:
        token = stack.enter_context(_open_token(settings)) if settings.seal.master_key_label and settings.hsm.module else None
        yield _source_of(settings, token)


def _source_of(settings: Settings, token: "Token | None") -> MasterKeySource:
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


def _releases(ground: _Ground) -> Releases:
    """Wire the release of keys. Raises SettingsError for what is no authority."""
    settings, clock, release = ground.settings, ground.clock, ground.settings.release
    try:
        authorities = frozenset(map(plain_authority, release.authorities))
    except ValueError as error:
        raise SettingsError(f"release.authorities: {error}.") from None
    rules = EgressRules(settings.network.allow_private)
    keys = DiscoveredKeys(rules, authorities, release.ca_bundle, release.timeout_seconds, clock)
    age = timedelta(seconds=release.max_age_seconds)
    return Releases(ground.store, ground.access, ground.materials, keys, authorities, age, clock)
