"""Sample records of the vault: whole, plausible, and changed where a test says so."""

# ruff: noqa: ANN401 - the changes are whatever the record has
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from certworker.crypto.extensions import SubjectNames
from certworker.vault.events import Event, EventType
from certworker.vault.objects import Attributes, CertificateVersion, KeyVersion, ObjectHead, ObjectKind, SecretVersion
from certworker.vault.operations import Certificate, Operation, OperationReason, Renewal
from certworker.vault.policy import ActionType, IssuerParameters, KeyProperties, LifetimeAction, Policy, X509Properties
from certworker.vault.store import Writer
from certworker.vault.vaults import Heartbeat, Issuer, Principal, SealedAccount, SigningKey, Vault, WrappedKey
from tests.support.clock import START

VAULT_ID: Final = "vault-1"
TENANT_ID: Final = "tenant-1"
LATER: Final = START + timedelta(days=90)
VERSION: Final = "0123456789abcdef0123456789abcdef"
RELEASE_RULES: Final = (
    '{"version": "1.0.0", "anyOf": [{"authority": "https://attest.test", "allOf": [{"claim": "tee", "equals": "snp"}]}]}'
)
"""What a release policy says."""


def a_vault(vault_id: str = VAULT_ID, name: str = "Contoso", **changes: Any) -> Vault:
    """Make a vault."""
    return replace(Vault(vault_id, name, TENANT_ID, "subscription-1", "group", "local", START), **changes)


def a_wrapped_key(term: int = 1, **changes: Any) -> WrappedKey:
    """Make a wrapped key."""
    return replace(WrappedKey(VAULT_ID, term, b"\0wrapped\xff", "master-1", START), **changes)


def a_principal(object_id: str = "object-1", client_id: str = "client-1", **changes: Any) -> Principal:
    """Make an administrator."""
    principal = Principal(object_id, client_id, TENANT_ID, "Ada", "scrypt$hash", administrator=True, created=START)
    return replace(principal, **changes)


def a_signing_key(key_id: str = "signing-1", **changes: Any) -> SigningKey:
    """Make a signing key."""
    return replace(SigningKey(key_id, TENANT_ID, b"public", b"sealed", START), **changes)


def an_issuer(name: str = "MyCA", **changes: Any) -> Issuer:
    """Make an issuer record."""
    issuer = Issuer(VAULT_ID, name, "Acme", "https://ca/directory", b"sealed", "Contoso", True, START, START)  # noqa: FBT003
    return replace(issuer, **changes)


def an_account(**changes: Any) -> SealedAccount:
    """Make an account at a CA."""
    return replace(SealedAccount(b"sealed key", "https://ca/account/1", b"document"), **changes)


def a_policy(issuer: str = "MyCA") -> Policy:
    """Make a policy in which nothing is a default."""
    return Policy(
        key=KeyProperties(kty="EC", size=None, curve="P-256", exportable=False, reuse_key=True),
        x509=X509Properties(
            subject="CN=example.com",
            names=SubjectNames(dns_names=("example.com", "*.example.com"), ip_addresses=("192.0.2.1",)),
            ekus=("1.3.6.1.5.5.7.3.1",),
            key_usage=("digitalSignature",),
            validity_months=3,
        ),
        content_type="application/x-pem-file",
        lifetime_actions=(LifetimeAction(ActionType.AUTO_RENEW, lifetime_percentage=70),),
        lifetime_actions_set=True,
        issuer=IssuerParameters(issuer, "shortlived", cert_transparency=True),
        enabled=False,
    )


def some_attributes(**changes: Any) -> Attributes:
    """Make attributes that are valid for 90 days."""
    return replace(Attributes(START, START, enabled=True, not_before=START, expires=LATER), **changes)


def a_head(kind: ObjectKind, name: str = "Web", version: str | None = VERSION, **changes: Any) -> ObjectHead:
    """Make an object's head."""
    return replace(ObjectHead(VAULT_ID, kind, name, version, START), **changes)


def a_key(name: str = "Web", version: str = VERSION, **changes: Any) -> KeyVersion:
    """Make a key's version."""
    key = KeyVersion(VAULT_ID, name, version, "EC", b"spki", b"sealed", ("sign", "verify"), some_attributes(), exportable=True)
    return replace(key, managed=True, tags={"team": "web"}, **changes)


def a_secret(name: str = "Web", version: str = VERSION, **changes: Any) -> SecretVersion:
    """Make a secret's version."""
    secret = SecretVersion(VAULT_ID, name, version, b"\0sealed\xff", "application/x-pem-file", some_attributes())
    return replace(secret, managed=True, tags={"team": "web", "größe": "ü"}, **changes)


def a_certificate_version(name: str = "Web", version: str = VERSION, **changes: Any) -> CertificateVersion:
    """Make a certificate's version."""
    leaf, chain = b"\x30leaf", (b"\x30intermediate", b"", b"\x30root")
    certificate = CertificateVersion(VAULT_ID, name, version, leaf, chain, "application/x-pem-file", some_attributes())
    return replace(certificate, tags={"team": "web"}, **changes)


def a_certificate(name: str = "Web", due_at: datetime | None = START, **changes: Any) -> Certificate:
    """Make a certificate whose renewal is due."""
    renewal = Renewal(due_at, OperationReason.LIFETIME_ACTION, 0.1 + 0.2, failures=2, last_error="The CA was down.")
    return replace(Certificate(VAULT_ID, name, a_policy(), START, START, renewal), **changes)


def an_operation(name: str = "Web", operation_id: str = "operation-1", **changes: Any) -> Operation:
    """Make an operation that is in progress and due."""
    operation = Operation(
        operation_id, VAULT_ID, name, VERSION, OperationReason.CREATE, a_policy(), b"csr", b"spki", b"sealed", START, START
    )
    return replace(operation, **({"due_at": START} | changes))


def an_event(name: str = "Web", **changes: Any) -> Event:
    """Make an event."""
    kind = ObjectKind.CERTIFICATE
    return replace(Event(EventType.OPERATION_STEP, START, VAULT_ID, kind, name, VERSION, {"step": "order"}), **changes)


def a_heartbeat(job: str = "rounds", **changes: Any) -> Heartbeat:
    """Make a heartbeat."""
    return replace(Heartbeat(job, START, 0.25, failed=False), **changes)


def add_head(writer: Writer, name: str = "Web") -> None:
    """Add the head of a certificate whose first version is still to come."""
    writer.put_head(a_head(ObjectKind.CERTIFICATE, name, None))


def add_certificate(writer: Writer, name: str = "Web", due_at: datetime | None = START) -> None:
    """Add a live certificate with its key and secret, all under one version."""
    for kind in (ObjectKind.CERTIFICATE, ObjectKind.KEY, ObjectKind.SECRET):
        writer.put_head(a_head(kind, name, managed=kind is not ObjectKind.CERTIFICATE))
    writer.add_key(a_key(name))
    writer.add_secret(a_secret(name))
    writer.add_certificate_version(a_certificate_version(name))
    writer.put_certificate(a_certificate(name, due_at))
