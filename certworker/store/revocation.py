"""What tells of revocations, and the keys that are never used again: what is asked and what is changed."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import and_, bindparam, delete, exists, func, literal_column, select, update

from certworker.errors import LeaseLost
from certworker.store.claims import due
from certworker.store.columns import SourceText, WatchText
from certworker.store.living import is_live
from certworker.store.tables.objects import CERTIFICATE_VERSION, HEAD, KEY_VERSION, certificate_version_record
from certworker.store.tables.operations import OPERATION, operation_record
from certworker.store.tables.revocation import (
    COMPROMISED_KEY,
    REVOCATION_SOURCE,
    compromised_record,
    compromised_values,
    source_record,
    source_values,
)
from certworker.store.tables.watches import WATCH
from certworker.store.transaction import Transaction
from certworker.vault.objects import CertificateVersion
from certworker.vault.operations import Operation, OperationStatus
from certworker.vault.revocation.compromised import CompromisedKey, digest_of
from certworker.vault.revocation.sources import Source, SourceKind
from certworker.vault.watches import WatchKind

_A_DAY: Final = timedelta(days=1)
_KIND = bindparam("kind", type_=SourceText())
_WITHOUT_BODY: Final = tuple(column for column in REVOCATION_SOURCE.c if column.name != "body")
_THIS: Final = and_(
    REVOCATION_SOURCE.c.kind == _KIND,
    REVOCATION_SOURCE.c.url == bindparam("url"),
    REVOCATION_SOURCE.c.signer == bindparam("signer"),
)
_SOURCE: Final = select(*_WITHOUT_BODY).where(_THIS)
_BODY: Final = select(REVOCATION_SOURCE.c.body).where(_THIS)
_SOURCES: Final = select(*_WITHOUT_BODY).where(REVOCATION_SOURCE.c.kind == _KIND).order_by(REVOCATION_SOURCE.c.url)
_NEXT_SOURCE: Final = select(func.min(due(REVOCATION_SOURCE)).label("at")).where(REVOCATION_SOURCE.c.kind == _KIND)
_COMPROMISED: Final = select(COMPROMISED_KEY).where(COMPROMISED_KEY.c.digest == bindparam("digest"))
_CURRENT: Final = and_(
    CERTIFICATE_VERSION.c.vault_id == HEAD.c.vault_id,
    CERTIFICATE_VERSION.c.folded == HEAD.c.folded,
    CERTIFICATE_VERSION.c.version == HEAD.c.current_version,
    HEAD.c.kind == literal_column("'certificate'"),
    HEAD.c.deleted_at.is_(None),
)
_ITS_KEY: Final = and_(
    KEY_VERSION.c.vault_id == CERTIFICATE_VERSION.c.vault_id,
    KEY_VERSION.c.folded == CERTIFICATE_VERSION.c.folded,
    KEY_VERSION.c.version == CERTIFICATE_VERSION.c.version,
)
_WITH_KEY: Final = (
    select(HEAD.c.name, *CERTIFICATE_VERSION.c)
    .select_from(HEAD)
    .join(CERTIFICATE_VERSION, _CURRENT)
    .join(KEY_VERSION, _ITS_KEY)
    .where(KEY_VERSION.c.public_key == bindparam("public_key"))
    .order_by(HEAD.c.vault_id, HEAD.c.folded)
)
_OPERATIONS_WITH_KEY: Final = (
    select(OPERATION)
    .where(OPERATION.c.public_key == bindparam("public_key"), OPERATION.c.status == OperationStatus.IN_PROGRESS)
    .order_by(OPERATION.c.number)
)
_WATCHED: Final = exists().where(
    WATCH.c.what == bindparam("what", type_=WatchText()),
    WATCH.c.vault_id == HEAD.c.vault_id,
    WATCH.c.folded == HEAD.c.folded,
    WATCH.c.version == HEAD.c.current_version,
)
_WITHOUT_WATCH: Final = (
    select(HEAD.c.name, *CERTIFICATE_VERSION.c)
    .select_from(HEAD)
    .join(CERTIFICATE_VERSION, _CURRENT)
    .where(~_WATCHED, is_live(HEAD))
    .limit(bindparam("most", type_=None))
)


class RevocationReader(Transaction):
    """What can be asked of what tells of revocations, and of compromised keys."""

    def source(self, kind: SourceKind, url: str, signer: str = "") -> Source | None:
        """Find what is known of a URL, without the body: lists can be large."""
        row = self._one(_SOURCE, kind=kind, url=url, signer=signer)
        return source_record(row, b"") if row else None

    def source_body(self, kind: SourceKind, url: str, signer: str = "") -> bytes:
        """Give the last good answer of a URL; empty before the first."""
        row = self._one(_BODY, kind=kind, url=url, signer=signer)
        return bytes(row.body) if row else b""

    def sources(self, kind: SourceKind) -> tuple[Source, ...]:
        """List what is known, by URL, without the bodies."""
        return tuple(source_record(row, b"") for row in self._all(_SOURCES, kind=kind))

    def next_source(self) -> datetime | None:
        """Tell when the next list is to be refreshed; what is under a lease, when that runs out."""
        row = self._one(_NEXT_SOURCE, kind=SourceKind.LIST)
        return row.at if row else None

    def compromised_key(self, public_key: bytes) -> CompromisedKey | None:
        """Find a key among those that are compromised."""
        row = self._one(_COMPROMISED, digest=digest_of(public_key))
        return compromised_record(row) if row else None

    def versions_with_key(self, public_key: bytes) -> tuple[CertificateVersion, ...]:
        """List the current versions of live certificates that have a key, in all vaults."""
        return tuple(map(certificate_version_record, self._all(_WITH_KEY, public_key=public_key)))

    def operations_with_key(self, public_key: bytes) -> tuple[Operation, ...]:
        """List the operations in progress that have a key, in all vaults."""
        return tuple(map(operation_record, self._all(_OPERATIONS_WITH_KEY, public_key=public_key)))

    def versions_without_watch(self, kind: WatchKind, limit: int) -> tuple[CertificateVersion, ...]:
        """List current versions of live certificates that no watch of a kind is about."""
        return tuple(map(certificate_version_record, self._all(_WITHOUT_WATCH, what=kind, most=limit)))


class RevocationWriter(RevocationReader):
    """What can be changed in them."""

    def add_source(self, source: Source) -> None:
        """Add a source, unless it is known."""
        self._try_add(REVOCATION_SOURCE, _new(source))

    def set_source(self, source: Source) -> None:
        """Record what came, under the fence that the list was claimed with; the lease ends. Raises LeaseLost."""
        this = (
            REVOCATION_SOURCE.c.kind == source.kind,
            REVOCATION_SOURCE.c.url == source.url,
            REVOCATION_SOURCE.c.signer == source.signer,
            REVOCATION_SOURCE.c.fence == source.fence,
            REVOCATION_SOURCE.c.lease_owner.is_not(None),
        )
        values = source_values(source) | {"lease_owner": None, "lease_until": None}
        if self._change(update(REVOCATION_SOURCE).where(*this).values(values)) == 0:
            raise LeaseLost(f"The list at {source.url} was taken over by another worker.")

    def put_source(self, source: Source) -> None:
        """Add or replace a source, whoever holds it."""
        self._put(REVOCATION_SOURCE, _new(source), key=("kind", "url", "signer"), keep=("fence",))

    def use_sources(self, urls: Collection[str], at: datetime) -> None:
        """Note that sources are still needed."""
        # once a day is enough: many certificates need the same
        this = (REVOCATION_SOURCE.c.url.in_(urls), REVOCATION_SOURCE.c.used_at < at - _A_DAY)
        self._change(update(REVOCATION_SOURCE).where(*this).values(used_at=at))

    def delete_unused_sources(self, before: datetime) -> int:
        """Forget what nothing has needed since a time; give the count."""
        return self._change(delete(REVOCATION_SOURCE).where(REVOCATION_SOURCE.c.used_at < before))

    def pull_source_in(self, url: str, signer: str, at: datetime) -> None:
        """Let the list at a URL fall due at `at`."""
        this = (
            REVOCATION_SOURCE.c.kind == SourceKind.LIST,
            REVOCATION_SOURCE.c.url == url,
            REVOCATION_SOURCE.c.signer == signer,
        )
        self._change(update(REVOCATION_SOURCE).where(*this).values(due_at=at))

    def pull_sources_in(self, at: datetime, latest: datetime) -> int:
        """Let those lists fall due at `at` that are due after `latest`: the clock has gone back. Give their count."""
        return self._change(update(REVOCATION_SOURCE).where(REVOCATION_SOURCE.c.due_at > latest).values(due_at=at))

    def pull_watches_in(self, kind: WatchKind, at: datetime, latest: datetime) -> int:
        """Let those watches of a kind fall due at `at` that are due after `latest`, likewise."""
        this = (WATCH.c.what == kind, WATCH.c.due_at > latest)
        return self._change(update(WATCH).where(*this).values(due_at=at))

    def add_compromised_key(self, key: CompromisedKey) -> bool:
        """Add a key for good; tell whether it is new."""
        return self._try_add(COMPROMISED_KEY, compromised_values(key))


def _new(source: Source) -> dict[str, object]:
    return source_values(source) | {"lease_owner": None, "lease_until": None, "fence": 0}
