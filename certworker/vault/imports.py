"""Import: a certificate that was made elsewhere comes in with its key, as a new version, and without an operation."""

from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

from certworker.clock import Clock, whole_second
from certworker.crypto.imports import KeyedCertificate, is_pem, read_pem, read_pkcs12
from certworker.crypto.x509 import belonging, order_chain, read_certificate, validity
from certworker.errors import BadParameter
from certworker.vault.access import Access, Caller
from certworker.vault.certificates import CertificateBundle
from certworker.vault.issuances import check_free, check_issuer
from certworker.vault.keyring import Keyring, object_place
from certworker.vault.materials import Materials
from certworker.vault.objects import (
    Attributes,
    CertificateVersion,
    KeyVersion,
    ObjectKind,
    SecretVersion,
    Tags,
    check_name,
    check_tags,
    new_version,
    not_found,
)
from certworker.vault.operations import Certificate, Renewal
from certworker.vault.policy import PEM, PKCS12, Policy
from certworker.vault.readback import allowed_usage, merge_policy, read_policy
from certworker.vault.renewal.planning import Planner
from certworker.vault.store import Store, Writer
from certworker.vault.vaults import Vault
from certworker.vault.versions import VersionRecords, key_operations, put_current, secret_value, tell_new_version

REASON = "import"


def _as_read(policy: Policy) -> Policy:
    return policy


@dataclass(frozen=True, slots=True, repr=False)
class Arrival:
    """What somebody brings: `value` is PKCS#12 in base64, or PEM as it is or in base64.

    `change` puts what they say of the policy over what was read from the certificate. Its `repr` shows nothing of it.
    """

    value: str
    password: str | None = None
    change: Callable[[Policy], Policy] = _as_read
    tags: Tags = field(default_factory=dict)
    enabled: bool = True
    preserve_order: bool = False


class Imports:
    """Takes certificates in. Nothing is renewed by itself unless its owner says AutoRenew, and somebody can sign."""

    def __init__(
        self, store: Store, access: Access, keyring: Keyring, materials: Materials, planner: Planner, clock: Clock
    ) -> None:
        self._store = store
        self._access = access
        self._keyring = keyring
        self._materials = materials
        self._planner = planner
        self._clock = clock

    def import_(self, caller: Caller, vault: Vault, name: str, arrival: Arrival) -> CertificateBundle:
        """Take a certificate in with its key, under a new name or as a known one's next version; expired ones as well.

        Raises BadParameter for what cannot be read, is not whole, or contradicts its policy; KeyMismatch; IssuerNotFound;
        OperationInProgress, DeletedButRecoverable and Conflict where the name is taken.
        """
        self._access.require(caller, vault, "certificates", "import", name=name)
        check_name(name)
        check_tags(arrival.tags)
        at = whole_second(self._clock())
        content_type, found = _open(arrival)
        policy = merge_policy(read_policy(read_certificate(found.leaf), content_type), arrival.change)
        if policy.key.in_hsm:
            self._materials.check_token(vault, "key_props.kty")
        with self._store.reading() as reader:
            # before the work is done; it is looked at again where it counts
            check_free(reader, vault, name)
            check_issuer(reader, vault, policy)
        records = self._records(vault, name, found, policy, arrival, at)
        with self._store.writing() as writer:
            check_free(writer, vault, name)
            put_current(writer, records)
            certificate = self._put_certificate(writer, Certificate(vault.id, name, policy, at, at, Renewal(None, None, 0.0)))
            tell_new_version(writer, records[0], vault.name, REASON, policy.issuer.name)
            head = writer.head(vault.id, ObjectKind.CERTIFICATE, name)
            if head is None:
                raise not_found(ObjectKind.CERTIFICATE, name)
            pending = writer.operation(vault.id, name) is not None
            return CertificateBundle(head, replace(records[0], name=head.name), certificate, pending)

    def _records(
        self, vault: Vault, name: str, found: KeyedCertificate, policy: Policy, arrival: Arrival, at: datetime
    ) -> VersionRecords:
        leaf, chain = found.leaf, _chain(found, preserve_order=arrival.preserve_order)
        attributes = Attributes(at, at, arrival.enabled, *validity(leaf))
        place = (vault.id, name, new_version())
        wanted = policy.key
        material = self._materials.take(vault, *place[1:], wanted.kind, found.private_key, in_hsm=wanted.in_hsm)
        certificate = CertificateVersion(
            *place, leaf, chain, policy.content_type, attributes, arrival.tags, preserve_order=arrival.preserve_order
        )
        key = KeyVersion(
            *place,
            kty=material.kty,
            public_key=material.public_key,
            sealed_key=material.sealed_key,
            key_ops=key_operations(allowed_usage(policy)),
            attributes=attributes,
            exportable=policy.key.exportable,
            managed=True,
            tags=arrival.tags,
            hsm_key_id=material.hsm_key_id,
        )
        value = secret_value(policy, found.private_key, leaf, chain)
        sealed = self._keyring.seal(vault.id, value, object_place(vault.id, ObjectKind.SECRET, *place[1:]))
        secret = SecretVersion(*place, sealed, policy.content_type, attributes, managed=True, tags=arrival.tags)
        return certificate, key, secret

    def _put_certificate(self, writer: Writer, certificate: Certificate) -> Certificate:
        vault_id, name = certificate.vault_id, certificate.name
        known = writer.certificate(vault_id, name)
        if known:
            certificate = replace(
                certificate, name=known.name, policy_created=known.policy_created, renewal=known.renewal, fence=known.fence
            )
        writer.put_certificate(certificate)
        # a worker that has claimed the renewal of the version before loses it
        self._planner.plan_version(writer, vault_id, name, certificate.policy_updated)
        return writer.certificate(vault_id, name) or certificate


def _open(arrival: Arrival) -> tuple[str, KeyedCertificate]:
    """Read what was brought, and tell its content type."""
    data = arrival.value.encode()
    if not is_pem(data):
        data = _decode(arrival.value)
    if is_pem(data):
        return PEM, read_pem(data, arrival.password)
    return PKCS12, read_pkcs12(data, arrival.password)


def _decode(value: str) -> bytes:
    if not value.strip():
        raise BadParameter("value is empty: it holds the certificate with its private key.", "value")
    try:
        return b64decode("".join(value.split()), validate=True)
    except ValueError:
        raise BadParameter("value is neither PEM nor base64 of a PKCS#12 file.", "value") from None


def _chain(found: KeyedCertificate, *, preserve_order: bool) -> tuple[bytes, ...]:
    """Put the chain in order: the leaf's issuer first, and last what leads up by another way. Raises BadParameter."""
    belong = belonging(found.leaf, found.others)
    foreign = [read_certificate(der).subject[:100] for der in found.others if der not in belong]
    if foreign:
        message = f"There are certificates in the content that do not lead up from the leaf: {'; '.join(foreign[:3])}."
        raise BadParameter(f"{message} Leave them out, or add those in between.", "value")
    if preserve_order:
        return found.others
    straight = order_chain(found.leaf, belong)
    return (*straight, *(der for der in belong if der not in straight))
