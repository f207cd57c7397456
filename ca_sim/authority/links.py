"""Where certificates point to: URLs of issuers, CRLs and the OCSP responder on the public server."""

import re
from dataclasses import dataclass
from typing import Self

_SHARD = re.compile(r"(\d{1,4})-of-(\d{1,4})")


@dataclass(frozen=True, slots=True)
class Shard:
    """One of `count` CRLs over which the leaves of an issuer are spread by their serial numbers.

    The number of shards is part of the name, so that the CRL of an old leaf is still there when the setting has changed.
    """

    index: int
    count: int

    @classmethod
    def of(cls, serial: int, count: int) -> Self | None:
        """Choose the shard of a serial number; none if there is but one CRL."""
        return None if count == 1 else cls(serial % count, count)

    @classmethod
    def read(cls, text: str) -> Self | None:
        """Read a name that `str` gave; none if it is no such name."""
        match = _SHARD.fullmatch(text)
        if match is None or not int(match[1]) < int(match[2]):
            return None
        return cls(int(match[1]), int(match[2]))

    def holds(self, serial: int) -> bool:
        """Whether the certificate with this serial number belongs here."""
        return serial % self.count == self.index

    def __str__(self) -> str:
        """Give the name in URLs."""
        return f"{self.index}-of-{self.count}"


@dataclass(frozen=True, slots=True)
class Links:
    """URLs on the public server, which `base` is that of."""

    base: str

    @property
    def ocsp(self) -> str:
        """Give the URL of the responder, one for all issuers."""
        return f"{self.base}/ocsp"

    def issuer(self, signer_id: str) -> str:
        """Give the URL of a certificate of the authority, in DER."""
        return f"{self.base}/issuer/{signer_id}"

    def crl(self, signer_id: str, shard: Shard | None = None) -> str:
        """Give the URL of a CRL of an issuer, or of one shard."""
        return f"{self.base}/crl/{signer_id}" + ("" if shard is None else f"/{shard}")

    def delta(self, signer_id: str, shard: Shard | None = None) -> str:
        """Give the URL of the delta CRL."""
        return f"{self.crl(signer_id, shard)}/delta"
