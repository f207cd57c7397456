"""dns-01 (RFC 8555 section 8.4): a TXT record at `_acme-challenge` of the name, or where an alias of that leads."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Protocol

from certworker.crypto.keys import base64url
from certworker.errors import BadParameter
from certworker.issuers.acme.solvers import DNS_01, Proof, Unsolved
from certworker.issuers.wording import clean
from certworker.network.dns import Zones
from certworker.network.egress import Unreachable


class Publisher(Protocol):
    """Adds and removes one TXT value of a name among others. Both can be asked for twice."""

    def add(self, name: str, value: str) -> None:
        """Add the value."""

    def remove(self, name: str, value: str) -> None:
        """Remove the value, and no other."""


class DnsSolver:
    """Publishes the values, and asks the name servers whether they all show them."""

    kind = DNS_01
    waits = True

    def __init__(self, publisher: Publisher, zones: Zones, batch: int, patience_seconds: int) -> None:
        self._publisher = publisher
        self._zones = zones
        self.batch = batch
        self.patience_seconds = patience_seconds

    def place(self, identifier: str) -> str:
        """Find the name of the TXT record; a wildcard's is that of its base."""
        with _told():
            return self._zones.follow(f"_acme-challenge.{identifier.removeprefix('*.')}")

    def present(self, proof: Proof, expires: datetime, *, insist: bool) -> None:  # noqa: ARG002
        """Publish the value beside those of others."""
        with _told():
            self._publisher.add(proof.place, text_value(proof.response))

    def unseen(self, proof: Proof) -> str | None:
        """Say which name server does not show the value."""
        with _told():
            return self._zones.lacking(proof.place, text_value(proof.response))

    def clean_up(self, proof: Proof) -> None:
        """Remove the value."""
        with _told():
            self._publisher.remove(proof.place, text_value(proof.response))


@contextmanager
def _told() -> Iterator[None]:
    """Tell a name server's failure as one of the proof, lest it count as the CA's. Raises Unsolved."""
    try:
        yield
    except (BadParameter, Unreachable) as error:
        raise Unsolved(clean(str(error))) from error


def text_value(response: str) -> str:
    """Give what the TXT record says: the digest of the key authorization."""
    return base64url(hashlib.sha256(response.encode("ascii")).digest())
