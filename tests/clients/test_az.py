"""Azure's own command line, unmodified, against `certworker dev`: what is in a vault, and what is around it."""

import json
from base64 import b64decode, b64encode
from collections.abc import Iterator
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509 import load_der_x509_certificate

from certworker.clock import utc_now
from certworker.crypto.x509 import sign_csr
from tests.clients.azure import Az, Dev, dev_with_az
from tests.clients.files import ClientFiles, write_client_files

pytestmark = [pytest.mark.system("openssl"), pytest.mark.installed(".venv/az/.made")]

DEV = ("--vault-name", "dev")
PASSWORD = "Correct-horse-9-battery"


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    """Serve a deployment that az knows, for all tests of this file."""
    with dev_with_az(tmp_path_factory.mktemp("az")) as found:
        yield found


@pytest.fixture(scope="module")
def az(dev: Dev) -> Az:
    """Give az as the administrator."""
    return dev.az


@pytest.fixture(scope="module")
def files(dev: Dev) -> ClientFiles:
    """Write the files that go into the vault."""
    return write_client_files(dev.folder, utc_now())


def signed(files: ClientFiles, csr: str, path: Path) -> Path:
    """Sign a request as a CA elsewhere does; give the file with the chain, the leaf first."""
    key = load_pem_private_key(files.ca_key.read_bytes(), None).private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    at = utc_now()
    leaf = sign_csr(b64decode(csr), files.ca_der.read_bytes(), key, at - timedelta(hours=1), at + timedelta(days=30))
    path.write_bytes(load_der_x509_certificate(leaf).public_bytes(Encoding.PEM) + files.ca_pem.read_bytes())
    return path


def names(found: list[dict[str, Any]]) -> set[str]:
    """Give the names in a list."""
    return {item["name"] for item in found}


class Vaulted:
    """One kind of object in the dev vault, by its command."""

    def __init__(self, az: Az, noun: str, name: str) -> None:
        self._az, self._noun, self._name = az, noun, name

    def __call__(self, verb: str, *more: str) -> Any:  # noqa: ANN401  # az's JSON
        """Do something to the object."""
        return self._az("keyvault", self._noun, *verb.split(), *DEV, "--name", self._name, *more)

    def list(self, verb: str) -> set[str]:
        """List the names that a verb lists."""
        return names(self._az("keyvault", self._noun, verb, *DEV))

    def restore(self, path: Path) -> Any:  # noqa: ANN401
        """Restore what a backup holds."""
        return self._az("keyvault", self._noun, "restore", *DEV, "--file", str(path))

    def lose_and_find(self, backup: Path) -> None:
        """Go through deletion: delete, list, show, recover, delete, purge, restore."""
        self("backup", "--file", str(backup))
        self("delete")
        assert self._name in self.list("list-deleted")
        assert self("show-deleted")["scheduledPurgeDate"]
        self("recover")
        self("delete")
        self("purge")
        assert self._name not in self.list("list-deleted")
        self.restore(backup)
        assert self._name in self.list("list")


def test_every_verb_of_secrets(az: Az, dev: Dev) -> None:
    """A secret is set, read, listed, changed, written to a file, backed up, deleted, recovered, purged and restored."""
    secret = Vaulted(az, "secret", "az-secret")
    assert secret("set", "--value", "first", "--tags", "team=security")["value"] == "first"
    secret("set", "--value", "second")
    assert secret("show")["value"] == "second"
    assert "az-secret" in secret.list("list")
    assert len(secret("list-versions")) == 2
    changed = secret("set-attributes", "--content-type", "text/plain", "--expires", "2040-01-01T00:00:00Z")
    assert (changed["contentType"], changed["attributes"]["expires"][:4]) == ("text/plain", "2040")
    secret("download", "--file", str(dev.folder / "secret.txt"))
    assert (dev.folder / "secret.txt").read_text() == "second"
    secret.lose_and_find(dev.folder / "secret.backup")
    assert secret("show")["value"] == "second"


def test_every_verb_of_keys(az: Az, dev: Dev, files: ClientFiles) -> None:
    """A key is made, shown, changed, rotated by its policy, written to a file, imported and taken through deletion."""
    key = Vaulted(az, "key", "az-key")
    made = key("create", "--kty", "RSA", "--size", "2048")
    assert made["key"]["kty"] == "RSA"
    assert "az-key" in key.list("list")
    assert key("set-attributes", "--tags", "a=b")["tags"] == {"a": "b"}
    assert key("show")["key"]["kid"] == made["key"]["kid"]
    key("download", "--encoding", "PEM", "--file", str(dev.folder / "public.pem"))
    assert "BEGIN PUBLIC KEY" in (dev.folder / "public.pem").read_text()
    rotation = dev.folder / "rotation.json"
    action = {"trigger": {"timeAfterCreate": "P90D"}, "action": {"type": "Rotate"}}
    rotation.write_text(json.dumps({"lifetimeActions": [action], "attributes": {"expiryTime": "P2Y"}}))
    key("rotation-policy update", "--value", str(rotation))
    assert key("rotation-policy show")["expiresIn"] == "P2Y"
    assert key("rotate")["key"]["kid"] != made["key"]["kid"]
    assert len(key("list-versions")) == 2
    assert Vaulted(az, "key", "az-imported")("import", "--pem-file", str(files.ca_key))["key"]["kty"] in ("RSA", "EC")
    key.lose_and_find(dev.folder / "key.backup")


def test_keys_are_used(az: Az) -> None:
    """What a key encrypts it decrypts; what it signs it verifies, and another text it does not."""
    key = Vaulted(az, "key", "az-used")
    key("create", "--kty", "RSA", "--size", "2048")
    plain = b64encode(b"Contoso").decode()
    encrypted = key("encrypt", "--algorithm", "RSA-OAEP-256", "--value", plain)["result"]
    assert b64decode(key("decrypt", "--algorithm", "RSA-OAEP-256", "--value", encrypted)["result"]) == b"Contoso"
    right, wrong = (b64encode(sha256(text).digest()).decode() for text in (b"right", b"wrong"))
    signature = key("sign", "--algorithm", "RS256", "--digest", right)["signature"]
    verify = ("verify", "--algorithm", "RS256", "--signature", signature)
    assert key(*verify, "--digest", right)["isValid"]
    assert not key(*verify, "--digest", wrong)["isValid"]


def test_every_verb_of_certificates(az: Az, dev: Dev, files: ClientFiles) -> None:
    """A certificate is made by az's own default policy, shown, changed, written to a file, imported, taken through deletion."""
    certificate = Vaulted(az, "certificate", "az-certificate")
    policy = dev.folder / "policy.json"
    policy.write_text(json.dumps(az("keyvault", "certificate", "get-default-policy")))
    assert certificate("create", "--policy", f"@{policy}")["status"] == "completed"
    assert certificate("show")["policy"]["issuerParameters"]["name"] == "Self"
    assert "az-certificate" in certificate.list("list")
    assert len(certificate("list-versions")) == 1
    assert certificate("set-attributes", "--tags", "a=b")["tags"] == {"a": "b"}
    certificate("download", "--file", str(dev.folder / "certificate.pem"))
    assert "BEGIN CERTIFICATE" in (dev.folder / "certificate.pem").read_text()
    assert Vaulted(az, "certificate", "az-brought")("import", "--file", str(files.pem))["policy"]["issuerParameters"]
    certificate.lose_and_find(dev.folder / "certificate.backup")


def test_a_certificate_that_another_ca_signs(az: Az, dev: Dev, files: ClientFiles) -> None:
    """Az makes the request, a CA elsewhere signs it, az merges what it signed; another request is cancelled and forgotten."""
    policy = az("keyvault", "certificate", "get-default-policy")
    policy["issuerParameters"]["name"] = "Unknown"
    policy["lifetimeActions"] = []
    path = dev.folder / "unknown.json"
    path.write_text(json.dumps(policy))
    certificate = Vaulted(az, "certificate", "az-merged")
    csr = certificate("create", "--policy", f"@{path}")["csr"]
    assert certificate("pending show")["csr"] == csr
    merged = certificate("pending merge", "--file", str(signed(files, csr, dev.folder / "chain.pem")))
    assert merged["name"] == "az-merged"
    other = Vaulted(az, "certificate", "az-cancelled")
    other("create", "--policy", f"@{path}")
    other("pending delete")
    az.refused(
        "keyvault", "certificate", "pending", "show", *DEV, "--name", "az-cancelled", saying="PendingCertificateNotFound"
    )


def test_contacts_and_issuers(az: Az) -> None:
    """Contacts and issuers, with their administrators, come and go."""
    contact = ("keyvault", "certificate", "contact")
    az(*contact, "add", *DEV, "--email", "ada@contoso.com", "--name", "Ada")
    assert "ada@contoso.com" in json.dumps(az(*contact, "list", *DEV))
    az(*contact, "delete", *DEV, "--email", "ada@contoso.com")
    issuer, which = ("keyvault", "certificate", "issuer"), (*DEV, "--issuer-name", "az-issuer")
    az(*issuer, "create", *which, "--provider-name", "DigiCert", "--account-id", "1000001", "--password", "not-a-real-one")
    assert az(*issuer, "show", *which)["provider"] == "DigiCert"
    assert "az-issuer" in json.dumps(az(*issuer, "list", *DEV))
    az(*issuer, "admin", "add", *which, "--email", "bob@contoso.com", "--first-name", "Bob")
    assert "bob@contoso.com" in json.dumps(az(*issuer, "admin", "list", *which))
    az(*issuer, "admin", "delete", *which, "--email", "bob@contoso.com")
    az(*issuer, "delete", *which)


def test_groups_and_vaults(az: Az, dev: Dev) -> None:
    """A vault is made, found, changed, put behind network rules, deleted, recovered, purged; its group goes with the rest."""
    group, vault = ("--resource-group", "az-vaults"), ("--name", "az-vault")
    az("group", "create", "--name", "az-vaults", "--location", "local", "--tags", "team=security")
    assert az("group", "show", "--name", "az-vaults")["tags"] == {"team": "security"}
    policies = ("--enable-rbac-authorization", "false", "--retention-days", "7")
    made = az("keyvault", "create", *vault, *group, "--location", "local", "--sku", "premium", *policies)
    assert made["properties"]["sku"]["name"] == "premium"
    assert made["properties"]["accessPolicies"][0]["objectId"] == dev.facts["object_id"]
    assert names(az("keyvault", "list", *group)) == {"az-vault"}
    somebody = ("--object-id", "11111111-2222-4333-8444-555555555555")
    az("keyvault", "set-policy", *vault, *group, *somebody, "--secret-permissions", "get", "list")
    assert len(az("keyvault", "show", *vault)["properties"]["accessPolicies"]) == 2
    az("keyvault", "delete-policy", *vault, *group, *somebody)
    rule = ("keyvault", "network-rule")
    az(*rule, "add", *vault, *group, "--ip-address", "10.0.0.0/24")
    assert az(*rule, "list", *vault, *group)["ipRules"] == [{"value": "10.0.0.0/24"}]
    az(*rule, "remove", *vault, *group, "--ip-address", "10.0.0.0/24")
    assert az("keyvault", "update", *vault, *group, "--enabled-for-deployment", "true")["properties"]["enabledForDeployment"]
    az("keyvault", "secret", "set", "--vault-name", "az-vault", "--name", "kept", "--value", "kept")
    az("keyvault", "delete", *vault, *group)
    assert "az-vault" in names(az("keyvault", "list-deleted"))
    assert az("keyvault", "show-deleted", *vault)["properties"]["scheduledPurgeDate"]
    az("keyvault", "recover", *vault)
    assert az("keyvault", "secret", "show", "--vault-name", "az-vault", "--name", "kept")["value"] == "kept"
    az("keyvault", "delete", *vault, *group)
    az("keyvault", "purge", *vault)
    assert az("keyvault", "list-deleted") == []
    az("group", "delete", "--name", "az-vaults", "--yes")
    assert az("group", "exists", "--name", "az-vaults") is False


def test_the_directory(az: Az) -> None:
    """Users, groups with members, applications with their secrets and service principals come and go."""
    user = az("ad", "user", "create", "--display-name", "Ada", "--user-principal-name", "ada@az.test", "--password", PASSWORD)
    assert az("ad", "user", "show", "--id", "ada@az.test")["id"] == user["id"]
    az("ad", "user", "update", "--id", "ada@az.test", "--display-name", "Ada L.")
    az("ad", "group", "create", "--display-name", "Az team", "--mail-nickname", "az-team")
    member = ("--group", "Az team", "--member-id", user["id"])
    az("ad", "group", "member", "add", *member)
    assert az("ad", "group", "member", "check", *member)["value"]
    assert [one["displayName"] for one in az("ad", "user", "get-member-groups", "--id", user["id"])] == ["Az team"]
    az("ad", "group", "member", "remove", *member)
    assert az("ad", "group", "member", "list", "--group", "Az team") == []
    application = az("ad", "app", "create", "--display-name", "Az application")["appId"]
    az("ad", "sp", "create", "--id", application)
    assert az("ad", "sp", "show", "--id", application)["appId"] == application
    assert az("ad", "app", "credential", "reset", "--id", application)["password"]
    assert len(az("ad", "app", "credential", "list", "--id", application)) == 1
    az("ad", "app", "delete", "--id", application)
    az("ad", "group", "delete", "--group", "Az team")
    az("ad", "user", "delete", "--id", "ada@az.test")
    assert az("ad", "user", "list") == []


def test_roles_and_who_has_them(az: Az, dev: Dev) -> None:
    """An application is made with a role, does what that lets it do and no more; a role of one's own is made and taken back."""
    scope = f"{dev.subscription}/resourceGroups/certworker/providers/Microsoft.KeyVault/vaults/dev"
    role = ("--role", "Key Vault Secrets User")
    made = az("ad", "sp", "create-for-rbac", "--name", "az-reader", *role, "--scopes", scope)
    reader = dev.az.somebody_else("reader")
    reader.log_in_application(dev.tenant, made["appId"], made["password"])
    az("keyvault", "secret", "set", *DEV, "--name", "az-shared", "--value", "shared")
    assert reader("keyvault", "secret", "show", *DEV, "--name", "az-shared")["value"] == "shared"
    reader.refused("keyvault", "secret", "set", *DEV, "--name", "az-shared", "--value", "other", saying="ForbiddenByRbac")
    reader.refused("group", "create", "--name", "no", "--location", "local", saying="AuthorizationFailed")
    assignment = ("role", "assignment")
    found = az(*assignment, "list", "--assignee", made["appId"], "--scope", scope)
    assert [one["roleDefinitionName"] for one in found] == ["Key Vault Secrets User"]
    az(*assignment, "delete", "--assignee", made["appId"], *role, "--scope", scope)
    reader.refused("keyvault", "secret", "show", *DEV, "--name", "az-shared", saying="ForbiddenByRbac")
    own = {"Name": "Az own", "Description": "", "Actions": ["*/read"], "AssignableScopes": [dev.subscription]}
    assert az("role", "definition", "create", "--role-definition", json.dumps(own))["roleType"] == "CustomRole"
    assert az("role", "definition", "list", "--name", "Az own")[0]["permissions"][0]["actions"] == ["*/read"]
    az("role", "definition", "delete", "--name", "Az own")
    assert az("role", "definition", "list", "--name", "Az own") == []


def test_the_log_of_a_vault(az: Az, dev: Dev) -> None:
    """Diagnostic settings lead a vault's log into a store, until they are taken away."""
    scope = f"{dev.subscription}/resourceGroups/certworker/providers"
    store = az(*("storage", "account", "create", "--name", "azlogstore"), *("--resource-group", "certworker"))
    assert store["id"] == f"{scope}/Microsoft.Storage/storageAccounts/azlogstore"
    settings, vault = ("monitor", "diagnostic-settings"), f"{scope}/Microsoft.KeyVault/vaults/dev"
    logs = json.dumps([{"category": "AuditEvent", "enabled": True}])
    which = ("--name", "log", "--resource", vault)
    az(*settings, "create", *which, "--storage-account", store["id"], "--logs", logs)
    assert az(*settings, "show", *which)["storageAccountId"] == store["id"]
    assert names(az(*settings, "list", "--resource", vault)) == {"log"}
    az(*settings, "delete", *which)
    assert az(*settings, "list", "--resource", vault) == []
