"""What becomes of a request, for its audit record: who asked for what, from where, and how it ended.

Nothing secret is in it: of the query only the api-version, no header but the name of the client's program, no body, and of an
error its code alone, since a text may tell of what was sent.
"""

import asyncio
import json
import re
from collections.abc import Mapping
from functools import lru_cache
from http import HTTPStatus
from time import perf_counter
from typing import Any, Final
from urllib.parse import quote
from uuid import uuid4

from starlette.responses import Response
from starlette.types import Scope

from certworker.api.hosts import Place, Plane
from certworker.api.operation_names import AUTHENTICATION, UNKNOWN, operation_name, success_status
from certworker.bootstrap import House
from certworker.clock import Clock
from certworker.vault.audit.record import AuditRecord, Result
from certworker.vault.identities.rules import is_guid
from certworker.vault.rights.caller import Caller
from certworker.vault.rights.scopes import vault_scope
from certworker.vault.vaults import Vault

TRACE: Final = "certworker.trace"
"""Where a request's trace lies in the ASGI scope."""

_API_VERSION: Final = re.compile(
    rb"(?:^|&)api(?:-|%2D)version=((?:\d{4}-\d\d-\d\d|\d\.\d)(?:-preview(?:\.\d)?)?)(?:&|$)", re.IGNORECASE
)
"""What could be a version: anything else that was sent in its place may be secret."""
_PLAIN_PATH: Final = re.compile(r"[0-9A-Za-z/._~-]*")
_PLAIN_ID: Final = re.compile(r"[!-~]{1,128}")
_USER_NAME: Final = re.compile(r"[0-9A-Za-z'._!#^~$+&-]{1,64}@((?:[0-9A-Za-z-]{1,63}\.)*[0-9A-Za-z-]{1,63})")
"""As users are called here; a password that was typed in a name's place is hardly ever like that."""
_RESOURCE: Final = re.compile(
    r"(?:/subscriptions/[^/]+)?(?:/resourceGroups/[^/]+)?(?:/providers/[^/]+(?:/[^/]+/[^/]+)?)?", re.IGNORECASE
)
_BY_PATH: Final = frozenset({Plane.MANAGEMENT, Plane.BARE})
_OWN: Final = "/certworker/v1"
_LONGEST_CLIENT: Final = 256
_MOST_TEXTS: Final = 1024
_LONGEST_PATH: Final = 2048


class RequestTrace:
    """One request. The planes tell it the caller, the vault and what they refused; the rest it sees by itself."""

    __slots__ = (
        "_begun",
        "_headers",
        "_signs_in",
        "address",
        "at",
        "caller",
        "client_request_id",
        "committed",
        "correlation_id",
        "details",
        "place",
        "refusal",
        "request_id",
        "scope",
        "vault",
    )

    def __init__(
        self, scope: Scope, headers: Mapping[bytes, bytes], place: Place, request_id: str, address: str, clock: Clock
    ) -> None:
        self._begun = perf_counter()
        self.at = clock()
        self.scope = scope
        self._headers = headers
        self.place = place
        self.request_id = request_id
        self.client_request_id = _plain_id(headers.get(b"x-ms-client-request-id"))
        """The client's own id of the request, where it sent one that can be taken."""
        self.correlation_id = self.client_request_id or request_id
        """That one, otherwise ours."""
        self.address = address
        self.caller: Caller | None = None
        self.vault: Vault | None = None
        self.refusal = ""
        """The code of the error that was answered with."""
        self.details: dict[str, str] = {}
        self.committed = False
        """Whether a transaction has the record in it (`trail.UnderWay`)."""
        self._signs_in = False

    @property
    def signs_in(self) -> bool:
        """Whether this is a request to the identity provider."""
        return self._signs_in

    @property
    def operation(self) -> str:
        """What was asked for, by its name in the log."""
        return self._operation()

    @property
    def is_kept(self) -> bool:
        """Whether there is no other record to be made if this goes well."""
        return self.committed and not self._signs_in

    def begin_sign_in(self) -> None:
        """Tell that this is a request to the identity provider.

        It is recorded as it ended: what it wrote is of no use to anybody who has no answer, and a failure may write too.
        """
        self._signs_in = self.committed = True

    def refuse(self, response: Response) -> None:
        """Read the error's code, and the inner one, out of the answer that tells of it: of any plane, or OAuth's."""
        try:
            content = json.loads(bytes(response.body))
            error = content["error"]
            if isinstance(error, str):
                self.refusal = f"{error}/AADSTS{content['error_codes'][0]}"
            else:
                inner = (error.get("innererror") or {}).get("code")
                self.refusal = f"{error['code']}/{inner}" if inner else str(error["code"])
        except (ValueError, LookupError, AttributeError, TypeError):
            self.refusal = ""

    def deny(self, error: str, number: int) -> None:
        """Tell that a sign-in was refused, by a page or by sending the browser back: the status does not tell."""
        self.refusal = f"{error}/AADSTS{number}"

    def asked_by(self, client_id: str = "", user_name: str = "", grant: str = "") -> None:
        """Tell who asks for a token, as they say themselves. What is no client id and no user name is not recorded."""
        named = _USER_NAME.fullmatch(user_name)
        if named and "." not in named[1] and not f".{self.place.netloc.partition(':')[0]}".endswith(f".{named[1].lower()}"):
            user_name = ""  # P@ssword is one as well
        self.details |= {
            name: value
            for name, value, fits in (
                ("clientId", client_id, is_guid),
                ("userPrincipalName", user_name, _USER_NAME.fullmatch),
                ("grantType", grant, _PLAIN_ID.fullmatch),
            )
            if fits(value)
        }

    def record(self) -> AuditRecord:
        """Make the record as of now, for a request that goes well."""
        operation = self._operation()
        return self._record(self.request_id, operation, success_status(operation), Result.SUCCESS)

    def ended(self, status: int) -> AuditRecord:
        """Make the record of a request that was answered with `status`."""
        failed = status >= HTTPStatus.BAD_REQUEST or bool(self.refusal)
        operation = AUTHENTICATION if status == HTTPStatus.UNAUTHORIZED and not self._signs_in else self._operation()
        # the record of what was committed before it failed stays: this is another one
        identifier = str(uuid4()) if self.committed else self.request_id
        return self._record(identifier, operation, status, Result.FAILURE if failed else Result.SUCCESS)

    def _record(self, identifier: str, operation: str, status: int, result: Result) -> AuditRecord:
        version, uri = _uri(self.place.url, self.scope["path"], self.scope["query_string"])
        return AuditRecord(
            id=identifier,
            at=self.at,
            operation=operation,
            resource_id=self._resource(),
            result=result,
            status=status,
            request_uri=uri,
            operation_version=version,
            description="" if result is Result.SUCCESS else self.refusal or _phrase(status),
            duration_ms=round((perf_counter() - self._begun) * 1000),
            caller_address=self.address,
            correlation_id=self.correlation_id,
            identity=self._identity(),
            client_info=_cleaned(self._headers.get(b"user-agent", b"")[:_LONGEST_CLIENT]),
            object_id=self._object(),
            details=self.details,
        )

    def _operation(self) -> str:
        route: Any = self.scope.get("route")  # found for another method, it is none of this one
        return operation_name(self.scope["method"], route.path) or UNKNOWN if route else UNKNOWN

    def _resource(self) -> str:
        if self.vault:
            return vault_scope(self.vault)
        # on a host that is nobody's, a path that looks like a vault's is none
        match = _RESOURCE.match(self.scope["path"]) if self.place.plane in _BY_PATH else None
        if match and match[0]:
            return match[0][:_LONGEST_PATH]
        return f"/tenants/{self.caller.tenant_id}" if self.caller and self.caller.tenant_id else ""

    def _object(self) -> str:
        """Give the URL of the key, secret or certificate, with its version where one was asked for."""
        params = self.scope.get("path_params")
        if not params or "name" not in params or self.vault is None:
            return ""
        return _object_url(self.place.url, self.scope["path"], 3 if "version" in params else 2)

    def _identity(self) -> dict[str, str]:
        caller = self.caller
        if caller is None or not caller.object_id:
            return {}
        claims = {"objectidentifier": caller.object_id, "appid": caller.client_id, "tid": caller.tenant_id}
        if caller.user_name:
            claims["upn"] = caller.user_name
        if caller.groups:
            claims["numgroups"] = str(len(caller.groups))
        return claims


async def append_record(house: House, record: AuditRecord) -> None:
    """Append the record of a request. Raises AuditUnavailable: no record, no answer."""
    if house.settings.audit.sync == "each":  # it waits for the disk: others must not
        await asyncio.get_running_loop().run_in_executor(None, house.trail.append, record)
    else:
        house.trail.append(record)


def trace_of(scope: Scope) -> RequestTrace:
    """Give the trace of a request."""
    trace: RequestTrace = scope[TRACE]
    return trace


# what is asked of one thing again and again is the same text: it is made once


@lru_cache(_MOST_TEXTS)
def _uri(url: str, path: str, query: bytes) -> tuple[str, str]:
    """Give the api-version that was asked for, and the URI with nothing but that in its query."""
    match = _API_VERSION.search(query)
    version = match[1].decode() if match else ""
    return version, f"{url}{_plain(path)}{f'?api-version={version}' if version else ''}"


@lru_cache(_MOST_TEXTS)
def _object_url(url: str, path: str, last: int) -> str:
    return f"{url}{'/'.join(_plain(path).removeprefix(_OWN).split('/')[: last + 1])}"


def _plain(path: str) -> str:
    cut = path[:_LONGEST_PATH]
    return cut if _PLAIN_PATH.fullmatch(cut) else quote(cut, safe="/", errors="replace")


@lru_cache(_MOST_TEXTS)
def _cleaned(program: bytes) -> str:
    """Give the name of the client's program with nothing in it that a terminal obeys."""
    return "".join(sign if sign.isascii() and sign.isprintable() else "?" for sign in program.decode("latin-1"))


def _plain_id(sent: bytes | None) -> str:
    """Read an id that a client gave; empty where there is none that can be shown as it is."""
    asked = sent.decode("latin-1") if sent else ""
    return asked if _PLAIN_ID.fullmatch(asked) else ""


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase.replace(" ", "")
    except ValueError:
        return str(status)
