"""What the Services API sends, as far as it is needed, read with care."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from certworker.issuers.rest import Answer
from certworker.issuers.wording import one_line, read_time

MAX_ID_DIGITS = 18
MAX_ENTRIES = 1000
MAX_CHAIN = 10
LONGEST_CSR = 20_000


@dataclass(frozen=True, slots=True)
class Placed:
    """What came of an order that was placed: its id, and the chain (PEM) where it was issued at once."""

    order_id: str
    chain: str = ""


@dataclass(frozen=True, slots=True)
class Listed:
    """An order as it is in a list; `created` is none where the CA does not say it in a way that can be read."""

    order_id: str
    created: datetime | None


@dataclass(frozen=True, slots=True)
class OrderInfo:
    """An order. `comments` are what was said when it was asked for, `reasons` what was said about it since."""

    order_id: str
    status: str
    certificate_id: str
    serial: str
    csr: str
    comments: tuple[str, ...]
    reasons: tuple[str, ...]
    retry_after: str | None


def read_errors(answer: Answer) -> list[str]:
    """Give the CA's words for what is wrong: its messages, and their codes."""
    document = answer.document()
    errors = document.get("errors") if isinstance(document, Mapping) else None
    found = [one for one in errors if isinstance(one, Mapping)] if isinstance(errors, list) else []
    return [f"{_text(one, 'message') or 'no reason'} ({_text(one, 'code') or 'no code'})" for one in found[:MAX_CHAIN]]


def read_placed(answer: Answer) -> Placed:
    """Read the answer to an order. Raises Garbled."""
    fields = answer.fields()
    chain = fields.get("certificate_chain")
    pems = [_text(one, "pem") for one in chain[:MAX_CHAIN] if isinstance(one, Mapping)] if isinstance(chain, list) else []
    return Placed(_id(answer, fields), "\n".join(pem.strip() for pem in pems))


def read_list(answer: Answer) -> list[Listed]:
    """Read a page of a list of orders. Raises Garbled."""
    entries = answer.fields().get("orders")
    if not isinstance(entries, list):
        raise answer.garbled("a list of orders that is none")
    fields = [one for one in entries[:MAX_ENTRIES] if isinstance(one, Mapping)]
    return [Listed(_id(answer, one), read_time(one.get("date_created"))) for one in fields]


def read_order(answer: Answer) -> OrderInfo:
    """Read an order. Raises Garbled."""
    fields = answer.fields()
    certificate = fields.get("certificate")
    certificate = certificate if isinstance(certificate, Mapping) else {}
    requests, notes = _objects(fields.get("requests")), _objects(fields.get("notes"))
    status = _text(fields, "status")
    if not status:
        raise answer.garbled("an order without a status")
    said = [_text(one, "processor_comment") for one in requests] + [_text(one, "text") for one in notes]
    return OrderInfo(
        order_id=_id(answer, fields),
        status=one_line(status)[:40],
        certificate_id=str(certificate["id"]) if _is_id(certificate.get("id")) else "",
        serial=_text(certificate, "serial_number").lower().lstrip("0"),
        csr=_text(certificate, "csr")[:LONGEST_CSR],
        comments=tuple(_text(one, "comments") for one in requests),
        reasons=tuple(one_line(text) for text in said if text),
        retry_after=answer.retry_after,
    )


def read_request_id(answer: Answer) -> str:
    """Read the id of a request that waits. Raises Garbled."""
    return _id(answer, answer.fields())


def read_account_id(answer: Answer) -> str:
    """Read which account a user belongs to. Raises Garbled."""
    account = answer.fields().get("account")
    return _id(answer, account if isinstance(account, Mapping) else {})


def read_organization(answer: Answer) -> tuple[str, bool]:
    """Read the name of an organization, and whether it is active. Raises Garbled."""
    fields = answer.fields()
    return one_line(_text(fields, "name"))[:100], fields.get("is_active") is not False


def _id(answer: Answer, fields: Mapping[str, Any]) -> str:
    value = fields.get("id")
    if not _is_id(value):
        raise answer.garbled("something without an id")
    return str(value)


def _is_id(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 10**MAX_ID_DIGITS


def _objects(value: object) -> Sequence[Mapping[str, Any]]:
    return [one for one in value[:MAX_ENTRIES] if isinstance(one, Mapping)] if isinstance(value, list) else []


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else ""
