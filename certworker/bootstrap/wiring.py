"""The wiring: settings and a clock become a House."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from random import Random, SystemRandom
from types import MappingProxyType
from typing import TYPE_CHECKING

from certworker.audit.notary import Notary
from certworker.audit.opening import open_audit_log
from certworker.audit.reading import AuditEvents
from certworker.bootstrap.governance import governance
from certworker.bootstrap.ground import Ground, lay_ground, open_token, source_of_house
from certworker.bootstrap.house import Dealings, House, KeyLife, Lifecycle, Notification, ObjectBackups
from certworker.bootstrap.resources import resource_services
from certworker.bootstrap.signing_in import foreign_tokens, signing_in
from certworker.clock import Clock, utc_now
from certworker.errors import SettingsError
from certworker.issuers.challenges import Challenges
from certworker.issuers.house import house_providers
from certworker.issuers.limits import limits_by
from certworker.issuers.local import LocalProvider
from certworker.issuers.registry import load_providers
from certworker.measures import NO_MEASURES, Measures
from certworker.network.authority_keys import DiscoveredKeys
from certworker.network.channels import open_audience
from certworker.network.egress import EgressRules
from certworker.network.http import Connect
from certworker.network.revocation import RevocationFetcher
from certworker.seal.private_files import read_private
from certworker.seal.sources import MasterKeySource
from certworker.settings import Settings
from certworker.store.engine import open_store
from certworker.store.migrate import migrate, require_current
from certworker.vault.account_keys import AccountKeys
from certworker.vault.attestations import Attestations
from certworker.vault.audit.trail import AuditTrail, NoTrail
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
from certworker.vault.identities.services import identity_services
from certworker.vault.imports import Imports
from certworker.vault.issuance import Providers
from certworker.vault.issuances import Issuances
from certworker.vault.issuers import Issuers
from certworker.vault.key_backups import KeyBackups
from certworker.vault.key_creation import KeyCreation
from certworker.vault.key_deletions import KeyDeletions
from certworker.vault.key_operations import KeyOperations
from certworker.vault.key_rotation import KeyRotations
from certworker.vault.key_updates import KeyUpdates
from certworker.vault.keys import Keys
from certworker.vault.merging import Merging
from certworker.vault.notification.audience import Audience
from certworker.vault.notification.deliveries import Deliveries
from certworker.vault.notification.desk import NoticeDesk
from certworker.vault.notification.expiry_watch import ExpiryWatch
from certworker.vault.notification.marks import read_threshold
from certworker.vault.notification.telling import Telling
from certworker.vault.progression import Progression
from certworker.vault.readiness import Readiness, parts_of
from certworker.vault.refusals import Refusals
from certworker.vault.release_policy import plain_authority
from certworker.vault.releases import Releases
from certworker.vault.renewal.advising import Advising
from certworker.vault.renewal.mass_replacement import MassReplacements
from certworker.vault.renewal.outlook import Outlooks
from certworker.vault.renewal.pauses import Pauses
from certworker.vault.renewals import Renewals
from certworker.vault.requested import RequestedRenewals
from certworker.vault.resilience.budgets import Budgets
from certworker.vault.resilience.failover import Failover
from certworker.vault.resilience.routing import Preference, Routing
from certworker.vault.resilience.setbacks import Setbacks
from certworker.vault.revocation.consequences import Consequences
from certworker.vault.revocation.services import RevocationServices, revocation_services
from certworker.vault.revocations import Revocations
from certworker.vault.rights.explanation import Explanations
from certworker.vault.secret_backups import SecretBackups
from certworker.vault.secrets import Secrets
from certworker.vault.store import Store
from certworker.vault.updates import Updates
from certworker.vault.vault_status import VaultStatuses
from certworker.vault.versions import Versions

if TYPE_CHECKING:
    from certworker.hsm.token import Token

SERVER_CERTIFICATE_VALIDITY = timedelta(days=30)
NO_PROVIDERS: Providers = MappingProxyType({})


@contextmanager
def open_house(
    settings: Settings,
    clock: Clock = utc_now,
    random: Random | None = None,
    providers: Providers = NO_PROVIDERS,
    source: MasterKeySource | None = None,
    audience: Audience | None = None,
    role: str | None = None,
    measures: Measures = NO_MEASURES,
    *,
    durable: bool = True,
    migrating: bool = True,
) -> Iterator[House]:
    """Build a House on a database that is migrated first, and close it at the end.

    Who only works beside a service is not `migrating`: the schema would change beneath processes of an earlier release.

    The master key is taken from the source that the settings name, unless one is given. With a `role`, which says what this
    process is for, the house has an audit log of its own. Where it is not `durable`, as in `open_store`, a commit waits for no
    disk. Raises SetupError, Sealed.
    """
    (migrate if migrating else require_current)(settings.database_url)
    with ExitStack() as stack:
        store = open_store(settings.database_url, clock, measures=measures, durable=durable)
        stack.callback(store.close)
        token = stack.enter_context(open_token(settings, measures)) if settings.hsm.module else None
        source = source or source_of_house(settings, token)
        ground = lay_ground(settings, clock, store, random or SystemRandom(), source, token, measures)
        trail = stack.enter_context(open_audit_log(settings.audit, store, ground.keyring, clock, role)) if role else None
        yield build_on(ground, providers, audience=audience, trail=trail)


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
    trail: AuditTrail | None = None,
    measures: Measures = NO_MEASURES,
) -> House:
    """Wire the services together, with further `providers` beside (or before) those of the house, which `connect` by HTTP.

    Who is told is as the settings say, unless an `audience` is given. Raises SetupError where the master key is missing or
    another one, Sealed where it waits to be opened.
    """
    ground = lay_ground(settings, clock, store, random, source or source_of_house(settings, token), token, measures)
    return build_on(ground, providers, connect, audience, trail)


def build_on(
    ground: Ground,
    providers: Providers = NO_PROVIDERS,
    connect: Connect | None = None,
    audience: Audience | None = None,
    trail: AuditTrail | None = None,
) -> House:
    """Wire the services together on ground that is laid."""
    settings, clock, store, keyring, access = ground.settings, ground.clock, ground.store, ground.keyring, ground.access
    challenges, keys, foreign = Challenges(store), Keys(store, access), foreign_tokens(ground)
    local, directory = LocalProvider(ground.accounts, SERVER_CERTIFICATE_VALIDITY), Directory(store, keyring, clock, foreign)
    issuing = _issuing(ground, challenges, {"local": local, **providers}, connect)
    issuances, planner, trail = issuing.issuances, ground.planner, trail or NoTrail()
    return House(
        settings=settings,
        clock=clock,
        measures=ground.measures,
        store=store,
        master_source=ground.source,
        master=ground.master,
        keyring=keyring,
        trail=trail,
        readiness=Readiness(parts_of(store, trail)),
        audit_events=AuditEvents(store, access, Notary(store, keyring, clock), settings.audit.folder),
        access=access,
        directory=directory,
        sign_in=signing_in(ground, directory, foreign),
        materials=ground.materials,
        founding=Founding(store, keyring, directory, clock),
        certificates=Certificates(store, access, issuances, Deletions(), planner, clock),
        keys=keys,
        key_life=_key_life(ground),
        attestations=Attestations(keys),
        expiries=Expiries(store),
        key_operations=KeyOperations(store, access, ground.materials, clock),
        secrets=Secrets(store, keyring, access, Deletions(), clock),
        issuers=issuing.issuers,
        issuances=issuances,
        renewals=Renewals(store, issuances, planner, issuing.budgets, issuing.routing, clock, ground.measures),
        progression=issuing.progression,
        failover=Failover(store, issuing.routing, issuing.progression, clock),
        merging=Merging(store, access, issuing.versions, clock),
        refusals=issuing.refusals,
        challenges=challenges,
        local=local,
        fleet=Fleet(store),
        imports=Imports(store, access, keyring, ground.materials, planner, clock),
        updates=Updates(store, access, planner, clock),
        backups=_backups(ground),
        contacts=ContactBook(store, access),
        requested=RequestedRenewals(store, access, issuances),
        histories=Histories(store, access),
        explanations=Explanations(store, access),
        dealings=_dealings(ground, issuing),
        releases=_releases(ground),
        lifecycle=_lifecycle(ground, issuing, audience or _audience(ground), _revocation(ground, issuances, connect)),
        identities=identity_services(store, clock),
        resources=resource_services(ground),
        governance=governance(ground),
    )


@dataclass(frozen=True, slots=True)
class _Issuing:
    """What certificates are issued by."""

    providers: Providers
    issuers: Issuers
    refusals: Refusals
    advising: Advising
    versions: Versions
    budgets: Budgets
    routing: Routing
    issuances: Issuances
    progression: Progression


def _issuing(ground: Ground, challenges: Challenges, providers: Providers, connect: Connect | None) -> _Issuing:
    store, keyring, access, clock, planner = ground.store, ground.keyring, ground.access, ground.clock, ground.planner
    known = _providers(ground, challenges, providers, connect)
    issuers, refusals = Issuers(store, keyring, access, known, clock), Refusals(store, access, keyring)
    advising = Advising(store, issuers, known, planner, ground.random, clock, ground.measures)
    versions = Versions(keyring, ground.materials, planner, (advising.follow,))
    budgets, routing = Budgets(limits_by(ground.settings)), _routing(ground.settings, known)
    issuances = Issuances(store, Drafts(store, ground.materials), versions, planner, budgets, clock)
    progression = Progression(store, versions, issuers, refusals, known, Setbacks(ground.random), clock, ground.measures)
    return _Issuing(known, issuers, refusals, advising, versions, budgets, routing, issuances, progression)


def _providers(ground: Ground, challenges: Challenges, others: Providers, connect: Connect | None) -> Providers:
    clients = ClientCertificates(ground.store, ground.materials)
    own = house_providers(ground.settings, ground.accounts, challenges, clients.find, connect)
    return load_providers({**own, **others})


def _lifecycle(ground: Ground, issuing: _Issuing, audience: Audience, revocation: RevocationServices) -> Lifecycle:
    store, access, planner, clock = ground.store, ground.access, ground.planner, ground.clock
    outlooks, pauses = Outlooks(store, access, planner, clock), Pauses(store, access, planner, clock)
    replacements = MassReplacements(store, access, issuing.issuers, outlooks, planner, issuing.budgets, clock)
    told = _notification(ground, audience)
    statuses = VaultStatuses(store, access, outlooks, clock)
    return Lifecycle(planner, outlooks, statuses, pauses, ground.pool, issuing.advising, replacements, told, revocation)


def _revocation(ground: Ground, issuances: Issuances, connect: Connect | None) -> RevocationServices:
    settings, allowed = ground.settings.revocation, ground.settings.network.allow_private
    fetcher = RevocationFetcher(allowed, settings.list_bytes, settings.timeout_seconds, connect, ground.measures)
    every = timedelta(seconds=settings.check_seconds)
    return revocation_services(
        ground.store, ground.access, ground.planner, issuances, fetcher, ground.clock, ground.random, every, ground.measures
    )


def _audience(ground: Ground) -> Audience:
    """Set the channels up that the settings name, and who listens on them. Raises SettingsError."""
    return open_audience(ground.settings, ground.store, read_private)


def _notification(ground: Ground, audience: Audience) -> Notification:
    store, planner, clock, settings = ground.store, ground.planner, ground.clock, ground.settings.notices
    thresholds = tuple(map(read_threshold, settings.thresholds))
    before = timedelta(hours=settings.before_renewal_hours)
    return Notification(
        audience,
        ExpiryWatch(store, planner, thresholds, before),
        Telling(store, audience, planner, thresholds, before, settings.hold),
        Deliveries(store, audience, settings.digest_from, clock, ground.measures),
        NoticeDesk(store, ground.access, audience, clock),
    )


def _routing(settings: Settings, providers: Providers) -> Routing:
    preferences = {
        name: Preference(found.fallback, timedelta(seconds=found.fallback_after_seconds))
        for name, found in settings.issuers.items()
    }
    return Routing(preferences, providers)


def _key_life(ground: Ground) -> KeyLife:
    store, access, materials, clock = ground.store, ground.access, ground.materials, ground.clock
    return KeyLife(
        KeyCreation(store, access, materials, clock),
        KeyUpdates(store, access, clock),
        KeyRotations(store, access, materials, clock),
        KeyDeletions(store, access, Deletions(), clock),
    )


def _dealings(ground: Ground, issuing: _Issuing) -> Dealings:
    store, access, clock, issuers = ground.store, ground.access, ground.clock, issuing.issuers
    return Dealings(
        IssuerExaminations(store, access, issuers, issuing.providers, clock, ground.measures),
        AccountKeys(access, issuers, clock, ground.measures),
        Revocations(store, access, issuers, Consequences(ground.planner), clock, ground.measures),
    )


def _backups(ground: Ground) -> ObjectBackups:
    store, access, keyring, materials, clock = ground.store, ground.access, ground.keyring, ground.materials, ground.clock
    form = BackupFormat(store, keyring)
    return ObjectBackups(
        CertificateBackups(store, access, keyring, materials, form, ground.planner, clock),
        KeyBackups(store, access, materials, form, clock),
        SecretBackups(store, access, keyring, form, clock),
    )


def _releases(ground: Ground) -> Releases:
    """Wire the release of keys. Raises SettingsError for what is no authority."""
    settings, clock, release = ground.settings, ground.clock, ground.settings.release
    try:
        authorities = frozenset(map(plain_authority, release.authorities))
    except ValueError as error:
        raise SettingsError(f"release.authorities: {error}.") from None
    rules = EgressRules(settings.network.allow_private)
    keys = DiscoveredKeys(rules, release.ca_bundle, release.timeout_seconds, clock, measures=ground.measures)
    age = timedelta(seconds=release.max_age_seconds)
    return Releases(ground.store, ground.access, ground.materials, keys, authorities, age, clock)
