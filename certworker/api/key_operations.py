"""What keys do: encrypt, decrypt, sign, verify, wrapkey, unwrapkey; and random bytes."""

import re
from base64 import urlsafe_b64decode
from collections.abc import Callable
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

from pydantic import Field
from starlette.responses import Response

from certworker.api.bodies import Body, Text
from certworker.api.call import Call, Handler, answer, route
from certworker.api.wire import View
from certworker.api.wire_keys import KEYS
from certworker.crypto.keys import base64url
from certworker.errors import BadParameter
from certworker.vault.access import Caller
from certworker.vault.key_operations import DECRYPT, ENCRYPT, SIGN, UNWRAP, VERIFY, WRAP, KeyOperationResult
from certworker.vault.vaults import Vault

P = ParamSpec("P")
T = TypeVar("T")

_BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]*={0,2}")


class ValueBody(Body):
    """What is signed, wrapped or unwrapped."""

    alg: Text
    value: str = Field(repr=False)


class CipherBody(ValueBody):
    """What is encrypted or decrypted."""

    iv: str | None = None
    aad: str | None = None
    tag: str | None = None


class VerifyBody(ValueBody):
    """A signature (`value`), and the digest that it is to be one of."""

    digest: str


class RandomBody(Body):
    """How many random bytes are wanted."""

    count: int


async def encrypt(call: Call) -> Response:
    """POST /keys/{name}/{version}/encrypt."""
    body = await call.body(CipherBody)
    if body.tag:
        raise BadParameter("Property 'tag' is not for this operation: encryption makes it. Leave it out.", "tag")
    value, iv, aad = _octets(body.value, "value"), _optional(body.iv, "iv"), _optional(body.aad, "aad")
    method = call.house.key_operations.encrypt
    return _result(call, await _operate(call, ENCRYPT, method, body.alg, value, iv=iv, aad=aad))


async def decrypt(call: Call) -> Response:
    """POST /keys/{name}/{version}/decrypt."""
    body = await call.body(CipherBody)
    value, iv = _octets(body.value, "value"), _optional(body.iv, "iv")
    aad, tag = _optional(body.aad, "aad"), _optional(body.tag, "tag")
    method = call.house.key_operations.decrypt
    return _result(call, await _operate(call, DECRYPT, method, body.alg, value, iv=iv, aad=aad, tag=tag))


async def sign(call: Call) -> Response:
    """POST /keys/{name}/{version}/sign."""
    return await _on_value(call, SIGN, call.house.key_operations.sign)


async def verify(call: Call) -> Response:
    """POST /keys/{name}/{version}/verify."""
    body = await call.body(VerifyBody)
    digest, signature = _octets(body.digest, "digest"), _octets(body.value, "value")
    right = await _operate(call, VERIFY, call.house.key_operations.verify, body.alg, digest, signature)
    return answer({"value": right})


async def wrap(call: Call) -> Response:
    """POST /keys/{name}/{version}/wrapkey."""
    return await _on_value(call, WRAP, call.house.key_operations.wrap)


async def unwrap(call: Call) -> Response:
    """POST /keys/{name}/{version}/unwrapkey."""
    return await _on_value(call, UNWRAP, call.house.key_operations.unwrap)


async def random_bytes(call: Call) -> Response:
    """POST /rng."""
    body = await call.body(RandomBody)
    return answer({"value": base64url(await call.read(call.house.key_operations.random_bytes, body.count))})


async def _on_value(
    call: Call, operation: str, method: Callable[[Caller, Vault, str, str | None, str, bytes], KeyOperationResult]
) -> Response:
    body = await call.body(ValueBody)
    return _result(call, await _operate(call, operation, method, body.alg, _octets(body.value, "value")))


async def _operate(
    call: Call,
    operation: str,
    method: Callable[Concatenate[Caller, Vault, str, str | None, P], T],
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    """Call the service: where it stands, if it is quick, else in a thread."""
    operations = call.house.key_operations
    if call.house.store.inline_reads and operations.is_quick(call.vault, call.name, call.version, operation):
        return method(call.caller, call.vault, call.name, call.version, *args, **kwargs)
    return await call.threads.run(method, call.caller, call.vault, call.name, call.version, *args, **kwargs)


def _result(call: Call, result: KeyOperationResult) -> Response:
    return answer(_result_wire(call.view, result))


def _result_wire(view: View, result: KeyOperationResult) -> dict[str, Any]:
    wire = {"kid": view.id(KEYS, result.name, result.version), "value": base64url(result.value)}
    others = {"iv": result.iv, "tag": result.tag, "aad": result.aad}
    return wire | {name: base64url(value) for name, value in others.items() if value is not None}


def _optional(text: str | None, field: str) -> bytes | None:
    return None if text is None else _octets(text, field)


def _octets(text: str, field: str) -> bytes:
    """Read base64url (RFC 7515 section 2), with or without padding. Raises BadParameter, in Key Vault's words."""
    bare = text.rstrip("=")
    padded = len(bare) != len(text)
    if not _BASE64URL.fullmatch(text) or len(bare) % 4 == 1 or (padded and len(text) % 4):
        raise BadParameter(f"Content of '{field}' is not base64url.", field)
    return urlsafe_b64decode(bare + "=" * (-len(bare) % 4))


_HANDLERS: Final[tuple[tuple[str, Handler], ...]] = (
    ("encrypt", encrypt),
    ("decrypt", decrypt),
    ("sign", sign),
    ("verify", verify),
    ("wrapkey", wrap),
    ("unwrapkey", unwrap),
)
ROUTES = (
    *(route("POST", f"/keys/{{name}}/{{version}}/{word}", handler) for word, handler in _HANDLERS),
    *(route("POST", f"/keys/{{name}}/{word}", handler) for word, handler in _HANDLERS),
    route("POST", "/rng", random_bytes),
)
