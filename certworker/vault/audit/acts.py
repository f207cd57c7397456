"""What the service does by itself, as records: one for each event, with the service as the one who did it."""

from types import MappingProxyType
from typing import Final
from uuid import uuid4

from certworker.vault.audit.record import AuditRecord, Result
from certworker.vault.events import Event, EventType

IDENTITY: Final = MappingProxyType({"appid": "certworker"})
OK: Final = 200
_STEPS: Final = frozenset(
    {
        EventType.OPERATION_STEP,
        EventType.OPERATION_RETRY,
        EventType.RENEWAL_PLANNED,
        EventType.RENEWAL_ADVISED,
    }
)
"""What is told of to show how work goes on: it touches nothing that a vault keeps."""


def is_act(event: Event) -> bool:
    """Tell whether an event is of something that was done to what a vault keeps."""
    return event.type not in _STEPS


def service_record(event: Event) -> AuditRecord:
    """Make the record of an event that no request has brought about."""
    operation = str(event.type.value).rpartition(".")[2]
    details = {"vault_id": event.vault_id, "kind": event.kind.value, "name": event.name, **event.detail}
    if event.version:
        details["version"] = event.version
    return AuditRecord(str(uuid4()), event.at, operation, "", Result.SUCCESS, OK, identity=IDENTITY, details=details)
