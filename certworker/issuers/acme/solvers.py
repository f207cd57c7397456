"""How control of a name is proven: the port, one solver for each type of challenge, and the two that need the board alone."""

import ipaddress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from certworker.errors import CertworkerError
from certworker.issuers.challenges import handshake_token
from certworker.vault.issuance import ChallengeBoard

HTTP_01, DNS_01, TLS_ALPN_01 = "http-01", "dns-01", "tls-alpn-01"
BATCH = 10
"""So many authorizations are dealt with in one step, where each takes no time to speak of."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What shows a CA that we control an identifier: `response` is the key authorization (RFC 8555 section 8.1) of `token`.

    `order` is the URL of the order that it is for, `kind` the type of challenge, `place` what a solver wants to find it by.
    """

    kind: str
    order: str
    identifier: str
    token: str = field(repr=False)
    response: str = field(repr=False)
    place: str = ""


class Unsolved(CertworkerError):
    """A proof could not be put up or taken down. The message says why, without token or value."""

    code = "unsolved"


class Occupied(CertworkerError):
    """The place of a proof is taken by another one, which will be gone soon. The message says what is waited for."""

    code = "occupied"


class Solver(Protocol):
    """Puts proofs up where a CA looks, for one type of challenge.

    `batch` is for how many authorizations a step has the time. Where `waits` is true, what is put up is seen only later.
    `patience_seconds` is how long that may take before it counts as a failure.
    Methods raise Unsolved, SettingsError, and the errors of `network/egress.py`; `present` also Occupied.
    """

    kind: str
    batch: int
    waits: bool
    patience_seconds: int

    def place(self, identifier: str) -> str:
        """Find where the proof of an identifier belongs, before it is put there."""

    def present(self, proof: Proof, expires: datetime, *, insist: bool) -> None:
        """Put a proof up, also where it is up already. With `insist` another one has to give way."""

    def unseen(self, proof: Proof) -> str | None:
        """Say in one sentence why the CA cannot see it yet; none where it can."""

    def clean_up(self, proof: Proof) -> None:
        """Take a proof down, also where it is down already."""


class BoardSolver:
    """http-01 by the own responder: the response lies on the board by its token."""

    kind = HTTP_01
    batch = BATCH
    waits = False
    patience_seconds = 0

    def __init__(self, board: ChallengeBoard) -> None:
        self._board = board

    def place(self, identifier: str) -> str:  # noqa: ARG002
        """Name no place: the token is enough."""
        return ""

    def present(self, proof: Proof, expires: datetime, *, insist: bool) -> None:  # noqa: ARG002
        """Put the response on the board."""
        self._board.post(proof.token, proof.response, expires)

    def unseen(self, proof: Proof) -> str | None:  # noqa: ARG002
        """Say nothing: every responder reads the board itself."""
        return None

    def clean_up(self, proof: Proof) -> None:
        """Take the response off the board."""
        self._board.take_down(proof.token)


class HandshakeSolver:
    """tls-alpn-01 by the own responder (RFC 8737): the response lies on the board by the server name that the CA will send.

    A handshake shows one certificate, so of two orders for one name the second waits until the first is done.
    """

    kind = TLS_ALPN_01
    batch = BATCH
    waits = False
    patience_seconds = 0

    def __init__(self, board: ChallengeBoard) -> None:
        self._board = board

    def place(self, identifier: str) -> str:
        """Give the server name; an address is asked for by its reverse name (RFC 8738 section 6)."""
        try:
            return ipaddress.ip_address(identifier).reverse_pointer
        except ValueError:
            return identifier.lower().removesuffix(".")

    def present(self, proof: Proof, expires: datetime, *, insist: bool) -> None:
        """Put the response on the board, unless there is another one for this name."""
        token, response = handshake_token(proof.place), _with_name(proof)
        if not insist and self._board.find(token) not in (None, response):
            raise Occupied(f"Another order is proving control of {proof.identifier} by {TLS_ALPN_01}; it goes first.")
        self._board.post(token, response, expires)

    def unseen(self, proof: Proof) -> str | None:  # noqa: ARG002
        """Say nothing: every responder reads the board itself."""
        return None

    def clean_up(self, proof: Proof) -> None:
        """Take the response off the board, if it is this one."""
        token = handshake_token(proof.place)
        if self._board.find(token) == _with_name(proof):
            self._board.take_down(token)


def _with_name(proof: Proof) -> str:
    return f"{proof.identifier} {proof.response}"
