"""The house: everything that a door (API, worker, CLI) needs, in its rooms."""

from dataclasses import dataclass

from certworker.audit.reading import AuditEvents
from certworker.bootstrap.governance import Governance
from certworker.bootstrap.resources import ResourceServices
from certworker.clock import Clock
from certworker.issuers.challenges import Challenges
from certworker.issuers.local import LocalProvider
from certworker.measures import Measures
from certworker.seal.sources import MasterKeySource
from certworker.settings import Settings
from certworker.vault.access import Access
from certworker.vault.account_keys import AccountKeys
from certworker.vault.attestations import Attestations
from certworker.vault.audit.trail import AuditTrail
from certworker.vault.certificate_backups import CertificateBackups
from certworker.vault.certificates import Certificates
from certworker.vault.contacts import ContactBook
from certworker.vault.directory import Directory
from certworker.vault.examinations import IssuerExaminations
from certworker.vault.expiries import Expiries
from certworker.vault.fleet import Fleet
from certworker.vault.founding import Founding
from certworker.vault.histories import Histories
from certworker.vault.identities.services import Identities
from certworker.vault.imports import Imports
from certworker.vault.issuances import Issuances
from certworker.vault.issuers import Issuers
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
from certworker.vault.notification.telling import Telling
from certworker.vault.progression import Progression
from certworker.vault.readiness import Readiness
from certworker.vault.refusals import Refusals
from certworker.vault.releases import Releases
from certworker.vault.renewal.advising import Advising
from certworker.vault.renewal.mass_replacement import MassReplacements
from certworker.vault.renewal.outlook import Outlooks
from certworker.vault.renewal.pauses import Pauses
from certworker.vault.renewal.planning import Planner
from certworker.vault.renewals import Renewals
from certworker.vault.requested import RequestedRenewals
from certworker.vault.resilience.failover import Failover
from certworker.vault.revocation.services import RevocationServices
from certworker.vault.revocations import Revocations
from certworker.vault.rights.explanation import Explanations
from certworker.vault.secret_backups import SecretBackups
from certworker.vault.secrets import Secrets
from certworker.vault.sign_in.services import SignIn
from certworker.vault.store import Store
from certworker.vault.updates import Updates
from certworker.vault.vault_status import VaultStatuses


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
    statuses: VaultStatuses
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
    measures: Measures
    store: Store
    master_source: MasterKeySource
    master: MasterKeyInForce
    keyring: Keyring
    trail: AuditTrail
    readiness: Readiness
    audit_events: AuditEvents
    access: Access
    directory: Directory
    sign_in: SignIn
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
    explanations: Explanations
    dealings: Dealings
    releases: Releases
    lifecycle: Lifecycle
    identities: Identities
    resources: ResourceServices
    governance: Governance
