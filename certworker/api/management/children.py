"""Keys and secrets of a vault as resources."""

from functools import partial
from typing import Any, Final

from pydantic import Field
from starlette.responses import Response

from certworker.api.bodies import Body, Text
from certworker.api.call import answer
from certworker.api.management.call import ArmCall
from certworker.api.management.resource_types import VAULTS
from certworker.api.management.routing import route
from certworker.api.management.vaults import VAULT, place_of
from certworker.api.management.wire_vaults import TYPE
from certworker.api.wire import attributes_wire, full_attributes_wire
from certworker.api.wire_keys import KeyAttributesBody, ReleasePolicyBody, SettingsBody
from certworker.api.wire_secrets import AttributesBody, SetBody, UpdateBody
from certworker.crypto.keys import key_kind
from certworker.errors import InvalidResource
from certworker.settings import Settings
from certworker.vault.key_creation import WantedKey
from certworker.vault.key_settings import KeySettings
from certworker.vault.objects import KeyVersion, SecretVersion, Tags
from certworker.vault.rights.scopes import object_scope
from certworker.vault.secrets import NewSecret, SecretUpdate
from certworker.vault.vaults import Vault

MOST: Final = 25
"""So many are on a page at the most, as on the data plane."""


class SecretPropertiesBody(Body):
    """`properties` of a secret. Its value may hold any character."""

    value: str | None = Field(None, repr=False)
    content_type: Text | None = Field(None, alias="contentType")
    attributes: AttributesBody | None = None


class SecretBody(Body):
    """What sets a secret, or changes it."""

    tags: dict[Text, Text] | None = None
    properties: SecretPropertiesBody | None = None

    def new(self) -> NewSecret:
        """Say it in the service's terms. Raises InvalidResource."""
        found = self._found()
        if found.value is None:
            raise InvalidResource("BadRequest", "The property value is required.", "properties.value")
        fields = {"value": found.value, "contentType": found.content_type, "attributes": found.attributes, "tags": self.tags}
        return SetBody.model_validate(fields).new()

    def update(self) -> SecretUpdate:
        """Say it in the service's terms. Another value is another version, which `new` makes."""
        found = self._found()
        fields = {"contentType": found.content_type, "attributes": found.attributes, "tags": self.tags}
        return UpdateBody.model_validate(fields).update()

    @property
    def has_value(self) -> bool:
        """Whether a value was sent."""
        return self._found().value is not None

    def _found(self) -> SecretPropertiesBody:
        return self.properties or SecretPropertiesBody()


class KeyPropertiesBody(Body):
    """`properties` of a key."""

    kty: Text | None = None
    key_ops: tuple[Text, ...] | None = Field(None, alias="keyOps")
    size: int | None = Field(None, alias="keySize")
    curve: Text | None = Field(None, alias="curveName")
    attributes: KeyAttributesBody | None = None
    release_policy: ReleasePolicyBody | None = None
    rotation_policy: Any = Field(None, alias="rotationPolicy")


class KeyBody(Body):
    """What makes a key."""

    tags: dict[Text, Text] | None = None
    properties: KeyPropertiesBody

    def wanted(self) -> WantedKey:
        """Say what kind of key it is. Raises InvalidResource."""
        if self.properties.rotation_policy is not None:
            message = "rotationPolicy is set at the vault itself: PUT /keys/NAME/rotationpolicy."
            raise InvalidResource("BadRequest", message, "properties.rotationPolicy")
        return WantedKey(self.properties.kty or "RSA", self.properties.size, self.properties.curve, None)

    def settings(self) -> KeySettings:
        """Say what it may do. Raises BadParameter."""
        found = self.properties
        fields = {"key_ops": found.key_ops, "attributes": found.attributes, "tags": self.tags}
        return SettingsBody.model_validate({**fields, "release_policy": found.release_policy}).settings()


async def list_secrets(call: ArmCall) -> Response:
    """GET secrets."""
    vault, page = await call.run(call.house.resources.children.secrets, place_of(call), call.skip_token(), _most(call))
    return _page(call, [secret_wire(call.house.settings, vault, item.version) for item in page.items], page.next)


async def show_secret(call: ArmCall) -> Response:
    """GET a secret, without its value."""
    vault, secret = await call.run(call.house.resources.children.secret, place_of(call), call["name"])
    return answer(secret_wire(call.house.settings, vault, secret))


async def put_secret(call: ArmCall) -> Response:
    """PUT a secret."""
    new = (await call.body(SecretBody)).new()
    vault, secret = await call.run(call.house.resources.children.set_secret, place_of(call), call["name"], new)
    return answer(secret_wire(call.house.settings, vault, secret))


async def patch_secret(call: ArmCall) -> Response:
    """PATCH a secret; with a value it is a new version."""
    body, service = await call.body(SecretBody), call.house.resources.children
    if body.has_value:
        vault, secret = await call.run(service.set_secret, place_of(call), call["name"], body.new())
    else:
        vault, secret = await call.run(service.update_secret, place_of(call), call["name"], body.update())
    return answer(secret_wire(call.house.settings, vault, secret))


async def list_keys(call: ArmCall) -> Response:
    """GET keys."""
    vault, page = await call.run(call.house.resources.children.keys, place_of(call), call.skip_token(), _most(call))
    return _page(call, [key_wire(call.house.settings, vault, item.version) for item in page.items], page.next)


async def show_key(call: ArmCall) -> Response:
    """GET a key, or one version of it."""
    version = call.params.get("version")
    vault, key = await call.run(call.house.resources.children.key, place_of(call), call["name"], version)
    return answer(key_wire(call.house.settings, vault, key, of_version=version is not None))


async def put_key(call: ArmCall) -> Response:
    """PUT a key: made unless there is one."""
    body = await call.body(KeyBody)
    service = call.house.resources.children
    vault, key = await call.run(service.create_key, place_of(call), call["name"], body.wanted(), body.settings())
    return answer(key_wire(call.house.settings, vault, key))


async def list_key_versions(call: ArmCall) -> Response:
    """GET a key's versions."""
    service, place = call.house.resources.children, place_of(call)
    vault, page = await call.run(service.key_versions, place, call["name"], call.skip_token(), _most(call))
    render = partial(key_wire, call.house.settings, vault, of_version=True)
    return _page(call, list(map(render, page.items)), page.next)


def secret_wire(settings: Settings, vault: Vault, secret: SecretVersion) -> dict[str, Any]:
    """Show a secret without its value."""
    uri = f"https://{vault.name.lower()}.{settings.vault_suffix}/secrets/{secret.name}"
    properties: dict[str, Any] = {
        "attributes": attributes_wire(secret.attributes),
        "secretUri": uri,
        "secretUriWithVersion": f"{uri}/{secret.version}",
    }
    if secret.content_type:
        properties["contentType"] = secret.content_type
    return {**_resource(vault, "secrets", secret.name, secret.tags), "properties": properties}


def key_wire(settings: Settings, vault: Vault, key: KeyVersion, *, of_version: bool = False) -> dict[str, Any]:
    """Show a key, or a version of it, without its public numbers."""
    uri = f"https://{vault.name.lower()}.{settings.vault_suffix}/keys/{key.name}"
    attributes = {**full_attributes_wire(key.attributes, vault), "exportable": key.exportable}
    attributes.pop("recoverableDays")
    properties: dict[str, Any] = {
        "attributes": attributes,
        "kty": key.kty,
        "keyOps": list(key.key_ops),
        "keyUri": uri,
        "keyUriWithVersion": f"{uri}/{key.version}",
    }
    if key.public_key:
        kind = key_kind(key.public_key)
        properties |= {"curveName": kind.curve} if kind.curve else {"keySize": kind.size}
    wire = _resource(vault, "keys", key.name, key.tags)
    if of_version:
        wire |= {"id": f"{wire['id']}/versions/{key.version}", "name": key.version, "type": f"{TYPE}/keys/versions"}
    return {**wire, "properties": properties}


def _resource(vault: Vault, noun: str, name: str, tags: Tags) -> dict[str, Any]:
    shown = {"id": object_scope(vault, noun, name), "name": name, "type": f"{TYPE}/{noun}", "location": vault.location}
    return {**shown, "tags": dict(tags)}


def _most(call: ArmCall) -> int:
    return min(call.top() or MOST, MOST)


def _page(call: ArmCall, items: list[dict[str, Any]], after: str | None) -> Response:
    content: dict[str, Any] = {"value": items}
    if after is not None:
        content["nextLink"] = call.next_link(after)
    return answer(content)


ROUTES = (
    route("GET", f"{VAULT}/secrets", list_secrets, VAULTS),
    route("GET", f"{VAULT}/secrets/{{name}}", show_secret, VAULTS),
    route("PUT", f"{VAULT}/secrets/{{name}}", put_secret, VAULTS),
    route("PATCH", f"{VAULT}/secrets/{{name}}", patch_secret, VAULTS),
    route("GET", f"{VAULT}/keys", list_keys, VAULTS),
    route("GET", f"{VAULT}/keys/{{name}}", show_key, VAULTS),
    route("PUT", f"{VAULT}/keys/{{name}}", put_key, VAULTS),
    route("GET", f"{VAULT}/keys/{{name}}/versions", list_key_versions, VAULTS),
    route("GET", f"{VAULT}/keys/{{name}}/versions/{{version}}", show_key, VAULTS),
)
