"""One record of the audit log, with the fields of Key Vault's AuditEvent."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

CATEGORY = "AuditEvent"
_JSON: Final = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"))
"""Made once: `dumps` makes one for each record, which takes longer than the record."""


class Result(StrEnum):
    """How a request ended."""

    SUCCESS = "Success"
    FAILURE = "Failure"


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """What was asked, by whom, from where, of what, and how it ended. Nothing in it is secret: no query, header or body.

    `id` is its own: a record that was written twice, because a process was killed between two steps, is one record.
    `resource_id` is the vault's, or what else was asked of; empty where it is none. `identity` are claims by name.
    """

    id: str
    at: datetime
    operation: str
    resource_id: str
    result: Result
    status: int
    request_uri: str = ""
    operation_version: str = ""
    description: str = ""
    duration_ms: int = 0
    caller_address: str = ""
    correlation_id: str = ""
    identity: Mapping[str, str] = field(default_factory=dict)
    client_info: str = ""
    object_id: str = ""
    """The URL of the key, secret or certificate; empty where there is none."""
    details: Mapping[str, str] = field(default_factory=dict)

    def wire(self) -> dict[str, Any]:
        """Show it with the names of the service's log schema."""
        properties = {
            "clientInfo": self.client_info,
            "requestUri": self.request_uri,
            "id": self.object_id,
            "httpStatusCode": self.status,
            **self.details,
        }
        return {
            "recordId": self.id,
            "time": self.at.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z",
            "category": CATEGORY,
            "operationName": self.operation,
            "operationVersion": self.operation_version,
            "resourceId": self.resource_id.upper(),
            "resultType": self.result.value,
            "resultSignature": self._signature(),
            "resultDescription": self.description,
            "durationMs": str(self.duration_ms),
            "callerIpAddress": self.caller_address,
            "correlationId": self.correlation_id,
            "identity": {"claim": dict(self.identity)},
            "properties": {name: value for name, value in properties.items() if value not in ("", None)},
        }

    def text(self) -> str:
        """Write it as one line of JSON."""
        return _JSON.encode(self.wire())

    def _signature(self) -> str:
        return "OK" if self.result is Result.SUCCESS else str(self.status)
