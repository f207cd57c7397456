"""NIST's PKITS 1.0.1: its sections on CRLs, with what is published of each of their tests.

The published result of a test is that of its path, and it says why. Here it is told of each certificate of the path: the last
one is as the table says, and those in between are good where nothing else stands there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Final

import cryptography_vectors

from certworker.crypto.revocation import Result, RevocationList, read_list

AT: Final = datetime(2015, 6, 1, tzinfo=UTC)
"""A day in the middle of the suite's time, 2010 to 2030."""
ANCHOR: Final = "TrustAnchorRootCertificate"
GOOD, REVOKED, UNKNOWN = Result.GOOD, Result.REVOKED, Result.UNKNOWN


@dataclass(frozen=True, slots=True)
class Published:
    """One test. `path` leads from the trust anchor to the last certificate, both left out.

    `lists` are there besides the anchor's own. `signers` are
    certificates of signers of lists that are not on the path. `between` is what became of the last one of `path`.
    """

    number: str
    last: str
    path: tuple[str, ...]
    lists: tuple[str, ...]
    result: Result
    reason: str | None = None
    signers: tuple[str, ...] = ()
    between: Result = GOOD

    def __str__(self) -> str:
        """Name the test."""
        return f"{self.number}-{self.last}"

    def certificates(self) -> Sequence[tuple[str, str, Result]]:
        """Give each certificate with its issuer's and the result that is published."""
        names = (ANCHOR, *(f"{name}Cert" for name in self.path), f"{self.last}EE")
        results = [GOOD] * (len(self.path) - 1) + [self.between] * bool(self.path) + [self.result]
        return tuple(zip(names[1:], names[:-1], results, strict=True))


@cache
def certificate(name: str) -> bytes:
    """Read a certificate of the suite."""
    return (_data() / "certs" / f"{name}.crt").read_bytes()


@cache
def crl(name: str) -> bytes:
    """Read a list of the suite."""
    return (_data() / "crls" / f"{name}.crl").read_bytes()


@cache
def all_crls() -> tuple[RevocationList, ...]:
    """Read all lists of the suite, once for all questions."""
    return tuple(read_list(path.read_bytes()) for path in sorted((_data() / "crls").glob("*.crl")))


def _data() -> Path:
    return Path(cryptography_vectors.__file__).parent / "x509" / "PKITS_data"
