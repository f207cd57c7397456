"""Vaults as resources on the wire: what is sent of them, and how they are shown."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import Field

from certworker.api.bodies import Body, Text
from certworker.errors import InvalidResource
from certworker.settings import Settings
from certworker.vault.management.vaults import ShownVault, VaultWish
from certworker.vault.rights.policies import AccessPolicy
from certworker.vault.rights.scopes import subscription_scope, vault_scope
from certworker.vault.vault_properties import VaultUpdate
from certworker.vault.vaults import NetworkRules, Sku, Vault

TYPE: Final = "Microsoft.KeyVault/vaults"
_YES: Final = "enabled"
_NO: Final = "disabled"


class SkuBody(Body):
    """`sku`: the family is always A."""

    family: Text | None = None
    name: Text

    def sku(self) -> Sku:
        """Say it in the service's terms. Raises InvalidResource."""
        if (self.family or "A").upper() != "A":
            raise InvalidResource("BadRequest", "sku.family is 'A'.", "sku.family")
        return Sku(_word(self.name, ("standard", "premium"), "sku.name"))


class AddressBody(Body):
    """One of `ipRules`."""

    value: Text


class SubnetBody(Body):
    """One of `virtualNetworkRules`."""

    id: Text


class NetworkBody(Body):
    """`networkAcls`."""

    bypass: Text | None = None
    default_action: Text | None = Field(None, alias="defaultAction")
    addresses: tuple[AddressBody, ...] | None = Field(None, alias="ipRules")
    subnets: tuple[SubnetBody, ...] | None = Field(None, alias="virtualNetworkRules")

    def rules(self) -> NetworkRules:
        """Say it in the service's terms. Raises InvalidResource."""
        action = _word(self.default_action or "allow", ("allow", "deny"), "networkAcls.defaultAction")
        bypass = _word(self.bypass or "azureservices", ("azureservices", "none"), "networkAcls.bypass")
        addresses = tuple(rule.value for rule in self.addresses or ())
        return NetworkRules(
            action == "allow", bypass == "azureservices", addresses, tuple(rule.id for rule in self.subnets or ())
        )


class PropertiesBody(Body):
    """`properties` of a vault. Access policies are read by the rules of theirs."""

    tenant_id: Text | None = Field(None, alias="tenantId")
    sku: SkuBody | None = None
    policies: Any = Field(None, alias="accessPolicies")
    machines: bool | None = Field(None, alias="enabledForDeployment")
    disk_encryption: bool | None = Field(None, alias="enabledForDiskEncryption")
    templates: bool | None = Field(None, alias="enabledForTemplateDeployment")
    soft_delete: bool | None = Field(None, alias="enableSoftDelete")
    retention_days: int | None = Field(None, alias="softDeleteRetentionInDays")
    rbac: bool | None = Field(None, alias="enableRbacAuthorization")
    purge_protection: bool | None = Field(None, alias="enablePurgeProtection")
    create_mode: Text | None = Field(None, alias="createMode")
    network: NetworkBody | None = Field(None, alias="networkAcls")
    public_access: Text | None = Field(None, alias="publicNetworkAccess")

    def update(self, tags: Mapping[str, str] | None) -> VaultUpdate:
        """Say it in the service's terms. Raises InvalidResource."""
        return VaultUpdate(
            sku=self.sku.sku() if self.sku else None,
            retention_days=self.retention_days,
            purge_protection=self.purge_protection,
            rbac=self.rbac,
            public_access=_is_public(self.public_access),
            network=self.network.rules() if self.network else None,
            machines=self.machines,
            disk_encryption=self.disk_encryption,
            templates=self.templates,
            tags=tags,
        )


class VaultBody(Body):
    """What makes a vault, or changes it."""

    location: Text | None = None
    tags: dict[Text, Text] | None = None
    properties: PropertiesBody | None = None

    def wish(self) -> VaultWish:
        """Say it in the service's terms. Raises InvalidResource."""
        found = self.properties or PropertiesBody()
        recover = _word(found.create_mode or "default", ("default", "recover"), "createMode") == "recover"
        update = found.update(self.tags)
        return VaultWish(self.location, found.tenant_id, update, found.policies, found.soft_delete, recover)


class WholeVaultBody(VaultBody):
    """What is put in a vault's place: it says of which SKU it is."""

    def wish(self) -> VaultWish:
        """Say it in the service's terms. Raises InvalidResource."""
        if self.properties is None or self.properties.sku is None:
            raise InvalidResource("BadRequest", "The properties tenantId and sku are required.", "properties")
        return super().wish()


class PolicyListBody(Body):
    """`properties` of a change of access policies."""

    policies: Any = Field(None, alias="accessPolicies")


class PoliciesBody(Body):
    """What changes access policies."""

    properties: PolicyListBody


class NameBody(Body):
    """What asks whether a name is free."""

    name: Text
    type: Text


def vault_wire(shown: ShownVault, settings: Settings) -> dict[str, Any]:
    """Show a vault with its access policies."""
    vault = shown.vault
    properties: dict[str, Any] = {
        "sku": {"family": "A", "name": vault.sku.value},
        "tenantId": vault.tenant_id,
        "accessPolicies": [policy_wire(policy) for policy in shown.policies],
        "enabledForDeployment": vault.deployment.machines,
        "enabledForDiskEncryption": vault.deployment.disk_encryption,
        "enabledForTemplateDeployment": vault.deployment.templates,
        "enableSoftDelete": True,
        "softDeleteRetentionInDays": vault.retention_days,
        "enableRbacAuthorization": vault.rbac,
        # as the service has it: what cannot be set to false is not shown as false
        **({"enablePurgeProtection": True} if vault.purge_protection else {}),
        "networkAcls": _network_wire(vault.network),
        "vaultUri": f"https://{vault.name.lower()}.{settings.vault_suffix}/",
        "provisioningState": "Succeeded",
        "publicNetworkAccess": _YES.capitalize() if vault.public_access else _NO.capitalize(),
    }
    return {**vault_item_wire(vault), "systemData": system_data(vault), "properties": properties}


def vault_item_wire(vault: Vault) -> dict[str, Any]:
    """Show a vault as one resource among others."""
    shown = {"id": vault_scope(vault), "name": vault.name, "type": TYPE, "location": vault.location}
    return {**shown, "tags": dict(vault.tags)}


def policy_wire(policy: AccessPolicy) -> dict[str, Any]:
    """Show an access policy."""
    application = {"applicationId": policy.application_id} if policy.application_id else {}
    permissions = {noun: list(words) for noun, words in policy.permissions.items()}
    return {"tenantId": policy.tenant_id, "objectId": policy.object_id, **application, "permissions": permissions}


def policies_wire(shown: ShownVault) -> dict[str, Any]:
    """Show a vault's access policies as what they are after a change."""
    return {
        "id": f"{vault_scope(shown.vault)}/accessPolicies/",
        "type": f"{TYPE}/accessPolicies",
        "properties": {"accessPolicies": [policy_wire(policy) for policy in shown.policies]},
    }


def deleted_vault_id(vault: Vault) -> str:
    """Name a deleted vault."""
    place = f"{subscription_scope(vault.subscription_id)}/providers/Microsoft.KeyVault/locations/{vault.location}"
    return f"{place}/deletedVaults/{vault.name}"


def deleted_vault_wire(vault: Vault) -> dict[str, Any]:
    """Show a deleted vault."""
    properties = {
        "vaultId": vault_scope(vault),
        "location": vault.location,
        "tags": dict(vault.tags),
        **({"deletionDate": iso(vault.deleted)} if vault.deleted else {}),
        **({"scheduledPurgeDate": iso(vault.purge_at)} if vault.purge_at else {}),
        **({"purgeProtectionEnabled": True} if vault.purge_protection else {}),
    }
    name = {"id": deleted_vault_id(vault), "name": vault.name, "type": "Microsoft.KeyVault/deletedVaults"}
    return {**name, "properties": properties}


def system_data(vault: Vault) -> dict[str, str]:
    """Tell who made a vault, and who changed it last."""
    wire = {"createdAt": iso(vault.created), **_who("created", vault.created_by)}
    if vault.updated:
        wire |= {"lastModifiedAt": iso(vault.updated), **_who("lastModified", vault.updated_by)}
    return wire


def iso(at: datetime) -> str:
    """Show a time as the management plane does."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _who(prefix: str, name: str) -> dict[str, str]:
    # a user principal name has an at sign, a client id has none
    return {f"{prefix}By": name, f"{prefix}ByType": "User" if "@" in name else "Application"} if name else {}


def _network_wire(rules: NetworkRules) -> dict[str, Any]:
    return {
        "bypass": "AzureServices" if rules.bypass_trusted else "None",
        "defaultAction": "Allow" if rules.allow_by_default else "Deny",
        "ipRules": [{"value": address} for address in rules.addresses],
        "virtualNetworkRules": [{"id": subnet} for subnet in rules.subnets],
    }


def _is_public(word: str | None) -> bool | None:
    return None if word is None else _word(word, (_YES, _NO), "publicNetworkAccess") == _YES


def _word(text: str, words: tuple[str, ...], field: str) -> str:
    """Read one of some words, whose case does not matter. Raises InvalidResource."""
    if text.lower() not in words:
        raise InvalidResource("BadRequest", f"{field} has the value '{text[:40]}': it is one of {', '.join(words)}.", field)
    return text.lower()
