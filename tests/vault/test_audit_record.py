"""An audit record as text: the service's names, one line, and nothing of a value that could end a string."""

import json
from datetime import timedelta
from typing import Any

import pytest

from certworker.vault.audit.record import AuditRecord, Result
from tests.support.clock import START

RECORD = AuditRecord("one", START, "SecretGet", "/subscriptions/s/vaults/Contoso", Result.SUCCESS, 200)
NASTY = 'a"b\\c\n\r\x1b[31m\u2028é\ud800'


def test_it_reads_as_the_services_log_does() -> None:
    """Every field of the schema is there, what is empty among the properties is not."""
    whole = RECORD._replace(request_uri="https://h/x", duration_ms=7, identity={"appid": "app"}, details={"grantType": "code"})
    assert json.loads(whole.text()) == {
        "recordId": "one",
        "time": f"{START:%Y-%m-%dT%H:%M:%S}.000000Z",
        "category": "AuditEvent",
        "operationName": "SecretGet",
        "operationVersion": "",
        "resourceId": "/SUBSCRIPTIONS/S/VAULTS/CONTOSO",
        "resultType": "Success",
        "resultSignature": "OK",
        "resultDescription": "",
        "durationMs": "7",
        "callerIpAddress": "",
        "correlationId": "",
        "identity": {"claim": {"appid": "app"}},
        "properties": {"httpStatusCode": 200, "requestUri": "https://h/x", "grantType": "code"},
    }
    refused = json.loads(RECORD._replace(result=Result.FAILURE, status=403, at=START + timedelta(microseconds=5)).text())
    assert (refused["resultSignature"], refused["time"][-8:]) == ("403", ".000005Z")


TEXTS = ("id", "operation", "resource_id", "request_uri", "operation_version", "description", "caller_address")


@pytest.mark.parametrize("name", [*TEXTS, "correlation_id", "client_info", "object_id"])
def test_no_value_ends_its_string(name: str) -> None:
    """Quotes, line ends, escape sequences and halves of characters come back as they were, on one line of plain ASCII."""
    changes: dict[str, Any] = {name: NASTY}
    text = RECORD._replace(**changes).text()
    assert text.isascii()
    assert text.isprintable()
    assert NASTY in {*flat(json.loads(text))} or NASTY.upper() in {*flat(json.loads(text))}


def test_no_claim_or_detail_ends_its_string() -> None:
    """Nor do names of them; and one that is called like a property takes its place, and does not stand beside it."""
    text = RECORD._replace(identity={NASTY: NASTY}, details={"clientInfo": NASTY, NASTY: "x"}, client_info="real").text()
    assert text.isprintable()
    told = json.loads(text)
    assert told["identity"]["claim"] == {NASTY: NASTY}
    assert told["properties"] == {"httpStatusCode": 200, "clientInfo": NASTY, NASTY: "x"}
    assert text.count("clientInfo") == 1


def flat(value: object) -> list[str]:
    """List all texts in a value."""
    if isinstance(value, dict):
        return [text for inner in value.values() for text in flat(inner)]
    return [value] if isinstance(value, str) else []
