"""The port to the database. The database is the truth and the queue.

`reading()` gives a consistent view, `writing()` one transaction that is committed as a whole or not at all. Inside a writing
transaction there is no network call, no HSM call and no key generation. Names are compared without regard to case.
Records come back whole; nothing is loaded later.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, Protocol, TypeVar

from certworker.vault.audit.port import AuditReader, AuditWriter
from certworker.vault.database import DatabaseReader, DatabaseWriter
from certworker.vault.events import Event
from certworker.vault.history import HistoryReader, HistoryWriter
from certworker.vault.identities.port import IdentityGlance, IdentityReader, IdentityWriter
from certworker.vault.management.stores import StoreReader, StoreWriter
from certworker.vault.notification.consents import ConsentReader, ConsentWriter
from certworker.vault.notification.ledger import NoticeReader, NoticeWriter
from certworker.vault.objects import (
    Attributes,
    CertificateVersion,
    Deletion,
    DueNotice,
    KeyReleasePolicy,
    KeyVersion,
    ObjectHead,
    ObjectKind,
    SecretVersion,
    Tags,
)
from certworker.vault.operations import Certificate, Evidence, JournalEntry, Operation, Progress, Renewal
from certworker.vault.renewal.advice import AdviceReader
from certworker.vault.resilience.ports import ResilienceReader, ResilienceWriter
from certworker.vault.resources import ResourceReader, ResourceWriter
from certworker.vault.revocation.port import RevocationReader, RevocationWriter
from certworker.vault.rights.port import RightsGlance, RightsReader, RightsWriter
from certworker.vault.rotation_policy import KeyRotation
from certworker.vault.sealed_records import SealedKind, SealedRecord
from certworker.vault.sign_in.grants import GrantReader, GrantWriter
from certworker.vault.spare_keys import SpareKeyReader, SpareKeyWriter
from certworker.vault.summary.attention import AttentionReader
from certworker.vault.summary.port import SummaryReader, SummaryWriter
from certworker.vault.vaults import Contact, Heartbeat, Issuer, Principal, SealedAccount, SigningKey, Vault, WrappedKey
from certworker.vault.watches import WatchReader, WatchWriter

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some of a list. `next` is what to ask for the rest with; none on the last page."""

    items: tuple[T, ...]
    next: str | None


class HotReader(RightsGlance, IdentityGlance, Protocol):
    """What is looked up on the road of every request. Each answer is as the database was when `glance` began, or later."""

    def vault_by_name(self, name: str) -> Vault | None:
        """Find a vault by its name, unless it was deleted."""

    def wrapped_keys(self, vault_id: str) -> tuple[WrappedKey, ...]:
        """List a vault's wrapped keys, the newest term last."""

    def principal(self, object_id: str) -> Principal | None:
        """Find a principal by its object id."""

    def signing_keys(self, tenant_id: str) -> tuple[SigningKey, ...]:
        """List a tenant's signing keys, the newest last."""

    def head(self, vault_id: str, kind: ObjectKind, name: str) -> ObjectHead | None:
        """Find what all versions of an object share, whether it is deleted or not."""

    def key(self, vault_id: str, name: str, version: str | None) -> KeyVersion | None:
        """Find a key's version; the current one where `version` is none. Deleted ones as well."""

    def secret(self, vault_id: str, name: str, version: str | None) -> SecretVersion | None:
        """Find a secret's version likewise."""


class Reader(
    HotReader,
    WatchReader,
    AdviceReader,
    NoticeReader,
    RevocationReader,
    ResilienceReader,
    SpareKeyReader,
    ConsentReader,
    RightsReader,
    ResourceReader,
    StoreReader,
    IdentityReader,
    GrantReader,
    AuditReader,
    SummaryReader,
    HistoryReader,
    AttentionReader,
    DatabaseReader,
    Protocol,
):
    """What can be asked. Every lookup of one thing gives none where there is no such thing."""

    def vault(self, vault_id: str) -> Vault | None:
        """Find a vault by its id."""

    def vaults(self) -> tuple[Vault, ...]:
        """List all vaults by name, but for deleted ones."""

    def principal_by_client(self, client_id: str) -> Principal | None:
        """Find a principal by its application's client id."""

    def principals(self) -> tuple[Principal, ...]:
        """List all principals, the oldest first."""

    def certificate_version(self, vault_id: str, name: str, version: str | None) -> CertificateVersion | None:
        """Find a certificate's version likewise."""

    def certificate(self, vault_id: str, name: str) -> Certificate | None:
        """Find a certificate's policy and renewal."""

    def heads(self, vault_id: str, kind: ObjectKind, after: str | None, limit: int, *, deleted: bool) -> Page[ObjectHead]:
        """List live or deleted objects by upper-cased name, beginning after the folded name `after`.

        A certificate's head without a version (its first operation is in progress) is among them.
        """

    def certificate_versions(self, vault_id: str, name: str, after: str | None, limit: int) -> Page[CertificateVersion]:
        """List a certificate's versions, ascending by version, beginning after the version `after`."""

    def secret_versions(self, vault_id: str, name: str, after: str | None, limit: int) -> Page[SecretVersion]:
        """List a secret's versions likewise."""

    def key_versions(self, vault_id: str, name: str, after: str | None, limit: int) -> Page[KeyVersion]:
        """List a key's versions likewise."""

    def version_before(self, vault_id: str, name: str, created: datetime) -> str | None:
        """Tell the newest version of a secret that was made before a time."""

    def operation(self, vault_id: str, name: str) -> Operation | None:
        """Find a certificate's latest operation, unless it was deleted."""

    def operation_by_id(self, operation_id: str) -> Operation | None:
        """Find an operation."""

    def operation_of_version(self, vault_id: str, name: str, version: str) -> Operation | None:
        """Find the operation that made a version of a certificate, or was to make it."""

    def journal(self, operation_id: str) -> tuple[JournalEntry, ...]:
        """List the steps of an operation in order."""

    def issuer(self, vault_id: str, name: str) -> Issuer | None:
        """Find an issuer record."""

    def issuers(self, vault_id: str, after: str | None, limit: int) -> Page[Issuer]:
        """List issuer records by folded name, beginning after the folded name `after`."""

    def issuer_names(self) -> tuple[tuple[str, str], ...]:
        """List the names of all live vaults' issuers: (vault's name, issuer's name)."""

    def issuers_of_all(self) -> tuple[tuple[str, Issuer], ...]:
        """List all live vaults' issuers, each with its vault's name."""

    def contacts(self, vault_id: str) -> tuple[Contact, ...]:
        """List a vault's contacts, in the order in which they were set."""

    def evidence(self, operation_id: str) -> tuple[Evidence, ...]:
        """List what was refused in an operation, in order."""

    def account(self, vault_id: str, issuer: str, authority: str) -> SealedAccount | None:
        """Find the account at a CA."""

    def challenge(self, token: str) -> str | None:
        """Find the response to a challenge's token, unless it has expired."""

    def events(self, after: int, limit: int) -> tuple[Event, ...]:
        """List events in order, beginning after the sequence number `after`."""

    def last_event(self) -> int:
        """Tell the highest sequence number of the events; 0 without any."""

    def cursor(self, name: str) -> int:
        """Tell up to which event a listener has read; 0 for a new one."""

    def rotation(self, vault_id: str, name: str) -> KeyRotation | None:
        """Find a key's rotation policy and the rotation to come."""

    def due_notices(self, at: datetime, limit: int) -> tuple[DueNotice, ...]:
        """List current versions of live keys and secrets whose notice is due, those that wait the longest first."""

    def hsm_keys(self) -> tuple[str, ...]:
        """List the ids of all keys that are in the token, or were about to be."""

    def has_hsm_keys(self, vault_id: str) -> bool:
        """Tell whether the token has keys of a vault, or was about to."""

    def unused_hsm_keys(self, before: datetime, limit: int) -> tuple[str, ...]:
        """List the ids of keys in the token that were noted before a time, and belong to nothing."""

    def master_key_id(self) -> str | None:
        """Tell the id of the master key in force; none before the first one."""

    def sealed_records(
        self, vault_id: str, kind: SealedKind, after: SealedRecord | None, limit: int, before_term: int | None = None
    ) -> tuple[SealedRecord, ...]:
        """List a vault's sealed records of a kind, by row, beginning after one; only those under terms before one."""

    def count_sealed(self, vault_id: str, kind: SealedKind, before_term: int | None = None) -> int:
        """Count a vault's sealed records of a kind; only those under terms before one."""

    def tallies(self) -> Mapping[tuple[str, str, str], int]:
        """Count attempts at issuance: (vault's name, issuer's name, result) -> count."""

    def heartbeats(self) -> tuple[Heartbeat, ...]:
        """List the last run of each job."""

    def next_operation(self) -> datetime | None:
        """Tell when the next operation falls due; what is under a lease, when that runs out."""

    def next_renewal(self) -> datetime | None:
        """Tell when the next renewal falls due, likewise."""

    def next_rotation(self) -> datetime | None:
        """Tell when the next rotation of a key falls due, likewise."""

    def next_notice(self) -> datetime | None:
        """Tell when the next notice of a key or a secret falls due."""


class Writer(
    Reader,
    WatchWriter,
    NoticeWriter,
    RevocationWriter,
    ResilienceWriter,
    SpareKeyWriter,
    ConsentWriter,
    RightsWriter,
    ResourceWriter,
    StoreWriter,
    IdentityWriter,
    GrantWriter,
    AuditWriter,
    SummaryWriter,
    HistoryWriter,
    DatabaseWriter,
    Protocol,
):
    """What can be changed, inside one transaction."""

    def add_vault(self, vault: Vault) -> None:
        """Add a vault. Raises Conflict where the name is taken, if only by a deleted one."""

    def add_wrapped_key(self, key: WrappedKey) -> None:
        """Add a vault key under a new term.

        Raises Conflict where the term is taken, MasterKeyChanged where it was wrapped by a master key that is in force no more.
        """

    def replace_wrapped_key(self, key: WrappedKey) -> None:
        """Put another wrapping of the same vault key in the place of the one of its term."""

    def set_master_key_id(self, key_id: str, at: datetime) -> None:
        """Put a master key in force."""

    def exchange_sealed(self, record: SealedRecord, sealed: bytes) -> bool:
        """Put what was sealed anew in a record's place, unless somebody else has changed it; tell whether it was."""

    def add_principal(self, principal: Principal) -> None:
        """Add a principal. Raises Conflict where one of its ids is taken."""

    def set_principal_secret(self, object_id: str, secret_hash: str) -> None:
        """Replace the hash of a principal's secret."""

    def add_signing_key(self, key: SigningKey) -> None:
        """Add a signing key."""

    def put_issuer(self, issuer: Issuer) -> None:
        """Add or replace an issuer record."""

    def delete_issuer(self, vault_id: str, name: str) -> None:
        """Delete an issuer record."""

    def set_contacts(self, vault_id: str, contacts: tuple[Contact, ...]) -> None:
        """Replace all contacts of a vault."""

    def add_evidence(self, evidence: Evidence) -> None:
        """Keep what was refused in an operation."""

    def keep_account(self, vault_id: str, issuer: str, authority: str, account: SealedAccount) -> SealedAccount:
        """Keep an account unless there is one already; give back the one that is kept."""

    def update_account(self, vault_id: str, issuer: str, authority: str, url: str | None, document: bytes | None) -> None:
        """Replace what is kept of an account beside its key."""

    def set_account_key(self, vault_id: str, issuer: str, authority: str, sealed_key: bytes) -> None:
        """Replace an account's key."""

    def delete_account(self, vault_id: str, issuer: str, authority: str, document: bytes | None) -> bool:
        """Delete an account that has this document; tell whether there was one."""

    def put_challenge(self, token: str, response: str, expires: datetime) -> None:
        """Put a challenge's response up."""

    def delete_challenge(self, token: str) -> None:
        """Take a challenge's response down."""

    def delete_expired_challenges(self, at: datetime) -> int:
        """Take down what has expired; give the count."""

    def put_head(self, head: ObjectHead) -> None:
        """Add an object's head, or replace its current version, its deletion and whether it is managed."""

    def advance_head(self, head: ObjectHead) -> ObjectHead | None:
        """Make a version the current one of a live object that nothing manages, and add the head of a new one.

        Gives the head as it is then; none, and nothing has changed, where the object is deleted or managed. One conditional
        change, so that it cannot bring back what somebody deletes at the same time.
        """

    def add_key(self, key: KeyVersion) -> None:
        """Add a key's version. The head must exist."""

    def add_secret(self, secret: SecretVersion) -> None:
        """Add a secret's version. The head must exist."""

    def add_certificate_version(self, certificate: CertificateVersion) -> None:
        """Add a certificate's version. The head must exist."""

    def set_attributes(
        self, vault_id: str, kind: ObjectKind, name: str, version: str, attributes: Attributes, tags: Tags
    ) -> None:
        """Replace the attributes and tags of one version."""

    def set_key_properties(
        self, vault_id: str, name: str, version: str, key_ops: tuple[str, ...], release_policy: KeyReleasePolicy | None
    ) -> None:
        """Replace what a key's version may do, and its release policy."""

    def set_notice(self, vault_id: str, kind: ObjectKind, name: str, version: str, notice_at: datetime | None) -> None:
        """Plan the next notice of a version of a key or a secret."""

    def move_notice(self, notice: DueNotice, notice_at: datetime | None) -> bool:
        """Plan the notice that follows one, unless the plan has changed since; say whether it had not.

        One conditional UPDATE: of two processes that tell the same notice, one is refused.
        """

    def put_rotation(self, rotation: KeyRotation) -> None:
        """Add or replace a key's rotation policy; a lease on it ends, and its fence moves on. The head must exist."""

    def claim_rotation(self, owner: str, at: datetime, lease: timedelta) -> KeyRotation | None:
        """Claim a live key whose rotation has been due the longest at `at`, and is under no lease, likewise."""

    def set_rotation(self, rotation: KeyRotation) -> None:
        """Plan the next rotation, under the fence that this one was claimed with; the lease ends. Raises LeaseLost."""

    def note_hsm_key(self, key_id: str, vault_id: str, at: datetime) -> None:
        """Note a key that is about to be made in the token. Raises Conflict where the id is known."""

    def forget_hsm_key(self, key_id: str) -> None:
        """Forget a key that was destroyed in the token."""

    def use_assertion(self, digest: str, expires: datetime) -> bool:
        """Note that an assertion was used; tell whether it was the first time."""

    def delete_expired_assertions(self, at: datetime) -> int:
        """Forget the assertions that have expired; give the count."""

    def set_content_type(self, vault_id: str, name: str, version: str, content_type: str | None) -> None:
        """Replace the content type of a secret's version."""

    def put_certificate(self, certificate: Certificate) -> None:
        """Add or replace a certificate's policy and renewal; `fence` is the store's own and is left alone."""

    def purge(self, vault_id: str, kind: ObjectKind, name: str) -> None:
        """Delete an object for good: head, versions, and for a certificate its policy and operations."""

    def set_deletion(self, vault_id: str, kind: ObjectKind, name: str, deletion: Deletion | None) -> None:
        """Mark an object as deleted, or as recovered."""

    def purgeable(self, at: datetime, limit: int) -> tuple[ObjectHead, ...]:
        """List deleted objects whose purge is due. A certificate's companions are not listed; they go with it."""

    def add_operation(self, operation: Operation) -> None:
        """Add an operation. Raises OperationInProgress where the certificate already has one in progress."""

    def update_operation(self, operation: Operation) -> None:
        """Replace an operation that is not under a lease of somebody else: its `fence` must be the stored one.

        Raises LeaseLost where the fence has moved on, or the stored operation is no longer in progress. A lease of the
        operation ends with this.
        """

    def keep_progress(self, operation_id: str, fence: int, progress: Progress, at: datetime) -> None:
        """Record a provider's progress under a lease that goes on. Raises LeaseLost where the fence has moved on."""

    def request_cancellation(self, operation_id: str, at: datetime) -> None:
        """Ask for an operation in progress to be cancelled: it falls due at once, and no lease in force is broken."""

    def delete_operation(self, operation_id: str) -> None:
        """Forget an operation and its journal."""

    def add_journal(self, operation_id: str, at: datetime, step: str, detail: Progress) -> None:
        """Append a step to an operation's journal."""

    def claim_operation(self, owner: str, at: datetime, lease: timedelta) -> Operation | None:
        """Claim the operation in progress with the earliest deadline of those that are due at `at` and under no lease.

        One conditional UPDATE: two processes never claim the same. The fence is counted up. On PostgreSQL the lease runs by
        the database's clock, on SQLite from `at`.
        """

    def claim_renewal(self, owner: str, at: datetime, lease: timedelta) -> Certificate | None:
        """Claim a live, enabled certificate whose renewal is due at `at` and that has no operation in progress, likewise.

        The earliest deadline goes first.
        """

    def lease_owners(self) -> tuple[str, ...]:
        """List who holds a lease, or held one that was not ended."""

    def release_leases(self, owner: str) -> None:
        """End every lease of an owner that is gone."""

    def set_renewal(self, vault_id: str, name: str, fence: int | None, renewal: Renewal) -> None:
        """Replace a certificate's renewal, and end a lease on it.

        Raises LeaseLost where `fence` is given and has moved on.
        """

    def add_event(self, event: Event) -> None:
        """Append an event."""

    def set_cursor(self, name: str, sequence: int) -> None:
        """Record up to which event a listener has read."""

    def count_attempt(self, vault_id: str, issuer: str, result: str) -> None:
        """Count an attempt at issuance by its result."""

    def beat(self, heartbeat: Heartbeat) -> None:
        """Record the last run of a job."""


class Store(Protocol):
    """A database."""

    @property
    def inline_reads(self) -> bool:
        """Whether a hot read is faster where it stands than in a thread of its own (SQLite)."""

    def reading(self) -> AbstractContextManager[Reader]:
        """Open a consistent view."""

    def glance(self) -> AbstractContextManager[HotReader]:
        """Look things up one by one: no consistent view, and much faster. What was changed before it began is seen."""

    def writing(self) -> AbstractContextManager[Writer]:
        """Open a transaction: committed at the end, rolled back by any exception."""

    def close(self) -> None:
        """Close every connection."""
