"""Backup blobs on the wire: base64url, in and out."""

from base64 import b64decode

from pydantic import Field
from starlette.responses import Response

from certworker.api.bodies import Body, Text, parse_body
from certworker.api.call import Call, answer
from certworker.crypto.keys import base64url
from certworker.errors import BadParameter
from certworker.vault.backup_format import MAX_BACKUP

MAX_RESTORE_BODY = MAX_BACKUP * 4 // 3 + 1024
"""A backup of the largest size in base64url, and the JSON around it."""


class RestoreBody(Body):
    """What restores an object."""

    value: Text = Field(repr=False)


def answer_blob(blob: bytes) -> Response:
    """Answer with a backup."""
    return answer({"value": base64url(blob)})


async def read_blob(call: Call) -> bytes:
    """Read the backup that is to be restored. Raises BadParameter, TooLarge."""
    body = await parse_body(call.request, RestoreBody, MAX_RESTORE_BODY)
    bare = body.value.rstrip("=")
    try:
        return b64decode(bare + "=" * (-len(bare) % 4), altchars=b"-_", validate=True)
    except ValueError:
        raise BadParameter("The backup blob (value) is not base64url.", "value") from None
