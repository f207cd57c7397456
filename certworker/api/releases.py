"""Release of a key: what is asked, and the signed object that answers."""

import json
from typing import Any

from starlette.responses import Response

from certworker.api.bodies import Body, Text
from certworker.api.call import Call, answer, route
from certworker.api.wire_keys import KEYS, key_wire
from certworker.crypto.keys import base64url
from certworker.errors import BadParameter
from certworker.vault.releases import ReleasedKey

MAX_NONCE = 1024


class ReleaseBody(Body):
    """Who is to have the key: an attestation, and in which wrapping."""

    target: str
    nonce: Text | None = None
    enc: Text | None = None


async def release(call: Call) -> Response:
    """POST /keys/{name}/{version}/release."""
    body = await call.body(ReleaseBody)
    if len(body.nonce or "") > MAX_NONCE:
        raise BadParameter(f"nonce has more than {MAX_NONCE} characters.", "nonce")
    released = await call.run(call.house.releases.release, call.name, call.version, body.target, body.enc)
    signed = await call.threads.run(call.house.directory.sign, call.vault.tenant_id, _release_wire(call, released, body.nonce))
    return answer({"value": signed})


def _release_wire(call: Call, released: ReleasedKey, nonce: str | None) -> dict[str, Any]:
    """Show what is signed: what was asked, and the key as a get shows it, with `key_hsm`, the wrapped key."""
    shown = key_wire(call.view, released.key)
    shown["key"]["key_hsm"] = base64url(json.dumps(_key_hsm(released), separators=(",", ":")).encode())
    asked = {
        "api-version": call.api_version.name,
        "enc": released.wrapping,
        "kid": call.view.id(KEYS, released.key.name, call.version),
        **({} if nonce is None else {"nonce": nonce}),
    }
    return {"request": asked, "response": {"key": shown}}


def _key_hsm(released: ReleasedKey) -> dict[str, Any]:
    header = {"kid": released.target_key_id, "alg": "dir", "enc": released.wrapping}
    return {"schema_version": "1.0", "header": header, "ciphertext": base64url(released.wrapped)}


ROUTES = (
    route("POST", "/keys/{name}/{version}/release", release),
    route("POST", "/keys/{name}/release", release),
)
