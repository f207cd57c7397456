"""Deployments with something of everything in them, for what looks at all of it at once."""

from dataclasses import replace
from datetime import datetime, timedelta

from certworker.audit.notary import Notary
from certworker.crypto.keys import KeyKind, generate_key
from certworker.settings.rates import Rate
from certworker.vault.access import SERVICE
from certworker.vault.audit.port import ChainCut, ChainHead
from certworker.vault.identities.records import Application, Credential, CredentialKind, FederatedCredential, Group, User
from certworker.vault.issuers import IssuerParameters
from certworker.vault.keyring import object_place
from certworker.vault.management.stores import DiagnosticSetting, StorageAccount
from certworker.vault.notification.consents import endpoint_key
from certworker.vault.notification.ledger import Notice, Silence
from certworker.vault.notification.message import Severity, Topic
from certworker.vault.objects import Attributes, KeyVersion, ObjectHead, ObjectKind, SecretVersion
from certworker.vault.places import spare_key_place
from certworker.vault.resilience.gates import after_outage
from certworker.vault.resilience.memory import FailureMemory, MemoryKey, digest_of
from certworker.vault.resilience.ports import Bucket
from certworker.vault.revocation.compromised import CompromisedKey
from certworker.vault.revocation.sources import Source, SourceKind
from certworker.vault.rights.policies import AccessPolicy
from certworker.vault.rights.roles import Permission, RoleDefinition
from certworker.vault.rotation_policy import KeyRotation, RotationPolicy
from certworker.vault.sign_in.grants import AuthorizationCode, DeviceCode, DeviceState, Guesses, RefreshToken
from certworker.vault.spare_keys import SpareKey
from certworker.vault.store import Writer
from certworker.vault.vaults import Contact, Heartbeat, Vault
from certworker.vault.watches import Watch, WatchKind
from tests.support.deployment import ISSUER, Deployment, policy_for

VALUE = "a value that nobody may read: öäü"
CREDENTIAL = "kid:a-credential-that-nobody-may-read"
VERSION = "00000000000000000000000000000001"


def fill(deployment: Deployment) -> None:
    """Put something into every table: certificates, keys of each kind, a secret, what is in progress, who is told."""
    house, vault = deployment.house, deployment.vault
    deployment.create("web", policy_for("web.test"))
    deployment.work()
    deployment.create("self", policy_for("self.test", "Self"))
    deployment.create("manual", policy_for("manual.test", "Unknown"))
    house.issuers.set(SERVICE, vault, "with-credential", IssuerParameters("Scripted", "account", CREDENTIAL))
    house.local.root_certificate(vault.id, "local-root", house.clock())
    with house.store.writing() as writer:
        writer.set_contacts(vault.id, (Contact("ada@example.test", "Ada", None),))
        writer.put_challenge("token", "response", house.clock() + timedelta(days=1))
        writer.use_assertion("digest", house.clock() + timedelta(days=1))
        writer.note_hsm_key("noted", vault.id, house.clock())
    add_key(deployment, "rsa", KeyKind("RSA", 2048))
    add_key(deployment, "ec", KeyKind("EC", None, "P-256"))
    add_key(deployment, "oct", KeyKind("oct", 256))
    add_secret(deployment, "password")
    operation, at = deployment.operation("manual"), house.clock()
    with house.store.writing() as writer:
        writer.add_evidence(house.refusals.seal(operation, (b"no certificate",), at))
        writer.put_rotation(KeyRotation(vault.id, "rsa", RotationPolicy(rotate_after_create="P90D"), at, at, due_at=at))
        assert writer.claim_rotation("a worker that is gone", at, timedelta(minutes=5))
        writer.set_cursor("a listener", writer.last_event())
        writer.put_watch(
            Watch(WatchKind.EXPIRY, vault.id, "web", deployment.get("web").version.version, at, {"seen": "nothing"})
        )
        assert writer.claim_watch(WatchKind.EXPIRY, "a worker that is gone", at, timedelta(minutes=5))
        writer.add_spare_key(a_spare_key(deployment))
        writer.take_slot("slot", operation.id)
        root = deployment.authority.root
        writer.add_source(Source(SourceKind.LIST, "http://ca.test/crl", None, at, "a key", root, b"list", number=1 << 150))
        writer.add_compromised_key(CompromisedKey("00" * 32, at, vault.id, "web", VERSION))
        add_trouble(writer, vault.id, at)
        writer.put_consent(endpoint_key("cloudevents", "https://hooks.test/"), at)
        writer.add_notice(a_notice(vault.id, at))
        assert writer.claim_delivery("mail", "a worker that is gone", at, timedelta(minutes=5))
        writer.add_silence(Silence("7" * 32, vault.id, "test-*", None, at + timedelta(days=1), "somebody", "a drill", at))
        add_stores(writer, vault, at)
        add_rights(writer, vault, at)
        add_people(writer, deployment.vault.tenant_id, at)
        add_grants(writer, deployment.vault.tenant_id, at)
        writer.set_master_key_id(house.master.id, at)
        writer.beat(Heartbeat("rounds", at, 0.1 + 0.2, failed=False))
        writer.put_chain_head(ChainHead("8" * 32, "host", "a key", at, at, 1 << 40, "00" * 32, b"signature", closed=False))
        writer.put_chain_cut(ChainCut("8" * 32, "a key", at, 1 << 40, "00" * 32, b"signature"))
        assert writer.claim_audit_drain("a worker that is gone", at, timedelta(seconds=5))
    Notary(house.store, house.keyring, house.clock).rotate()


def add_stores(writer: Writer, vault: Vault, at: datetime) -> None:
    """Add a store of audit records, and route those of a vault there."""
    account = StorageAccount(
        "auditstore", vault.tenant_id, vault.subscription_id, vault.resource_group, "local", "Standard_LRS", at
    )
    writer.put_storage_account(account)
    writer.put_diagnostic_setting(DiagnosticSetting(vault.id, "all", account.name, ("AuditEvent",), ("audit",), at, at, at))


def add_rights(writer: Writer, vault: Vault, at: datetime) -> None:
    """Add an access policy, and a role of the tenant's own."""
    writer.put_access_policies(vault.id, (AccessPolicy(vault.tenant_id, "user-1", {"keys": ("get", "list")}, "filled"),))
    permission = Permission(("Microsoft.KeyVault/vaults/read",), (), ("*",), ("Microsoft.KeyVault/vaults/secrets/*",))
    role = RoleDefinition("role-1", "Watcher", "Looks.", (permission,), (f"/subscriptions/{vault.subscription_id}",))
    writer.put_role_definition(replace(role, tenant_id=vault.tenant_id, built_in=False, created=at, updated=at))


def add_people(writer: Writer, tenant_id: str, at: datetime) -> None:
    """Add a user in a group, and an application with a credential of each kind."""
    writer.add_user(User("user-1", tenant_id, "ada@contoso.test", "Ada", at, password_hash="scrypt$none"))
    writer.add_group(Group("group-1", tenant_id, "Auditors", at))
    writer.add_group_member("group-1", "user-1")
    writer.add_application(Application("app-1", "filled", tenant_id, "Shop", at, ("api://shop",), manifest={"notes": "ö"}))
    writer.put_credential(Credential("key-1", "filled", CredentialKind.CERTIFICATE, at, None, certificate=b"der"))
    audiences = ("api://exchange",)
    writer.add_federated_credential(FederatedCredential("f-1", "filled", "ci", "https://ci.test", "main", audiences))
    writer.add_owner("app-1", "user-1")


def add_grants(writer: Writer, tenant_id: str, at: datetime) -> None:
    """Add what waits to be exchanged for tokens, and a password that was tried in vain."""
    client, user, end = "filled", "user-1", at + timedelta(days=1)
    who, url = (tenant_id, client, user), "http://localhost"
    writer.add_authorization_code(AuthorizationCode("hash-1", *who, url, "challenge", "openid", "", "family", end))
    writer.add_device_code(DeviceCode("hash-2", "BCDFGHJKL", tenant_id, client, "openid", 5, end, DeviceState.GRANTED, user))
    writer.add_refresh_token(RefreshToken("hash-3", "family", *who, at, at, end, at))
    writer.put_guesses(Guesses("digest", 3, at, end))


def a_spare_key(deployment: Deployment) -> SpareKey:
    """Make a key that belongs to nothing."""
    house, vault = deployment.house, deployment.house.founding.system_vault()
    assert vault is not None
    sealed = house.keyring.seal(vault.id, generate_key("EC", None, "P-256"), spare_key_place("spare"))
    return SpareKey("spare", "EC-P-256", sealed, house.clock())


def add_trouble(writer: Writer, vault_id: str, at: datetime) -> None:
    """Add what is remembered of a CA in trouble, and of a budget."""
    gate = writer.hold_gate(vault_id, ISSUER)
    for name in ("one", "two", "three"):
        gate = after_outage(gate, name, at, None)
    writer.put_gate(gate)
    writer.put_failure_memory(FailureMemory(MemoryKey("scripted ", digest_of(("web.test",))), 2, at, at, at, at))
    writer.reserve(Bucket("account", "vault/issuer"), Rate(300, timedelta(hours=3)), at)


def a_notice(vault_id: str, at: datetime, **changes: object) -> Notice:
    """Make an entry of the ledger, which waits to go out by mail."""
    facts = {"issuer": "test-ca", "threshold": "7d"}
    about = (ObjectKind.CERTIFICATE, "web", VERSION, Topic.NEAR_EXPIRY, "7d", "mail", "ada@example.test", Severity.WARNING)
    return replace(Notice("6" * 32, vault_id, *about, at, facts, due_at=at), **changes)  # type: ignore[arg-type]


def add_key(deployment: Deployment, name: str, kind: KeyKind) -> KeyVersion:
    """Add a key with one version."""
    house, vault, at = deployment.house, deployment.vault, deployment.house.clock()
    made = house.materials.make(vault, name, VERSION, kind)
    key = KeyVersion(
        vault.id, name, VERSION, made.kty, made.public_key, made.sealed_key, (), Attributes(at, at), exportable=True
    )
    with house.store.writing() as writer:
        writer.put_head(ObjectHead(vault.id, ObjectKind.KEY, name, VERSION, at))
        writer.add_key(key)
    return key


def add_secret(deployment: Deployment, name: str, value: str = VALUE) -> SecretVersion:
    """Add a secret with one version."""
    house, vault, at = deployment.house, deployment.vault, deployment.house.clock()
    sealed = house.keyring.seal(vault.id, value.encode(), object_place(vault.id, ObjectKind.SECRET, name, VERSION))
    secret = SecretVersion(vault.id, name, VERSION, sealed, "text/plain", Attributes(at, at))
    with house.store.writing() as writer:
        writer.put_head(ObjectHead(vault.id, ObjectKind.SECRET, name, VERSION, at))
        writer.add_secret(secret)
    return secret
