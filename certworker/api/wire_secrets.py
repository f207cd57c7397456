"""Secrets on the wire."""

from datetime import UTC, datetime
from typing import Any

from pydantic import Field

from certworker.api.bodies import Body, Text
from certworker.api.wire import View, deletion_wire, full_attributes_wire, tags_wire
from certworker.vault.objects import SecretVersion
from certworker.vault.secrets import NewSecret, OpenSecret, SecretItem, SecretUpdate

KEYS = "keys"
SECRETS = "secrets"
DELETED = "deletedsecrets"
LAST_SECOND = 253_402_300_799
"""The end of the year 9999."""


class AttributesBody(Body):
    """`attributes`, of which a client may set these."""

    enabled: bool | None = None
    nbf: int | None = Field(None, ge=0, le=LAST_SECOND)
    exp: int | None = Field(None, ge=0, le=LAST_SECOND)


class SetBody(Body):
    """What sets a secret. Its value may hold any character."""

    value: str = Field(repr=False)
    content_type: Text | None = Field(None, alias="contentType")
    attributes: AttributesBody | None = None
    tags: dict[Text, Text] | None = None

    def new(self) -> NewSecret:
        """Say it in the service's terms."""
        attributes = self.attributes or AttributesBody()
        times = _time(attributes.nbf), _time(attributes.exp)
        return NewSecret(self.value, self.content_type, attributes.enabled is not False, *times, self.tags or {})


class UpdateBody(Body):
    """What changes a version of a secret."""

    content_type: Text | None = Field(None, alias="contentType")
    attributes: AttributesBody | None = None
    tags: dict[Text, Text] | None = None

    def update(self) -> SecretUpdate:
        """Say it in the service's terms."""
        attributes = self.attributes or AttributesBody()
        times = _time(attributes.nbf), _time(attributes.exp)
        return SecretUpdate(self.content_type, attributes.enabled, *times, self.tags)


def secret_wire(view: View, opened: OpenSecret) -> dict[str, Any]:
    """Show a secret with its value."""
    wire = {"value": opened.value, **version_wire(view, opened.secret)}
    if opened.previous_version and view.api_version.knows_previous_version:
        wire["previousVersion"] = opened.previous_version
    return wire


def version_wire(view: View, secret: SecretVersion) -> dict[str, Any]:
    """Show a version without its value. That of a certificate names the key that it belongs with."""
    kid = {"kid": view.id(KEYS, secret.name, secret.version)} if secret.managed else {}
    return {**_wire(view, secret, secret.version), **kid}


def secret_item_wire(view: View, item: SecretItem) -> dict[str, Any]:
    """Show an entry of a list of secrets; of the deleted ones with where it can be recovered."""
    return {**_wire(view, item.version, None), **_deletion(view, item)}


def secret_version_wire(view: View, secret: SecretVersion) -> dict[str, Any]:
    """Show an entry of a list of versions."""
    return _wire(view, secret, secret.version)


def deleted_secret_wire(view: View, item: SecretItem) -> dict[str, Any]:
    """Show a deleted secret, without its value."""
    return {**version_wire(view, item.version), **_deletion(view, item)}


def _wire(view: View, secret: SecretVersion, version: str | None) -> dict[str, Any]:
    return {
        **({"contentType": secret.content_type} if secret.content_type else {}),
        "id": view.id(SECRETS, secret.name, version),
        "attributes": full_attributes_wire(secret.attributes, view.vault),
        **({"managed": True} if secret.managed else {}),
        **tags_wire(secret.tags),
    }


def _deletion(view: View, item: SecretItem) -> dict[str, Any]:
    return deletion_wire(view, DELETED, item.head.name, item.head.deletion) if item.head.deletion else {}


def _time(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
