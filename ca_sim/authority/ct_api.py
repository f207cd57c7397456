"""The routes of the log (RFC 6962 section 4): to read, since it takes nothing but what the authority issues."""

import base64
import binascii
from dataclasses import dataclass

from cryptography.hazmat.primitives.serialization import Encoding
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ca_sim.authority.hierarchy import Authority
from ca_sim.authority.merkle import audit_path, consistency_proof
from ca_sim.authority.transparency import Log

MOST_ENTRIES = 256
_LONGEST_NUMBER = 18


class _BadParameterError(Exception):
    """A parameter is missing or no number that fits; the message says which."""


@dataclass(frozen=True, slots=True)
class CtApi:
    """The routes of one log, to be served below those of the public server."""

    log: Log
    authority: Authority

    def routes(self) -> list[Route]:
        """Give the routes."""
        return [
            Route("/ct/v1/get-sth", self._head),
            Route("/ct/v1/get-sth-consistency", self._consistency),
            Route("/ct/v1/get-proof-by-hash", self._proof),
            Route("/ct/v1/get-entries", self._entries),
            Route("/ct/v1/get-roots", self._roots),
            Route("/ct/key", self._key),
        ]

    async def _head(self, _: Request) -> Response:
        head = self.log.head()
        return JSONResponse(
            {
                "tree_size": head.size,
                "timestamp": head.timestamp,
                "sha256_root_hash": _text(head.root),
                "tree_head_signature": _text(head.signature),
            }
        )

    async def _consistency(self, request: Request) -> Response:
        try:
            first, second = _number(request, "first"), _number(request, "second")
        except _BadParameterError as error:
            return _refused(error)
        if not 1 <= first <= second <= len(self.log.hashes):
            return _refused(f"first and second lie between 1 and {len(self.log.hashes)}, in this order")
        proof = consistency_proof(first, self.log.hashes[:second])
        return JSONResponse({"consistency": [_text(node) for node in proof]})

    async def _proof(self, request: Request) -> Response:
        try:
            size = _number(request, "tree_size")
            wanted = base64.b64decode(request.query_params.get("hash", ""), validate=True)
        except (_BadParameterError, ValueError, binascii.Error) as error:
            return _refused(error)
        leaves = self.log.hashes[:size]
        if not 1 <= size <= len(self.log.hashes) or wanted not in leaves:
            return JSONResponse({"error_message": "there is no such leaf in a tree of this size"}, 404)
        index = leaves.index(wanted)
        return JSONResponse({"leaf_index": index, "audit_path": [_text(node) for node in audit_path(index, leaves)]})

    async def _entries(self, request: Request) -> Response:
        try:
            start, end = _number(request, "start"), _number(request, "end")
        except _BadParameterError as error:
            return _refused(error)
        if not start <= end or start >= len(self.log.hashes):
            return _refused(f"there are {len(self.log.hashes)} entries, from 0, and end is not before start")
        found = self.log.entries(start, min(end, start + MOST_ENTRIES - 1))
        return JSONResponse({"entries": [entry.model_dump() for entry in found]})

    async def _roots(self, _: Request) -> Response:
        roots = [_text(root.public_bytes(Encoding.DER)) for root in self.authority.roots()]
        return JSONResponse({"certificates": roots})

    async def _key(self, _: Request) -> Response:
        """Give the public key of the log in DER, which clients of real logs have from a list."""
        return Response(self.log.public_key, media_type="application/octet-stream")


def _number(request: Request, name: str) -> int:
    text = request.query_params.get(name, "")
    if not text.isdecimal() or len(text) > _LONGEST_NUMBER:
        raise _BadParameterError(f"{name} is not a number from 0")
    return int(text)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _refused(why: object) -> Response:
    return JSONResponse({"error_message": str(why)}, 400)
