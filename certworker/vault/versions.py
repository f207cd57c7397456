"""A new version of a certificate: key, secret and certificate together, or not at all."""

import base64
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from certworker.crypto.bundles import pem_bundle, pkcs12_bundle
from certworker.crypto.signers import sign_data
from certworker.crypto.x509 import order_chain, validity
from certworker.vault.events import Event, EventType
from certworker.vault.keyring import Keyring, object_place
from certworker.vault.materials import Materials
from certworker.vault.objects import Attributes, CertificateVersion, KeyVersion, ObjectHead, ObjectKind, SecretVersion
from certworker.vault.operations import Operation, OperationStatus
from certworker.vault.policy import PEM, Policy
from certworker.vault.renewal.planning import Planner
from certworker.vault.store import Writer

_NEW_VERSION_EVENTS = (
    (ObjectKind.CERTIFICATE, EventType.CERTIFICATE_NEW_VERSION),
    (ObjectKind.KEY, EventType.KEY_NEW_VERSION),
    (ObjectKind.SECRET, EventType.SECRET_NEW_VERSION),
)

WARNED = "warned"
"""The result under which a version is counted once more, where something about it was not as it was asked for."""

VersionRecords = tuple[CertificateVersion, KeyVersion, SecretVersion]
Follower = Callable[[Writer, Operation, CertificateVersion], None]
"""What is done about a version in the transaction that makes it the current one."""


class Versions:
    """Builds new versions outside transactions and swaps them in inside one."""

    def __init__(self, keyring: Keyring, materials: Materials, planner: Planner, followers: tuple[Follower, ...] = ()) -> None:
        self._keyring = keyring
        self._materials = materials
        self._planner = planner
        self._followers = followers

    def build(self, operation: Operation, certificates: tuple[bytes, ...], at: datetime) -> VersionRecords:
        """Make the three records of a version out of the leaf and its chain, and the operation's key.

        The chain is put in order, unless the operation's owner wants it as it came.
        """
        leaf, chain = certificates[0], certificates[1:]
        if not operation.preserve_order:
            chain = order_chain(leaf, chain)
        not_before, not_after = validity(leaf)
        attributes = Attributes(at, at, operation.enabled, not_before, not_after)
        policy, place = operation.policy, (operation.vault_id, operation.name, operation.version)
        certificate = CertificateVersion(
            *place, leaf, chain, policy.content_type, attributes, operation.tags, operation.preserve_order
        )
        key = KeyVersion(
            *place,
            kty=policy.key.kty,
            public_key=operation.public_key,
            sealed_key=operation.sealed_key,
            key_ops=key_operations(policy),
            attributes=attributes,
            exportable=policy.key.exportable,
            managed=True,
            tags=operation.tags,
            hsm_key_id=operation.hsm_key_id,
        )
        private_key = self._materials.private(operation) if policy.key.exportable else None
        value = secret_value(policy, private_key, leaf, chain)
        sealed = self._keyring.seal(
            operation.vault_id, value, object_place(operation.vault_id, ObjectKind.SECRET, operation.name, operation.version)
        )
        secret = SecretVersion(*place, sealed, policy.content_type, attributes, managed=True, tags=operation.tags)
        return certificate, key, secret

    def sign(self, operation: Operation, data: bytes) -> bytes:
        """Sign by the key of the version that an operation is to become. Raises as `Materials.use` does."""
        return sign_data(self._materials.signer(operation), data)

    def swap_in(
        self,
        writer: Writer,
        operation: Operation,
        records: VersionRecords,
        vault_name: str,
    ) -> None:
        """Make the version the current one of certificate, key and secret, plan its renewal, and tell it.

        What the operation has warnings about is counted, and told with it. Part of a larger transaction.
        """
        certificate = records[0]
        put_current(writer, records)
        for follow in self._followers:
            follow(writer, operation, certificate)
        self._planner.plan_version(writer, operation.vault_id, operation.name, certificate.attributes.created)
        issuer = operation.policy.issuer.name
        writer.count_attempt(operation.vault_id, issuer, "issued")
        if operation.warnings:
            writer.count_attempt(operation.vault_id, issuer, WARNED)
        tell_new_version(writer, certificate, vault_name, operation.reason.value, issuer, operation.warnings)


def put_current(writer: Writer, records: VersionRecords) -> None:
    """Make a version the current one of certificate, key and secret, as part of a larger transaction."""
    certificate, key, secret = records
    vault_id, name = certificate.vault_id, certificate.name
    for kind in (ObjectKind.CERTIFICATE, ObjectKind.KEY, ObjectKind.SECRET):
        head = writer.head(vault_id, kind, name) or ObjectHead(vault_id, kind, name, None, certificate.attributes.created)
        managed = kind is not ObjectKind.CERTIFICATE
        writer.put_head(replace(head, current_version=certificate.version, managed=managed))
    writer.add_key(key)
    writer.add_secret(secret)
    writer.add_certificate_version(certificate)


def tell_new_version(
    writer: Writer,
    certificate: CertificateVersion,
    vault_name: str,
    reason: str,
    issuer: str,
    warnings: tuple[str, ...] = (),
    *,
    at: datetime | None = None,
) -> None:
    """Tell of a new version of certificate, key and secret, as part of a larger transaction; `at` unless it was just made."""
    attributes = certificate.attributes
    detail = {
        "vault": vault_name,
        "reason": reason,
        "issuer": issuer,
        "nbf": str(int(attributes.not_before.timestamp())) if attributes.not_before else "",
        "exp": str(int(attributes.expires.timestamp())) if attributes.expires else "",
    }
    at, vault_id, name = at or attributes.created, certificate.vault_id, certificate.name
    for kind, event_type in _NEW_VERSION_EVENTS:
        about = {"warnings": " ".join(warnings)} if warnings and kind is ObjectKind.CERTIFICATE else {}
        writer.add_event(Event(event_type, at, vault_id, kind, name, version=certificate.version, detail=detail | about))


def completed(operation: Operation, at: datetime) -> Operation:
    """Say that an operation has come to its end; its details are its warnings, if it has any."""
    details = " ".join(operation.warnings) or None
    return replace(operation, status=OperationStatus.COMPLETED, status_details=details, due_at=None, updated=at)


def secret_value(policy: Policy, private_key: bytes | None, leaf: bytes, chain: tuple[bytes, ...]) -> bytes:
    """Say what the companion secret holds: the certificate with its chain, and its key where that may leave the vault."""
    key = private_key if policy.key.exportable else None
    if policy.content_type == PEM:
        return pem_bundle(key, leaf, chain)
    return base64.b64encode(pkcs12_bundle(key, leaf, chain))


def key_operations(policy: Policy) -> tuple[str, ...]:
    """Say what the companion key may do: what its certificate's key usage allows, in the words of JWK."""
    usage = set(policy.x509.key_usage)
    operations = []
    if policy.key.kind.kty == "RSA" and usage & {"dataEncipherment", "keyEncipherment"}:
        operations += ["encrypt", "decrypt", "wrapKey", "unwrapKey"]
    if usage & {"digitalSignature", "nonRepudiation", "keyCertSign", "cRLSign"}:
        operations += ["sign", "verify"]
    return tuple(operations)
