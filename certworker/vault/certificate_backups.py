"""Backup and restore: a certificate with all its versions as one opaque blob, to be put back where it came from."""

from certworker.clock import Clock, whole_second
from certworker.errors import Conflict
from certworker.vault.access import Access, Caller
from certworker.vault.backup_format import MAX_VERSIONS, BackupFormat
from certworker.vault.certificates import CertificateBundle
from certworker.vault.companions import TOGETHER
from certworker.vault.issuances import check_free
from certworker.vault.keyring import Keyring, object_place
from certworker.vault.materials import Materials
from certworker.vault.objects import (
    Attributes,
    CertificateVersion,
    KeyVersion,
    ObjectHead,
    ObjectKind,
    SecretVersion,
    not_found,
)
from certworker.vault.operations import Certificate
from certworker.vault.renewal.planning import Planner
from certworker.vault.saved_objects import CERTIFICATE, SavedCertificate, SavedVersion, all_versions, read_saved
from certworker.vault.secrets import open_value
from certworker.vault.store import Reader, Store, Writer
from certworker.vault.vaults import Vault
from certworker.vault.versions import VersionRecords, tell_new_version

REASON = "restore"


class CertificateBackups:
    """Makes backups and restores them. Inside of them private keys and secrets lie opened; outside they are sealed."""

    def __init__(
        self,
        store: Store,
        access: Access,
        keyring: Keyring,
        materials: Materials,
        form: BackupFormat,
        planner: Planner,
        clock: Clock,
    ) -> None:
        self._store = store
        self._access = access
        self._keyring = keyring
        self._materials = materials
        self._form = form
        self._planner = planner
        self._clock = clock

    def backup(self, caller: Caller, vault: Vault, name: str) -> bytes:
        """Back a certificate up: all versions, the disabled ones too.

        Raises CertificateNotFound, BadParameter where it is too large, Forbidden where one of its keys lies in a token.
        """
        self._access.require(caller, vault, "certificates", "backup", name=name)
        with self._store.reading() as reader:
            head, certificate, records = _read(reader, vault, name)
        saved = SavedCertificate(
            name=head.name,
            created=head.created,
            current_version=head.current_version or "",
            policy=certificate.policy,
            policy_created=certificate.policy_created,
            policy_updated=certificate.policy_updated,
            renewal=certificate.renewal,
            versions=tuple(self._saved(*record) for record in records),
        )
        return self._form.pack(ObjectKind.CERTIFICATE, head.name, CERTIFICATE.dump_json(saved), vault)

    def restore(self, caller: Caller, vault: Vault, backup: bytes) -> CertificateBundle:
        """Put a certificate back: into its own vault, or another of the same subscription.

        Raises BadParameter where the backup does not open here, and Conflict where its name is taken, if only by something
        that was deleted; nothing has changed then.
        """
        self._access.require(caller, vault, "certificates", "restore")
        at = whole_second(self._clock())
        saved = read_saved(CERTIFICATE, self._form.unpack(ObjectKind.CERTIFICATE, backup, vault))
        records = tuple(self._records(vault, saved, version) for version in saved.versions)
        current = next(record[0] for record in records if record[0].version == saved.current_version)
        certificate = Certificate(vault.id, saved.name, saved.policy, saved.policy_created, saved.policy_updated, saved.renewal)
        with self._store.writing() as writer:
            _check_vacant(writer, vault, saved.name)
            head = _put_heads(writer, vault, saved)
            for record in records:
                _add(writer, record)
            writer.put_certificate(certificate)
            # what it was saved with was decided on another day, and perhaps for another vault
            self._planner.replan(writer, vault.id, saved.name, at, afresh=True)
            certificate = writer.certificate(vault.id, saved.name) or certificate
            tell_new_version(writer, current, vault.name, REASON, saved.policy.issuer.name, at=at)
            return CertificateBundle(head, current, certificate, pending=False)

    def _saved(self, certificate: CertificateVersion, key: KeyVersion, secret: SecretVersion) -> SavedVersion:
        attributes = certificate.attributes
        return SavedVersion(
            version=certificate.version,
            enabled=attributes.enabled,
            created=attributes.created,
            updated=attributes.updated,
            not_before=attributes.not_before,
            expires=attributes.expires,
            tags=certificate.tags,
            content_type=certificate.content_type,
            preserve_order=certificate.preserve_order,
            leaf=certificate.der,
            chain=certificate.chain,
            kty=key.kty,
            key_ops=key.key_ops,
            exportable=key.exportable,
            public_key=key.public_key,
            private_key=self._materials.private(key),
            value=open_value(self._keyring, secret),
        )

    def _records(self, vault: Vault, saved: SavedCertificate, one: SavedVersion) -> VersionRecords:
        place = (vault.id, saved.name, one.version)
        attributes = Attributes(one.created, one.updated, one.enabled, one.not_before, one.expires)
        certificate = CertificateVersion(
            *place, one.leaf, one.chain, one.content_type, attributes, one.tags, preserve_order=one.preserve_order
        )
        sealed_key = self._keyring.seal(vault.id, one.private_key, object_place(vault.id, ObjectKind.KEY, *place[1:]))
        key = KeyVersion(
            *place, one.kty, one.public_key, sealed_key, one.key_ops, attributes, one.exportable, managed=True, tags=one.tags
        )
        sealed = self._keyring.seal(vault.id, one.value.encode(), object_place(vault.id, ObjectKind.SECRET, *place[1:]))
        secret = SecretVersion(*place, sealed, one.content_type, attributes, managed=True, tags=one.tags)
        return certificate, key, secret


def _read(reader: Reader, vault: Vault, name: str) -> tuple[ObjectHead, Certificate, list[VersionRecords]]:
    head = reader.head(vault.id, ObjectKind.CERTIFICATE, name)
    certificate = reader.certificate(vault.id, name)
    if head is None or head.deletion or head.current_version is None or certificate is None:
        raise not_found(ObjectKind.CERTIFICATE, name)
    page = reader.certificate_versions(vault.id, name, None, MAX_VERSIONS)
    records = []
    for version in all_versions(page, f"certificate {head.name}"):
        key, secret = reader.key(vault.id, name, version.version), reader.secret(vault.id, name, version.version)
        if key is None or secret is None:
            raise not_found(ObjectKind.CERTIFICATE, name, version.version)
        records.append((version, key, secret))
    return head, certificate, records


def _check_vacant(reader: Reader, vault: Vault, name: str) -> None:
    check_free(reader, vault, name)
    head = reader.head(vault.id, ObjectKind.CERTIFICATE, name)
    if head:
        raise Conflict(f"Certificate {head.name} already exists in this vault; a backup is restored only where there is none.")


def _put_heads(writer: Writer, vault: Vault, saved: SavedCertificate) -> ObjectHead:
    for kind in TOGETHER:
        managed = kind is not ObjectKind.CERTIFICATE
        writer.put_head(ObjectHead(vault.id, kind, saved.name, saved.current_version, saved.created, managed=managed))
    return ObjectHead(vault.id, ObjectKind.CERTIFICATE, saved.name, saved.current_version, saved.created)


def _add(writer: Writer, records: VersionRecords) -> None:
    certificate, key, secret = records
    writer.add_key(key)
    writer.add_secret(secret)
    writer.add_certificate_version(certificate)
