"""The port to a certification authority: what a provider is asked, and what it may answer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from certworker.vault.operations import Progress


@dataclass(frozen=True, slots=True)
class IssuanceRequest:
    """What a provider needs to get one certificate.

    `csr` is DER. `names` are the DNS names and IP addresses that the CA must validate. `profile` is the certificate type in
    the CA's own words. `issuer` tells which stored record (and so which account and settings) is meant. `organization` is the
    record's JSON (Key Vault's org_details), `validity_months` the policy's. `replaces` is the DER certificate that this one
    takes the place of, and `replaced` what the same issuer's provider recorded when it issued that one; none where another
    issuer did, or nobody knows. `sign` signs by the certificate's key, wherever it lies, with the hash that belongs to it
    (PKCS#1 v1.5 for RSA, DER for ECDSA); it raises Unavailable and BadParameter.
    """

    operation_id: str
    vault_id: str
    issuer: str
    account_id: str
    credential: str | None
    csr: bytes
    names: tuple[str, ...]
    profile: str | None
    organization: str | None = None
    validity_months: int | None = None
    replaces: bytes | None = None
    replaced: Progress | None = None
    sign: Callable[[bytes], bytes] | None = field(default=None, repr=False, compare=False)


class Trouble(StrEnum):
    """What is wrong with a CA as a whole, and not with what was asked of it."""

    OUTAGE = "outage"
    """It answers with failures of its own (5xx), which one certificate alone may bring about."""
    UNREACHABLE = "unreachable"
    """It does not answer, or what stands before it says so: that is no certificate's doing."""
    THROTTLED = "throttled"
    """It was asked too much by this account (429, rateLimited)."""


@dataclass(frozen=True, slots=True)
class Pending:
    """The CA has not finished. `progress` is recorded before the next step, which is due at `retry_at`.

    `failure` says in one sentence what went wrong, where the step failed and is to be tried again; `retry_at` is then the
    earliest time that the CA allows, or none where it said nothing. `waits_for` says in one sentence what is waited for.
    `trouble` says of a failure that it is the CA's as a whole: others that are asked of it would fail likewise.
    """

    progress: Progress
    retry_at: datetime | None
    failure: str | None = None
    waits_for: str | None = None
    trouble: Trouble | None = None


@dataclass(frozen=True, slots=True)
class Issued:
    """The certificate and its chain as the CA sent them, each DER, the leaf first.

    `warnings` tell what is not as it was wished for, one sentence for each.
    """

    chain: tuple[bytes, ...]
    progress: Progress = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rejected:
    """The CA will not issue what was asked. `code` is one of Key Vault's two words for it, `message` tells why.

    `configuration` blames the request or the set-up: trying again soon would change nothing. `certified` says that the CA has
    issued for this key, or may have: the next attempt takes another one, so that what is found for it is its own.
    """

    code: str
    message: str
    configuration: bool = False
    certified: bool = False


Step = Pending | Issued | Rejected


class Provider(Protocol):
    """One kind of CA. A step makes one exchange with it, and never sleeps."""

    def step(self, request: IssuanceRequest, progress: Progress | None, at: datetime) -> Step:
        """Go one step on from `progress` (none: from the beginning)."""


class Canceller(Protocol):
    """A provider whose CA can be told that an order is not wanted any more."""

    def cancel(self, request: IssuanceRequest, progress: Progress, at: datetime) -> Pending | None:
        """Withdraw at the CA what `progress` tells of; none where nothing is left to withdraw.

        Pending where another look is needed, with `failure` where the CA could not be told.
        """


@dataclass(frozen=True, slots=True)
class Revocation:
    """What came of asking a CA to revoke: `done`, or the reason why not in one sentence.

    `retry_at` is the earliest time to ask again, where that may help; none where it would change nothing.
    """

    done: bool
    message: str = ""
    retry_at: datetime | None = None


class Revoker(Protocol):
    """A provider whose CA can be asked to revoke what it issued."""

    def revoke(self, request: IssuanceRequest, certificate: bytes, reason: int, at: datetime) -> Revocation:
        """Ask for the revocation of a DER certificate, for a reason of RFC 5280 section 5.3.1. `request` has no CSR or names.

        A certificate that the CA has revoked already counts as done.
        """


@dataclass(frozen=True, slots=True)
class Advice:
    """When a CA wants a certificate to be renewed (RFC 9773 section 4.2): within a window, which `explanation_url` explains.

    `retry_at` is when to ask again, as the CA said; none where it did not.
    """

    start: datetime
    end: datetime
    explanation_url: str | None = None
    retry_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class NoAdvice:
    """Why there is no advice. `offered` is false where the CA gives none at all.

    `passing` says that asking again soon may help; `retry_at` is the earliest time that the CA allows, where it said one.
    """

    message: str
    offered: bool = True
    passing: bool = True
    retry_at: datetime | None = None


class RenewalAdvisor(Protocol):
    """A provider whose CA says when it wants a certificate to be renewed."""

    def advise(self, request: IssuanceRequest, certificate: bytes, at: datetime) -> Advice | NoAdvice:
        """Ask about a DER certificate that the CA issued. `request` has no CSR or names. What goes wrong is never an error."""


@dataclass(frozen=True, slots=True)
class KeyRoll:
    """What came of giving an account at a CA another key: `done`, or the reason why not in one sentence.

    `retry_at` is as for a revocation. Done or not, the account can be used.
    """

    done: bool
    message: str = ""
    retry_at: datetime | None = None


class KeyRoller(Protocol):
    """A provider whose account at the CA has a key of its own, which can be exchanged for a new one."""

    def roll_key(self, request: IssuanceRequest, at: datetime) -> KeyRoll:
        """Exchange the key of the account of a request that has neither CSR nor names."""


@dataclass(frozen=True, slots=True)
class Examination:
    """What a look at a CA found, one sentence for each thing. `passed` says whether an issuance could begin."""

    passed: bool
    findings: tuple[str, ...]


class Examiner(Protocol):
    """A provider that can look whether its CA can be reached and knows us, without asking for anything."""

    def examine(self, request: IssuanceRequest, at: datetime) -> Examination:
        """Look at the CA of a request that has neither CSR nor names. What goes wrong there is a finding, never an error."""


@dataclass(frozen=True, slots=True)
class Account:
    """What certworker is to a CA: a key of its own, and the CA's name for it (`url`), once there is one.

    `document` is what the provider keeps beside it (a local authority's own certificate, say).
    """

    key: bytes = field(repr=False)
    url: str | None = None
    document: bytes | None = None


class AccountBook(Protocol):
    """The accounts at CAs, by vault, issuer and the CA's own URL. Keys are sealed where they lie."""

    def find(self, vault_id: str, issuer: str, authority: str) -> Account | None:
        """Find an account."""

    def keep(self, vault_id: str, issuer: str, authority: str, account: Account) -> Account:
        """Keep an account; if another process kept one first, that one is given back."""

    def update(self, vault_id: str, issuer: str, authority: str, account: Account) -> None:
        """Record what the CA answered: the account's URL and document. Its key stays the one that is kept."""

    def promote(self, vault_id: str, issuer: str, authority: str, candidate: str, account: Account) -> None:
        """Give the account of `authority` the key of `account`, which was found as that of `candidate` and goes from there.

        One transaction. Nothing changes where another process was first: the candidate is gone, or has another document.
        """

    def discard(self, vault_id: str, issuer: str, authority: str, account: Account) -> None:
        """Delete an account that was found, unless it has another document by now."""


class ChallengeBoard(Protocol):
    """Where challenge responses lie for any responder to answer with."""

    def post(self, token: str, response: str, expires: datetime) -> None:
        """Put a response up until it expires."""

    def find(self, token: str) -> str | None:
        """Find the response to a token."""

    def take_down(self, token: str) -> None:
        """Take a response down again."""


Providers = Mapping[str, Provider]
"""Providers by the name that an issuer record calls them, in lower case."""
