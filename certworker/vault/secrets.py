"""Secrets: set, shown, listed, changed, deleted; the managed secrets of certificates are shown and listed among them."""

from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime

from certworker.clock import Clock, whole_second
from certworker.errors import BadParameter, Disabled
from certworker.vault.access import Access, Caller
from certworker.vault.companions import require_unmanaged
from certworker.vault.deletions import Deletions
from certworker.vault.events import Event, EventType
from certworker.vault.expiries import NEAR_EXPIRY, first_notice, times
from certworker.vault.heads import any_head, begin_version, deleted_head, live_head
from certworker.vault.keyring import Keyring, object_place
from certworker.vault.objects import (
    Attributes,
    ObjectHead,
    ObjectKind,
    SecretVersion,
    Tags,
    check_name,
    check_tags,
    new_version,
    not_found,
)
from certworker.vault.secret_forms import convert
from certworker.vault.store import HotReader, Page, Reader, Store, Writer
from certworker.vault.vaults import Vault

MAX_VALUE = 25_600
"""So many bytes has a value in UTF-8 at the most."""
MAX_CONTENT_TYPE = 255
SECRETS = "secrets"


@dataclass(frozen=True, slots=True, repr=False)
class OpenSecret:
    """A secret's version with its value in the clear. Its `repr` never shows the value.

    `previous_version` is the one before it of a certificate's secret.
    """

    secret: SecretVersion
    value: str
    previous_version: str | None = None


@dataclass(frozen=True, slots=True)
class SecretItem:
    """A secret without its value: the head, and one version."""

    head: ObjectHead
    version: SecretVersion


@dataclass(frozen=True, slots=True, repr=False)
class NewSecret:
    """What somebody sets. Its `repr` shows nothing of it."""

    value: str
    content_type: str | None = None
    enabled: bool = True
    not_before: datetime | None = None
    expires: datetime | None = None
    tags: Tags = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SecretUpdate:
    """What is to change in a version; none leaves it as it is. Its value never changes."""

    content_type: str | None = None
    enabled: bool | None = None
    not_before: datetime | None = None
    expires: datetime | None = None
    tags: Tags | None = None


class Secrets:
    """The secrets of vaults. Every method asks for the permission that Key Vault names for it."""

    def __init__(self, store: Store, keyring: Keyring, access: Access, deletions: Deletions, clock: Clock) -> None:
        self._store = store
        self._keyring = keyring
        self._access = access
        self._deletions = deletions
        self._clock = clock

    def set(self, caller: Caller, vault: Vault, name: str, new: NewSecret) -> OpenSecret:
        """Make a secret, or the next version of one. Raises BadParameter, DeletedButRecoverable, Conflict."""
        self._access.require(caller, vault, SECRETS, "set", name=name)
        check_name(name)
        check_tags(new.tags)
        value = check_value(new.value)
        _check_content_type(new.content_type)
        at, version = whole_second(self._clock()), new_version()
        sealed = self._keyring.seal(vault.id, value, object_place(vault.id, ObjectKind.SECRET, name, version))
        attributes = Attributes(at, at, new.enabled, new.not_before, new.expires)
        notice_at = first_notice(new.expires, NEAR_EXPIRY, at)
        secret = SecretVersion(
            vault.id, name, version, sealed, new.content_type, attributes, tags=new.tags, notice_at=notice_at
        )
        with self._store.writing() as writer:
            head = begin_version(writer, vault, ObjectKind.SECRET, name, version, at)
            writer.add_secret(secret)
            tell_new_secret(writer, secret, vault.name, "set", at)
        return OpenSecret(replace(secret, name=head.name), new.value)

    def get(
        self,
        caller: Caller,
        vault: Vault,
        name: str,
        version: str | None = None,
        content_type: str | None = None,
        *,
        with_previous: bool = True,
        glance: AbstractContextManager[HotReader] | None = None,
    ) -> OpenSecret:
        """Open a version, the current one where none is named; a certificate's secret in the form of `content_type`.

        Which version came before it is looked up unless `with_previous` is false. One whose time has not come, or is over, is
        opened as well. It is looked up by `glance`, where one was begun just now. Raises SecretNotFound, Disabled,
        BadParameter, SealBroken.
        """
        with glance or self._store.glance() as reader:
            self._access.require(caller, vault, SECRETS, "get", reader, name=name)
            head = reader.head(vault.id, ObjectKind.SECRET, name)
            secret = reader.secret(vault.id, name, version) if head and not head.deletion else None
        if secret is None:
            raise not_found(ObjectKind.SECRET, name, version)
        if not secret.attributes.enabled:
            raise Disabled("Operation get is not allowed on a disabled secret.")
        value = open_value(self._keyring, secret)
        if content_type:
            secret, value = replace(secret, content_type=content_type), convert(secret, value, content_type)
        return OpenSecret(secret, value, self._previous(secret) if secret.managed and with_previous else None)

    def list_(self, caller: Caller, vault: Vault, after: str | None, limit: int) -> Page[SecretItem]:
        """List secrets by name, without their values."""
        return self._list(caller, vault, after, limit, deleted=False)

    def versions(self, caller: Caller, vault: Vault, name: str, after: str | None, limit: int) -> Page[SecretVersion]:
        """List a secret's versions; none where there is no such secret."""
        self._access.require(caller, vault, SECRETS, "list", name=name)
        with self._store.reading() as reader:
            head = reader.head(vault.id, ObjectKind.SECRET, name)
            if head is None or head.deletion:
                return Page((), None)
            return reader.secret_versions(vault.id, name, after, limit)

    def update(self, caller: Caller, vault: Vault, name: str, version: str | None, changes: SecretUpdate) -> SecretVersion:
        """Change a version, the current one where none is named. Raises SecretNotFound, BadParameter, Forbidden."""
        self._access.require(caller, vault, SECRETS, "set", name=name, role_permission="update")
        check_tags(changes.tags or {})
        _check_content_type(changes.content_type)
        at = whole_second(self._clock())
        with self._store.writing() as writer:
            head = live_head(writer, vault, ObjectKind.SECRET, name)
            require_unmanaged(head, "update")
            known = _version(writer, head, version)
            changed = _changed(known, changes, at)
            place = (vault.id, ObjectKind.SECRET, name, changed.version)
            writer.set_attributes(*place, changed.attributes, changed.tags)
            if changed.content_type != known.content_type:
                writer.set_content_type(vault.id, name, changed.version, changed.content_type)
            if changed.notice_at != known.notice_at:
                writer.set_notice(*place, changed.notice_at)
        return changed

    def delete(self, caller: Caller, vault: Vault, name: str) -> SecretItem:
        """Delete a secret, to be recovered until it is purged. Raises SecretNotFound, Forbidden for a managed one."""
        self._access.require(caller, vault, SECRETS, "delete", name=name)
        with self._store.writing() as writer:
            head = live_head(writer, vault, ObjectKind.SECRET, name)
            deleted = self._deletions.delete(writer, vault, head, whole_second(self._clock()))
            return SecretItem(deleted, _version(writer, head, None))

    def deleted(self, caller: Caller, vault: Vault, name: str) -> SecretItem:
        """Show a deleted secret, without its value. Raises SecretNotFound."""
        self._access.require(caller, vault, SECRETS, "get", name=name, role_permission="list")
        with self._store.reading() as reader:
            head = deleted_head(reader, vault, ObjectKind.SECRET, name)
            return SecretItem(head, _version(reader, head, None))

    def list_deleted(self, caller: Caller, vault: Vault, after: str | None, limit: int) -> Page[SecretItem]:
        """List deleted secrets by name."""
        return self._list(caller, vault, after, limit, deleted=True)

    def recover(self, caller: Caller, vault: Vault, name: str) -> SecretItem:
        """Bring a deleted secret back. Raises SecretNotFound, NotDeleted, Forbidden for a managed one."""
        self._access.require(caller, vault, SECRETS, "recover", name=name)
        with self._store.writing() as writer:
            head = any_head(writer, vault, ObjectKind.SECRET, name)
            recovered = self._deletions.recover(writer, vault, head, whole_second(self._clock()))
            return SecretItem(recovered, _version(writer, head, None))

    def purge(self, caller: Caller, vault: Vault, name: str) -> None:
        """Delete a deleted secret for good. Raises SecretNotFound, NotDeleted, PurgeProtected, Forbidden for a managed one."""
        self._access.require(caller, vault, SECRETS, "purge", name=name)
        with self._store.writing() as writer:
            head = any_head(writer, vault, ObjectKind.SECRET, name)
            self._deletions.purge(writer, vault, head, whole_second(self._clock()))

    def _list(self, caller: Caller, vault: Vault, after: str | None, limit: int, *, deleted: bool) -> Page[SecretItem]:
        self._access.require(caller, vault, SECRETS, "list")
        with self._store.reading() as reader:
            page = reader.heads(vault.id, ObjectKind.SECRET, after, limit, deleted=deleted)
            found = ((head, reader.secret(vault.id, head.name, None)) for head in page.items)
            return Page(tuple(SecretItem(head, version) for head, version in found if version), page.next)

    def _previous(self, secret: SecretVersion) -> str | None:
        with self._store.reading() as reader:
            return reader.version_before(secret.vault_id, secret.name, secret.attributes.created)


def open_value(keyring: Keyring, secret: SecretVersion) -> str:
    """Open a version's value. Raises SealBroken where it was altered or moved."""
    place = object_place(secret.vault_id, ObjectKind.SECRET, secret.name, secret.version)
    return keyring.open(secret.vault_id, secret.sealed_value, place).decode()


def check_value(value: str) -> bytes:
    """Give a value in UTF-8, if a secret can have it. Raises BadParameter."""
    try:
        encoded = value.encode()
    except UnicodeEncodeError:
        raise BadParameter("value holds half of a surrogate pair, which is no text.", "value") from None
    if len(encoded) > MAX_VALUE:
        raise BadParameter(f"value has {len(encoded)} bytes in UTF-8; a secret has at most {MAX_VALUE}.", "value")
    return encoded


def tell_new_secret(writer: Writer, secret: SecretVersion, vault_name: str, reason: str, at: datetime) -> None:
    """Tell of a new version that is nobody's companion, as part of a larger transaction."""
    detail = {"vault": vault_name, "reason": reason, **times(secret.attributes)}
    place = (secret.vault_id, ObjectKind.SECRET, secret.name)
    writer.add_event(Event(EventType.SECRET_NEW_VERSION, at, *place, version=secret.version, detail=detail))


def _check_content_type(content_type: str | None) -> None:
    if content_type and len(content_type) > MAX_CONTENT_TYPE:
        message = f"contentType has {len(content_type)} characters; at most {MAX_CONTENT_TYPE} are allowed."
        raise BadParameter(message, "contentType")


def _version(reader: Reader, head: ObjectHead, version: str | None) -> SecretVersion:
    found = reader.secret(head.vault_id, head.name, version)
    if found is None:
        raise not_found(ObjectKind.SECRET, head.name, version)
    return found


def _changed(known: SecretVersion, update: SecretUpdate, at: datetime) -> SecretVersion:
    before = known.attributes
    expires = before.expires if update.expires is None else update.expires
    attributes = Attributes(
        before.created,
        at,
        before.enabled if update.enabled is None else update.enabled,
        before.not_before if update.not_before is None else update.not_before,
        expires,
    )
    return replace(
        known,
        attributes=attributes,
        content_type=known.content_type if update.content_type is None else update.content_type,
        tags=known.tags if update.tags is None else update.tags,
        # an end that stays as it was is told once
        notice_at=known.notice_at if expires == before.expires else first_notice(expires, NEAR_EXPIRY, at),
    )
