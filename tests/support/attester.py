"""A small attestation authority, as real as any: discovery and keys over TLS, and tokens that it signs. It can misbehave."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from threading import Event
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import HashAlgorithm
from cryptography.hazmat.primitives.keywrap import aes_key_unwrap_with_padding
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from certworker.api.serve import BackgroundServer
from certworker.cli.sockets import bind, port_of
from tests.api.world import TestAuthority

Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
KID = "the key of 2026"


@dataclass
class Attester:
    """The authority. `answers` take the place of what it would say at a path; `asked` counts the requests by path.

    Each answer waits for the `gate`, where there is one.
    """

    url: str
    keys: dict[str, Private] = field(default_factory=dict)
    answers: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    gate: Event | None = None

    def attest(
        self,
        at: datetime,
        target: rsa.RSAPrivateKey,
        changes: Mapping[str, object] | None = None,
        *,
        algorithm: str = "RS256",
        kid: str | None = KID,
        key: Private | None = None,
    ) -> str:
        """Attest an environment that holds `target`; `changes` replace claims, or leave them out where they are none."""
        seconds = int(at.timestamp())
        claims: dict[str, Any] = {
            "iss": self.url,
            "iat": seconds,
            "nbf": seconds,
            "exp": seconds + 8 * 3600,
            "x-ms-isolation-tee": {"x-ms-attestation-type": "sevsnpvm", "x-ms-compliance-status": "azure-compliant-cvm"},
            "secureboot": True,
            "x-ms-runtime": {"keys": [target_jwk(target)]},
        } | dict(changes or {})
        claims = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(claims, key or self.keys[KID], algorithm, headers={"kid": kid} if kid else {})

    def key_set(self) -> dict[str, Any]:
        """Show the public keys."""
        return {"keys": [{**public_jwk(key), "kid": kid, "use": "sig"} for kid, key in self.keys.items()]}

    async def answer(self, request: Request) -> Response:
        """Answer a request, in whatever way it is to be answered."""
        path = request.url.path
        self.asked[path] += 1
        if self.gate:
            await asyncio.to_thread(self.gate.wait, 60)
        discovery = {"issuer": self.url, "jwks_uri": f"{self.url}/certs"}
        right = {"/.well-known/openid-configuration": discovery, "/certs": self.key_set()}
        status, content = self.answers.get(path) or (200, json.dumps(right[path]).encode())
        headers = {"location": f"{self.url}/certs"} if status == 302 else {}
        return Response(content, status, headers, "application/json")


@contextmanager
def running_attester(authority: TestAuthority, key: Private) -> Iterator[Attester]:
    """Run an authority on a free port of loopback, under a certificate of the tests' CA."""
    sockets = bind(("127.0.0.1",), 0, "tests")
    attester = Attester(f"https://localhost:{port_of(sockets)}", {KID: key})
    paths = ("/.well-known/openid-configuration", "/certs")
    server = BackgroundServer(Starlette(routes=[Route(path, attester.answer) for path in paths]), sockets, authority.context)
    server.start()
    try:
        yield attester
    finally:
        server.stop()


def target_jwk(target: rsa.RSAPrivateKey, **changes: object) -> dict[str, Any]:
    """Show the public half of an environment's key, as a trusted platform does."""
    return {**public_jwk(target), "kid": "TpmEphemeralEncryptionKey", "key_ops": ["encrypt"], **changes}


def public_jwk(key: Private) -> dict[str, Any]:
    """Show a public key as a JWK."""
    algorithm = jwt.algorithms.RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else jwt.algorithms.ECAlgorithm
    jwk: dict[str, Any] = json.loads(algorithm.to_jwk(key.public_key()))  # type: ignore[arg-type]
    return {name: jwk[name] for name in ("kty", "n", "e", "crv", "x", "y") if name in jwk}


def unwrap(target: rsa.RSAPrivateKey, wrapped: bytes, digest: HashAlgorithm) -> bytes:
    """Unwrap a released key as the environment does."""
    size = target.key_size // 8
    aes = target.decrypt(wrapped[:size], padding.OAEP(padding.MGF1(digest), digest, None))
    return aes_key_unwrap_with_padding(aes, wrapped[size:])


def policy_for(authority: str, **equals: object) -> Mapping[str, Any]:
    """Make a release policy: one authority, and claims that must all be so."""
    claims = equals or {"x-ms-isolation-tee.x-ms-compliance-status": "azure-compliant-cvm"}
    conditions = [{"claim": claim, "equals": value} for claim, value in claims.items()]
    return {"version": "1.0.0", "anyOf": [{"authority": authority, "allOf": conditions}]}
