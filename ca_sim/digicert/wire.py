"""What clients send: the shapes of bodies and of the query of a list. Members that are not known are ignored."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from ca_sim.digicert.errors import invalid

MAX_LIMIT = 1000
_LONGEST_NUMBER = 9
FILTERS = frozenset({"common_name", "status", "product_name_id", "serial_number", "organization_id"})
SORTS = frozenset({"order_id", "date_created", "common_name", "status"})

Id = Annotated[int, Field(ge=1)]
Text = Annotated[str, Field(max_length=2000)]
Name = Annotated[str, Field(min_length=1, max_length=253)]


class Payload(BaseModel):
    """A body, or a part of one."""

    model_config = ConfigDict(frozen=True, strict=True)


class WithId(Payload):
    """What is named by its id."""

    id: Id


class CertificatePart(Payload):
    """The certificate that is asked for. The names are these: what the CSR says of names and subject is not looked at."""

    common_name: Name
    dns_names: Annotated[list[Name], Field(max_length=250)] = []
    csr: Annotated[str, Field(min_length=1, max_length=20_000)]
    signature_hash: Literal["sha256", "sha384", "sha512"]
    server_platform: WithId | None = None


class Validity(Payload):
    """How long: one of these."""

    years: Annotated[int, Field(ge=1, le=6)] | None = None
    days: Annotated[int, Field(ge=1, le=2190)] | None = None
    custom_expiration_date: str | None = None


class NewOrder(Payload):
    """The body of an order."""

    certificate: CertificatePart
    organization: WithId | None = None
    order_validity: Validity | None = None
    custom_expiration_date: str | None = None
    dcv_method: Literal["email", "dns-txt-token", "dns-cname-token", "http-token", "dns-persist-txt-token"] | None = None
    renewal_of_order_id: Id | None = None
    comments: Text = ""
    skip_approval: bool = False


class Reissue(Payload):
    """The body of a reissue."""

    certificate: CertificatePart
    comments: Text = ""
    skip_approval: bool = False


class StatusChange(Payload):
    """The body of a cancellation."""

    status: str
    note: Text = ""


class Decision(Payload):
    """The body of an approval or a rejection."""

    status: Literal["approved", "rejected"]
    processor_comment: Text = ""


class Revocation(Payload):
    """The body of a revocation; `revocation_reason` is in the words of this API."""

    revocation_reason: str = "unspecified"
    comments: Text = ""
    skip_approval: bool = False


Shape = TypeVar("Shape", bound=Payload)


def read_body(body: bytes, shape: type[Shape]) -> Shape:
    """Read a JSON body. Raises ApiError that names the member at fault."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise invalid("The body is not JSON.", "invalid_json") from None
    try:
        return shape.model_validate(document)
    except ValidationError as error:
        raise invalid("; ".join(_explain(fault) for fault in error.errors(include_url=False)[:5])) from None


def _explain(fault: ErrorDetails) -> str:
    where = ".".join(str(part) for part in fault["loc"]) or "the body"
    return f"{where} is missing" if fault["type"] == "missing" else f"{where}: {fault['msg']}"


def read_validity(order: NewOrder, at: datetime) -> tuple[int | None, datetime | None]:
    """Read how long a certificate is wished for: days, or the end of a day. Raises ApiError."""
    validity = order.order_validity or Validity()
    ends = order.custom_expiration_date or validity.custom_expiration_date
    given = [value for value in (validity.years, validity.days, ends) if value is not None]
    if len(given) != 1:
        raise invalid("order_validity needs one of years, days and custom_expiration_date.")
    if ends is None:
        return (validity.days or (validity.years or 0) * 365), None
    try:
        end = datetime.combine(date.fromisoformat(ends), time(23, 59, 59), UTC)
    except ValueError:
        raise invalid(f"custom_expiration_date: {ends!r} is not a date such as 2027-01-31.") from None
    if end <= at:
        raise invalid(f"custom_expiration_date: {ends} is not in the future.")
    return None, end


@dataclass(frozen=True, slots=True)
class ListQuery:
    """What of a list is asked for."""

    filters: Mapping[str, str]
    sort: str
    descending: bool
    limit: int
    offset: int


def read_list_query(query: Mapping[str, str]) -> ListQuery:
    """Read the query of a list: filters[NAME], sort with - or + before it, limit and offset. Raises ApiError."""
    filters = {}
    for name, value in query.items():
        if name.startswith("filters["):
            wanted = name.removeprefix("filters[").removesuffix("]")
            if wanted not in FILTERS:
                raise invalid(f"{name} is no filter: use one of {', '.join(sorted(FILTERS))}.")
            filters[wanted] = value
    sort = query.get("sort", "-order_id").strip()
    if sort.lstrip("+-") not in SORTS:
        raise invalid(f"sort: {sort!r} is none of {', '.join(sorted(SORTS))}.")
    limit = min(_number(query, "limit", MAX_LIMIT), MAX_LIMIT)
    return ListQuery(filters, sort.lstrip("+-"), sort.startswith("-"), limit, _number(query, "offset", 0))


def _number(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name, str(default))
    if not (text.isascii() and text.isdigit()) or len(text) > _LONGEST_NUMBER:
        raise invalid(f"{name}: {text[:20]!r} is not a number.")
    return int(text)


def read_id(text: Any) -> int | None:  # noqa: ANN401 - what Starlette has in the path
    """Read the id in a path; none for what is none."""
    text = str(text)
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 2 * _LONGEST_NUMBER else None
