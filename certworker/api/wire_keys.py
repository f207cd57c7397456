"""Keys on the wire: what is sent of them, and how they are shown."""

from base64 import urlsafe_b64decode
from datetime import UTC, datetime
from typing import Any

from pydantic import Field

from certworker.api.bodies import Body, Text
from certworker.api.wire import View, deletion_wire, full_attributes_wire, tags_wire
from certworker.crypto.keys import base64url, public_jwk
from certworker.errors import BadParameter
from certworker.vault.key_creation import ArrivingKey, WantedKey
from certworker.vault.key_settings import KeySettings
from certworker.vault.keys import KeyItem
from certworker.vault.objects import KeyReleasePolicy, KeyVersion
from certworker.vault.release_policy import DEFAULT_CONTENT_TYPE

KEYS = "keys"
DELETED = "deletedkeys"
LAST_SECOND = 253_402_300_799
"""The end of the year 9999."""
_SOFTWARE = "0"
_TOKEN = "1"  # noqa: S105  # the word for a platform


class KeyAttributesBody(Body):
    """`attributes`, of which a client may set these."""

    enabled: bool | None = None
    nbf: int | None = Field(None, ge=0, le=LAST_SECOND)
    exp: int | None = Field(None, ge=0, le=LAST_SECOND)
    exportable: bool | None = None


class ReleasePolicyBody(Body):
    """`release_policy`: a policy in base64url."""

    content_type: Text | None = Field(None, alias="contentType")
    data: Text | None = None
    immutable: bool | None = None

    def policy(self) -> KeyReleasePolicy:
        """Say it in the service's terms. Raises BadParameter."""
        bare = (self.data or "").rstrip("=")
        try:
            data = urlsafe_b64decode(bare + "=" * (-len(bare) % 4)).decode()
        except ValueError:
            data = ""
        if not data:
            raise BadParameter("release_policy.data is missing, or not base64url of a text in UTF-8.", "release_policy.data")
        return KeyReleasePolicy(self.content_type or DEFAULT_CONTENT_TYPE, data, self.immutable is True)


class SettingsBody(Body):
    """What every request that writes a key may say of it."""

    key_ops: tuple[Text, ...] | None = None
    attributes: KeyAttributesBody | None = None
    tags: dict[Text, Text] | None = None
    release_policy: ReleasePolicyBody | None = None

    def settings(self) -> KeySettings:
        """Say it in the service's terms. Raises BadParameter."""
        attributes = self.attributes or KeyAttributesBody()
        return KeySettings(
            self.key_ops,
            attributes.enabled,
            _time(attributes.nbf),
            _time(attributes.exp),
            attributes.exportable,
            self.tags,
            self.release_policy.policy() if self.release_policy else None,
        )


class CreateBody(SettingsBody):
    """What makes a key."""

    kty: Text
    key_size: int | None = None
    crv: Text | None = None
    public_exponent: int | None = None

    def wanted(self) -> WantedKey:
        """Say it in the service's terms."""
        return WantedKey(self.kty, self.key_size, self.crv, self.public_exponent)


class JwkBody(Body):
    """A private key as a JWK: its members are secret, but for its kind and public half."""

    kty: Text
    key_ops: tuple[Text, ...] | None = None
    crv: Text | None = None
    n: str | None = Field(None, repr=False)
    e: str | None = Field(None, repr=False)
    d: str | None = Field(None, repr=False)
    dp: str | None = Field(None, repr=False)
    dq: str | None = Field(None, repr=False)
    qi: str | None = Field(None, repr=False)
    p: str | None = Field(None, repr=False)
    q: str | None = Field(None, repr=False)
    x: str | None = Field(None, repr=False)
    y: str | None = Field(None, repr=False)
    k: str | None = Field(None, repr=False)
    key_hsm: str | None = Field(None, repr=False)


class ImportBody(SettingsBody):
    """What brings a key."""

    key: JwkBody
    in_hsm: bool | None = Field(None, alias="Hsm")

    def arriving(self) -> ArrivingKey:
        """Say it in the service's terms."""
        members = self.key.model_dump(exclude={"kty", "key_ops"}, exclude_none=True)
        return ArrivingKey(self.key.kty, members, self.in_hsm is True)

    def settings(self) -> KeySettings:
        """Say it in the service's terms; what the key may do is a member of the JWK."""
        return self.model_copy(update={"key_ops": self.key.key_ops}).plain_settings()

    def plain_settings(self) -> KeySettings:
        """Say it as it stands."""
        return super().settings()


def key_wire(view: View, key: KeyVersion) -> dict[str, Any]:
    """Show a key's public half as a JWK (RFC 7517); an `oct` key has none."""
    public = public_jwk(key.public_key) if key.public_key else {}
    jwk = {"kid": view.id(KEYS, key.name, key.version), **public, "kty": key.kty, "key_ops": list(key.key_ops)}
    return {"key": jwk, **_key_properties(view, key), **_release_policy(key)}


def deleted_key_wire(view: View, item: KeyItem) -> dict[str, Any]:
    """Show a deleted key, and where it can be recovered."""
    return {**key_wire(view, item.version), **_deletion(view, item)}


def key_item_wire(view: View, item: KeyItem) -> dict[str, Any]:
    """Show an entry of a list of keys; of the deleted ones with where it can be recovered."""
    return {"kid": view.id(KEYS, item.head.name), **_key_properties(view, item.version), **_deletion(view, item)}


def key_version_wire(view: View, key: KeyVersion) -> dict[str, Any]:
    """Show an entry of a list of versions."""
    return {"kid": view.id(KEYS, key.name, key.version), **_key_properties(view, key)}


def _key_properties(view: View, key: KeyVersion) -> dict[str, Any]:
    attributes = full_attributes_wire(key.attributes, view.vault)
    if view.api_version.knows_exportable:
        attributes["exportable"] = key.exportable
    if view.api_version.knows_hsm_platform:
        attributes["hsmPlatform"] = _TOKEN if key.hsm_key_id else _SOFTWARE
    return {
        "attributes": attributes,
        **({"managed": True} if key.managed else {}),
        **tags_wire(key.tags),
    }


def _release_policy(key: KeyVersion) -> dict[str, Any]:
    policy = key.release_policy
    if policy is None:
        return {}
    data = base64url(policy.data.encode())
    return {"release_policy": {"contentType": policy.content_type, "data": data, "immutable": policy.immutable}}


def _deletion(view: View, item: KeyItem) -> dict[str, Any]:
    return deletion_wire(view, DELETED, item.head.name, item.head.deletion) if item.head.deletion else {}


def _time(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
