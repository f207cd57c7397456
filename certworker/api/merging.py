"""Merge: a certificate signing request becomes a certificate."""

import binascii
from base64 import b64decode
from urllib.parse import urlencode

from starlette.responses import Response

from certworker.api.bodies import Body, Text
from certworker.api.call import Call, answer, route
from certworker.api.wire_certificates import CERTIFICATES, EnabledBody, bundle_wire
from certworker.errors import BadParameter

_PEM = "-----BEGIN "


class MergeBody(Body):
    """What is merged."""

    x5c: tuple[Text, ...]
    attributes: EnabledBody | None = None
    tags: dict[Text, Text] | None = None

    def contents(self) -> tuple[bytes, ...]:
        """Give each entry's content. Raises BadParameter."""
        return tuple(_content(entry, number) for number, entry in enumerate(self.x5c))


def _content(entry: str, number: int) -> bytes:
    if _PEM in entry:
        return entry.encode()
    bare = "".join(entry.split())
    try:
        return b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise BadParameter(f"x5c[{number}] is not base64 of a certificate.", "x5c") from None


async def merge(call: Call) -> Response:
    """POST /certificates/{name}/pending/merge."""
    body = await call.body(MergeBody)
    bundle = await call.run(
        call.house.merging.merge,
        call.name,
        body.contents(),
        enabled=body.attributes.enabled if body.attributes else None,
        tags=body.tags,
        operation_id=call.query.get("request_id") or None,
    )
    query = urlencode({"api-version": call.api_version.name})
    location = f"{call.view.id(CERTIFICATES, bundle.head.name)}?{query}"
    return answer(bundle_wire(call.view, bundle), 201, {"Location": location})


ROUTES = (route("POST", "/certificates/{name}/pending/merge", merge),)
