"""The resources of an ACME server (RFC 8555 section 7.1) as far as they are needed, read with care.

The `acme` library has classes for them too, but refuses what it does not know (an authorization that expired, say).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from certworker.issuers.acme.problems import Garbled, Problem, read_problem
from certworker.issuers.wording import read_time

MAX_AUTHORIZATIONS = 1000
MAX_PROFILES = 100
LONGEST_STRING = 2048
LONGEST_WORD = 20
ENDPOINTS = ("newNonce", "newAccount", "newOrder")


@dataclass(frozen=True, slots=True)
class Directory:
    """Where the server's resources are. What a server need not have is none; `profiles` are the names that it lists."""

    new_nonce: str
    new_account: str
    new_order: str
    binding_required: bool
    revoke_cert: str | None = None
    key_change: str | None = None
    renewal_info: str | None = None
    profiles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class KnownAccount:
    """An account as the server has it: `created` says that it was opened by this very request."""

    url: str
    status: str
    created: bool = False


@dataclass(frozen=True, slots=True)
class Download:
    """A certificate with its chain, and where the same certificate is with other chains."""

    chain: tuple[bytes, ...]
    alternates: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Order:
    """An order, as it was read: `retry_after` is the header that came with it."""

    url: str
    status: str
    authorizations: tuple[str, ...]
    finalize: str
    certificate: str | None
    expires: datetime | None
    error: Problem | None
    retry_after: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Challenge:
    """One way to prove control of an identifier."""

    kind: str
    url: str
    token: str
    status: str
    error: Problem | None


@dataclass(frozen=True, slots=True)
class Authorization:
    """What the server thinks of our control of one identifier."""

    identifier: str
    status: str
    expires: datetime | None
    challenges: tuple[Challenge, ...]

    def challenge(self, kind: str) -> Challenge | None:
        """Find the challenge of a kind."""
        return next((challenge for challenge in self.challenges if challenge.kind == kind), None)


def read_directory(document: object, host: str) -> Directory:
    """Read a directory. Raises Garbled."""
    fields = _object(document, host)
    nonce, account, order = (_string(fields, name, host) for name in ENDPOINTS)
    meta = fields.get("meta")
    meta = meta if isinstance(meta, Mapping) else {}
    required = meta.get("externalAccountRequired") is True
    revoke, change, renewal = (_optional(fields, name) for name in ("revokeCert", "keyChange", "renewalInfo"))
    return Directory(nonce, account, order, required, revoke, change, renewal, _profiles(meta))


def read_account(document: object, url: str, *, created: bool) -> KnownAccount:
    """Read an account. One that tells no status is taken for valid: it was answered for."""
    status = document.get("status") if isinstance(document, Mapping) else None
    return KnownAccount(url, status[:LONGEST_WORD] if isinstance(status, str) else "valid", created)


def read_order(document: object, url: str, host: str, retry_after: str | None) -> Order:
    """Read an order. Raises Garbled."""
    fields = _object(document, host)
    authorizations = fields.get("authorizations", [])
    if not isinstance(authorizations, list) or not all(isinstance(one, str) for one in authorizations):
        raise _garbled(host, "authorizations")
    certificate = fields.get("certificate")
    return Order(
        url=url,
        status=_string(fields, "status", host),
        # sorted, because they are counted through, and servers do not keep their order (Pebble shuffles it on every read)
        authorizations=tuple(sorted(authorizations)[:MAX_AUTHORIZATIONS]),
        finalize=_string(fields, "finalize", host),
        certificate=certificate if isinstance(certificate, str) and len(certificate) <= LONGEST_STRING else None,
        expires=read_time(fields.get("expires")),
        error=read_problem(fields.get("error")),
        retry_after=retry_after,
    )


def read_authorization(document: object, host: str) -> Authorization:
    """Read an authorization. Raises Garbled."""
    fields = _object(document, host)
    challenges = fields.get("challenges")
    if not isinstance(challenges, list):
        raise _garbled(host, "challenges")
    return Authorization(
        identifier=_string(_object(fields.get("identifier"), host), "value", host),
        status=_string(fields, "status", host),
        expires=read_time(fields.get("expires")),
        challenges=tuple(_challenge(_object(one, host), host) for one in challenges),
    )


def _challenge(fields: Mapping[str, Any], host: str) -> Challenge:
    token = fields.get("token", "")  # not every kind of challenge has one
    return Challenge(
        kind=_string(fields, "type", host),
        url=_string(fields, "url", host),
        token=token if isinstance(token, str) else "",
        status=str(fields.get("status", "pending")),
        error=read_problem(fields.get("error")),
    )


def _object(document: object, host: str) -> Mapping[str, Any]:
    if not isinstance(document, Mapping):
        raise Garbled(f"{host} sent something that is not what ACME has there.")
    return document


def _string(fields: Mapping[str, Any], name: str, host: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or len(value) > LONGEST_STRING:
        raise _garbled(host, name)
    return value


def _optional(fields: Mapping[str, Any], name: str) -> str | None:
    value = fields.get(name)
    return value if isinstance(value, str) and 0 < len(value) <= LONGEST_STRING else None


def _profiles(meta: Mapping[str, Any]) -> tuple[str, ...]:
    """Read the names of the profiles (draft-ietf-acme-profiles section 3)."""
    profiles = meta.get("profiles")
    names = list(profiles)[:MAX_PROFILES] if isinstance(profiles, Mapping) else []
    return tuple(name for name in names if len(name) <= LONGEST_STRING)


def _garbled(host: str, name: str) -> Garbled:
    return Garbled(f"{host} sent a resource whose field {name} is missing or wrong.")
