"""What the service does by itself, as records: one for each event, with the service as the one who did it."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final
from uuid import uuid4

from certworker.vault.audit.record import AuditRecord, Result
from certworker.vault.events import Event, EventType
from certworker.vault.objects import ObjectKind
from certworker.vault.operations import OperationReason

IDENTITY: Final = MappingProxyType({"appid": "certworker"})
OK: Final = 200
FAILED: Final = 500
STEPS: Final = frozenset(
    {
        EventType.OPERATION_STEP,
        EventType.OPERATION_RETRY,
        EventType.RENEWAL_PLANNED,
        EventType.RENEWAL_ADVISED,
    }
)
"""What is told of to show how work goes on: it touches nothing that a vault keeps."""

_COMPANIONS: Final = frozenset({EventType.KEY_NEW_VERSION, EventType.SECRET_NEW_VERSION})
_NOTICE: Final = "EventGridNotification"
_NAMES: Final = MappingProxyType(
    {
        EventType.CERTIFICATE_NEW_VERSION: "CertificateRenew",
        EventType.KEY_NEW_VERSION: "KeyRotate",
        EventType.SECRET_NEW_VERSION: "SecretSet",
        EventType.CERTIFICATE_NEAR_EXPIRY: f"CertificateNearExpiry{_NOTICE}",
        EventType.CERTIFICATE_EXPIRED: f"CertificateExpired{_NOTICE}",
        EventType.KEY_NEAR_EXPIRY: f"KeyNearExpiry{_NOTICE}",
        EventType.KEY_EXPIRED: f"KeyExpired{_NOTICE}",
        EventType.SECRET_NEAR_EXPIRY: f"SecretNearExpiry{_NOTICE}",
        EventType.SECRET_EXPIRED: f"SecretExpired{_NOTICE}",
        EventType.OPERATION_CREATED: "CertificatePendingCreate",
        EventType.OPERATION_FAILED: "CertificatePendingFail",
        EventType.OPERATION_CANCELLED: "CertificatePendingCancel",
        EventType.RENEWAL_OVERDUE: "RenewalOverdue",
        EventType.RENEWAL_STARTED: "RenewalStart",
        EventType.RENEWAL_PAUSED: "RenewalPause",
        EventType.RENEWAL_RESUMED: "RenewalResume",
        EventType.ISSUER_DOWN: "CertificateIssuerDown",
        EventType.ISSUER_UP: "CertificateIssuerUp",
        EventType.ISSUER_THROTTLED: "CertificateIssuerThrottled",
        EventType.ISSUER_FAILED_OVER: "CertificateIssuerFailOver",
        EventType.CERTIFICATE_REVOKED: "CertificateRevoke",
        EventType.CERTIFICATE_FOUND_REVOKED: "CertificateFoundRevoked",
        EventType.KEY_COMPROMISED: "KeyCompromised",
        EventType.REVOCATION_UNKNOWN: "RevocationUnknown",
        EventType.KEY_RELEASED: "KeyRelease",
    }
)
_NOUNS: Final = MappingProxyType({ObjectKind.KEY: "Key", ObjectKind.SECRET: "Secret", ObjectKind.CERTIFICATE: "Certificate"})
_OF_OBJECTS: Final = MappingProxyType(
    {EventType.OBJECT_DELETED: "Delete", EventType.OBJECT_RECOVERED: "Recover", EventType.OBJECT_PURGED: "Purge"}
)
_PLAIN: Final = ("reason", "issuer", "to", "code", "since", "nbf", "exp", "found_with", "authority")
"""What of an event's detail is an id, a word or a time. Texts that somebody else wrote are no part of a record."""


def is_act(event: Event) -> bool:
    """Tell whether an event is of something that was done to what a vault keeps, and no other event tells of it."""
    return event.type not in STEPS and not (event.type in _COMPANIONS and "issuer" in event.detail)


def operation_of(event: Event) -> str:
    """Name what was done, in the service's words where it has any."""
    if event.type in _OF_OBJECTS:
        return f"{_NOUNS[event.kind]}{_OF_OBJECTS[event.type]}"
    if event.type is EventType.CERTIFICATE_NEW_VERSION and event.detail.get("reason") == OperationReason.CREATE:
        return "CertificateCreate"
    return _NAMES.get(event.type) or str(event.type.value).rpartition(".")[2]


def own_record(operation: str, resource_id: str, at: datetime, details: Mapping[str, str]) -> AuditRecord:
    """Make the record of something that the service has done by itself, and that no event tells of."""
    return AuditRecord(str(uuid4()), at, operation, resource_id, Result.SUCCESS, OK, identity=IDENTITY, details=details)


def service_record(event: Event, resource_id: str = "", correlation_id: str = "") -> AuditRecord:
    """Make the record of an event that no request has brought about; `correlation_id` is of what it belongs to."""
    failed = event.type is EventType.OPERATION_FAILED
    details = {name: event.detail[name][:256] for name in _PLAIN if event.detail.get(name)}
    details |= {"kind": event.kind.value, "name": event.name}
    if event.version:
        details["version"] = event.version
    return AuditRecord(
        id=str(uuid4()),
        at=event.at,
        operation=operation_of(event),
        resource_id=resource_id,
        result=Result.FAILURE if failed else Result.SUCCESS,
        status=FAILED if failed else OK,
        description=event.detail.get("code", "") if failed else "",
        correlation_id=correlation_id,
        identity=IDENTITY,
        details=details,
    )
