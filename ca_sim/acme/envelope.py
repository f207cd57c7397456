"""The envelope of every ACME request: a JWS that is checked before anything in it is looked at (RFC 8555 section 6)."""

import asyncio
from dataclasses import dataclass
from enum import Enum

from starlette.requests import ClientDisconnect, Request

from ca_sim.acme.accounts import Accounts
from ca_sim.acme.jose import Jws, PublicKey, decode, public_jwk, read_jwk, read_jws
from ca_sim.acme.nonces import Nonces
from ca_sim.acme.objects import Account
from ca_sim.acme.urls import Urls, place
from ca_sim.clock import Clock
from ca_sim.faults.engine import Faults
from ca_sim.faults.rules import FaultKind
from ca_sim.problems import BadNonceError, MalformedError, TooLargeError, UnauthorizedError, UnsupportedMediaTypeError

MAX_BODY = 64 * 1024
BODY_SECONDS = 10


class Signer(Enum):
    """Whose key may sign a request (section 6.2)."""

    ACCOUNT = "kid"
    NEW_KEY = "jwk"
    EITHER = "kid or jwk"


@dataclass(frozen=True, slots=True)
class Signed:
    """A request whose signature, URL and nonce are right. `holder` is None if it was signed with a bare key."""

    holder: Account | None
    key: PublicKey
    payload: bytes
    url: str

    @property
    def account(self) -> Account:
        """Give the account that signed. Raises MalformedError when a bare key did."""
        if self.holder is None:
            raise MalformedError("sign with the key of an account, and name it by kid")
        return self.holder

    @property
    def jwk(self) -> dict[str, str]:
        """Give the key as the members of its thumbprint."""
        return public_jwk(self.key)

    def expect_no_payload(self) -> None:
        """Check that this is a POST-as-GET (section 6.3). Raises MalformedError."""
        if self.payload:
            raise MalformedError("the payload of a POST-as-GET is the empty string")


class Envelopes:
    """Opens requests."""

    def __init__(self, accounts: Accounts, nonces: Nonces, faults: Faults, clock: Clock, urls: Urls) -> None:
        self._accounts = accounts
        self._nonces = nonces
        self._faults = faults
        self._clock = clock
        self._urls = urls

    async def open(self, request: Request, signer: Signer) -> Signed:
        """Read a request and check it in the order: form, key, signature, URL, nonce. Raises a problem.

        The nonce comes last, so that only the holder of the key can use one up.
        """
        if request.headers.get("content-type", "").strip().lower() != "application/jose+json":
            raise UnsupportedMediaTypeError("the content type of an ACME request is application/jose+json")
        jws = read_jws(await _body(request))
        holder, key = self._signer(jws, signer)
        jws.verify(key)
        url = self._urls.base + _target(request)
        if jws.header.get("url") != url:
            raise UnauthorizedError(f"the url of the protected header is not {url}")
        if self._faults.strike(FaultKind.BAD_NONCE, place(request.method, request.url.path)):
            raise BadNonceError("the nonce is refused: take the one of this answer")
        self._nonces.use(_nonce(jws), self._clock())
        return Signed(holder, key, jws.payload, url)

    def _signer(self, jws: Jws, signer: Signer) -> tuple[Account | None, PublicKey]:
        if ("kid" in jws.header) == ("jwk" in jws.header):
            raise MalformedError("the protected header needs either kid or jwk")
        if "kid" in jws.header:
            if signer is Signer.NEW_KEY:
                raise MalformedError("sign this request with a jwk, not with a kid")
            account = self._accounts.of_url(jws.header["kid"])
            return account, read_jwk(account.jwk)
        if signer is Signer.ACCOUNT:
            raise MalformedError("sign this request with the kid of an account, not with a jwk")
        return None, read_jwk(jws.header["jwk"])


def _nonce(jws: Jws) -> str:
    """Take the nonce: one that is missing is none that was issued, one that is no base64url makes the JWS malformed (6.5.2)."""
    nonce = jws.header.get("nonce", "")
    decode(nonce, "nonce")
    return str(nonce)


def _target(request: Request) -> str:
    path = request.scope["raw_path"].decode("latin-1")
    return f"{path}?{request.url.query}" if request.url.query else path


async def _body(request: Request) -> bytes:
    body = b""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BODY:
                    raise TooLargeError(f"a request has at most {MAX_BODY} bytes")
    except TimeoutError as error:
        raise MalformedError(f"the body did not come within {BODY_SECONDS} s") from error
    except ClientDisconnect as error:
        raise MalformedError("the client went away before its request was complete") from error
    return body
