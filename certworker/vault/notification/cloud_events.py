"""Messages as events: CloudEvents 1.0, or the older schema of Azure Event Grid. Pure.

What Event Grid has a name for, it names: `Microsoft.KeyVault.CertificateNearExpiry` and the like, with the same seven members
in its data. All else is `Certworker.` and the topic, with what is known of it besides.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote

from certworker.vault.notification.explanation import explain
from certworker.vault.notification.facts import moment
from certworker.vault.notification.message import Message, Topic
from certworker.vault.vaults import Vault

VALIDATION: Final = "Microsoft.EventGrid.SubscriptionValidationEvent"
STRUCTURED: Final = "application/cloudevents+json; charset=utf-8"
JSON: Final = "application/json; charset=utf-8"
_NAMED: Final[Mapping[Topic, str]] = MappingProxyType(
    {Topic.NEAR_EXPIRY: "NearExpiry", Topic.EXPIRED: "Expired", Topic.NEW_VERSION: "NewVersionCreated"}
)
_OURS: Final[Mapping[Topic, str]] = MappingProxyType({Topic.REVOKED: "Certworker.CertificateRevoked"})


@dataclass(frozen=True, slots=True)
class Source:
    """Where an event comes from: its vault, if there is one still, and where vaults are."""

    vault: Vault | None
    vault_suffix: str

    @property
    def uri(self) -> str:
        """The vault's resource id, as Key Vault's events have it; else this deployment."""
        if self.vault is None:
            return f"https://{self.vault_suffix}"
        group = f"/subscriptions/{self.vault.subscription_id}/resourceGroups/{self.vault.resource_group}"
        return f"{group}/providers/Microsoft.KeyVault/vaults/{self.vault.name}"


@dataclass(frozen=True, slots=True)
class Parcel:
    """What goes over HTTP: a body, and the headers that tell what it is."""

    body: bytes
    headers: Mapping[str, str]


def type_of(message: Message) -> str:
    """Name the type of an event."""
    if end := _NAMED.get(message.topic):
        return f"Microsoft.KeyVault.{message.kind.value.capitalize()}{end}"
    words = "".join(word.capitalize() for word in message.topic.value.split("_"))
    return _OURS.get(message.topic, f"Certworker.{words}")


def data_of(message: Message, source: Source) -> dict[str, Any]:
    """Make an event's data. Times are seconds since 1970, null where there is none."""
    data: dict[str, Any] = {
        "Id": _id_of(message, source),
        "VaultName": message.vault,
        "ObjectType": message.kind.value.capitalize(),
        "ObjectName": message.name,
        "Version": message.version or "",
        "NBF": _seconds(moment(message, "nbf")),
        "EXP": _seconds(moment(message, "exp")),
    }
    if message.topic in _NAMED:
        return data
    title = explain(message, source.vault_suffix).title
    told = {"Topic": message.topic.value, "Severity": message.severity.value, "Title": title, "Facts": dict(message.facts)}
    parts = [{"Type": type_of(part), **data_of(part, source)} for part in message.parts]
    return data | told | ({"Parts": parts} if parts else {})


def structured(message: Message, source: Source) -> Parcel:
    """Make a structured CloudEvent (HTTP protocol binding section 3.2)."""
    event = {**_attributes(message, source), "datacontenttype": "application/json", "data": data_of(message, source)}
    return Parcel(_json(event), {"Content-Type": STRUCTURED})


def binary(message: Message, source: Source) -> Parcel:
    """Make a binary CloudEvent: data as the body, attributes as headers (HTTP protocol binding section 3.1)."""
    headers = {f"ce-{name}": _header(value) for name, value in _attributes(message, source).items()}
    return Parcel(_json(data_of(message, source)), {"Content-Type": JSON, **headers})


def event_grid(message: Message, source: Source) -> Parcel:
    """Make a list of one event in Event Grid's schema."""
    event = _event(message.id, source, message.name, type_of(message), data_of(message, source), message.at, "1")
    return Parcel(_json([event]), {"Content-Type": JSON, "aeg-event-type": "Notification"})


def event_grid_validation(event_id: str, code: str, source: Source, at: datetime) -> Parcel:
    """Make the event by which an endpoint is asked whether it wants to be told: it answers with the code."""
    event = _event(event_id, source, "", VALIDATION, {"validationCode": code}, at, "2")
    return Parcel(_json([event]), {"Content-Type": JSON, "aeg-event-type": "SubscriptionValidation"})


def _attributes(message: Message, source: Source) -> dict[str, str]:
    subject = {"subject": message.name} if message.name else {}
    return {
        "specversion": "1.0",
        "id": message.id,
        "source": source.uri,
        "type": type_of(message),
        **subject,
        "time": _time(message.at),
        "severity": message.severity.value,
    }


def _event(
    event_id: str, source: Source, subject: str, event_type: str, data: Mapping[str, Any], at: datetime, version: str
) -> dict[str, Any]:
    return {
        "id": event_id,
        "topic": source.uri,
        "subject": subject,
        "eventType": event_type,
        "eventTime": _time(at),
        "data": data,
        "dataVersion": version,
        "metadataVersion": "1",
    }


def _id_of(message: Message, source: Source) -> str:
    if not message.vault:
        return source.uri
    parts = (f"{message.kind.value}s", message.name, message.version or "") if message.name else ()
    return "/".join((f"https://{message.vault}.{source.vault_suffix}", *filter(None, parts)))


def _seconds(time: datetime | None) -> int | None:
    return int(time.timestamp()) if time else None


def _time(time: datetime) -> str:
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _header(value: str) -> str:
    """Write an attribute as a header (HTTP protocol binding section 3.1.3.2)."""
    return quote(value, safe="!#$&'()*+,/:;<=>?@[\\]^_`{|}~")


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
