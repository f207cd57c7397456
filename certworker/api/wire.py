"""What all objects have in common on the wire: ids, attributes, deletion."""

from base64 import b64encode
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from certworker.api.api_versions import ApiVersion
from certworker.vault.objects import Attributes, Deletion, Tags
from certworker.vault.vaults import DEFAULT_RETENTION_DAYS, Vault


class View(NamedTuple):
    """For whom something is rendered: the host that the client called, the vault, and the api-version."""

    url: str
    vault: Vault
    api_version: ApiVersion

    def id(self, collection: str, name: str, *parts: str | None) -> str:
        """Name an object, a version of it, or a part, by its URL."""
        return "/".join((self.url, collection, name, *(part for part in parts if part)))


def unix(at: datetime) -> int:
    """Show a time as the data plane does: whole seconds since 1970."""
    return int(at.timestamp())


def base64(data: bytes) -> str:
    """Show bytes in standard base64."""
    return b64encode(data).decode("ascii")


def attributes_wire(attributes: Attributes) -> dict[str, Any]:
    """Show the attributes of a version, without what is the vault's."""
    wire: dict[str, Any] = {"enabled": attributes.enabled}
    if attributes.not_before:
        wire["nbf"] = unix(attributes.not_before)
    if attributes.expires:
        wire["exp"] = unix(attributes.expires)
    return {**wire, "created": unix(attributes.created), "updated": unix(attributes.updated)}


def full_attributes_wire(attributes: Attributes, vault: Vault) -> dict[str, Any]:
    """Show the attributes of a version with how long it can be recovered."""
    return {**attributes_wire(attributes), **recovery_wire(vault)}


def recovery_wire(vault: Vault) -> dict[str, Any]:
    """Show how a vault keeps what was deleted."""
    custom = "" if vault.retention_days == DEFAULT_RETENTION_DAYS else "Customized"
    purgeable = "" if vault.purge_protection else "+Purgeable"
    return {"recoveryLevel": f"{custom}Recoverable{purgeable}", "recoverableDays": vault.retention_days}


def deletion_wire(view: View, collection: str, name: str, deletion: Deletion) -> dict[str, Any]:
    """Show where a deleted object can be recovered, and until when."""
    return {
        "recoveryId": view.id(collection, name),
        "deletedDate": unix(deletion.deleted_at),
        "scheduledPurgeDate": unix(deletion.purge_at),
    }


def tags_wire(tags: Tags) -> Mapping[str, Any]:
    """Show tags; none are left out."""
    return {"tags": dict(tags)} if tags else {}
