"""Finding a certificate again whose issuance was not heard of: through the CA's statistics, by its public key."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from certworker.crypto.received import read_certificates
from certworker.crypto.x509 import read_certificate
from certworker.errors import BadParameter
from certworker.issuers.globalsign.client import NOT_FOUND, AtlasClient, Listed
from certworker.issuers.globalsign.journal import Journal
from certworker.issuers.globalsign.memory import Memory
from certworker.issuers.rest import Answer, Refused

BATCH = 5
"""So many certificates are fetched in one step."""
SKEW = timedelta(minutes=10)
"""The CA's clock may be so far from ours."""

Keys = Memory[str, bytes]
"""Public keys by serial number, which cannot change; empty for what is no certificate."""


@dataclass(frozen=True, slots=True)
class Look:
    """How far a look has come. `over` says that it was the whole look, and `serial` what it found.

    `undecided` says that a certificate which may be the one cannot be fetched yet.
    """

    journal: Journal
    serial: str = ""
    over: bool = False
    undecided: bool = False


class Search:
    """A look for the certificate of a public key (DER SubjectPublicKeyInfo); `but` is a serial number that is passed over."""

    def __init__(self, client: AtlasClient, public_key: bytes, but: str, keys: Keys, at: datetime) -> None:
        self._client = client
        self._public_key = public_key
        self._but = but
        self._keys = keys
        self._at = at

    def go_on(self, journal: Journal, *, likely: bool = False) -> Look:
        """Look at some more of what was issued since; with `likely` only at what has the validity that was asked for."""
        page = max(journal.page, 1)
        listed, pages = self._client.issued(journal.begun - SKEW, self._at + SKEW, page)
        fetched = 0
        for row, entry in enumerate(listed[journal.row :], journal.row):
            if entry.serial.lower().lstrip("0") == self._but or (likely and not _fits(entry, journal)):
                continue
            key = self._keys.find(entry.serial, self._at)
            if key is None and fetched == BATCH:
                return Look(journal.looked(page, row))
            if key is None:
                fetched += 1
                key = self._fetch(entry)
            if key is None and _fits(entry, journal):
                return Look(journal.looked(page, row), undecided=True)
            if key == self._public_key or (key == b"" and _fits(entry, journal)):
                return Look(journal, entry.serial, over=True)
        if page < pages:
            return Look(journal.looked(page + 1, 0))
        return Look(journal.looked_through(), over=True)

    def _fetch(self, entry: Listed) -> bytes | None:
        """Fetch a certificate's key; none while it is not there."""
        try:
            fetched = self._client.fetch(entry.serial)
        except Refused as error:
            if error.status != NOT_FOUND:
                raise
            return None
        if isinstance(fetched, Answer):
            return None
        key = _key_of(fetched.text)
        self._keys.keep(entry.serial, key, self._at)
        return key


def _fits(entry: Listed, journal: Journal) -> bool:
    return entry.not_before == journal.not_before and journal.not_after in (0, entry.not_after)


def _key_of(text: str) -> bytes:
    try:
        return read_certificate(read_certificates(text.encode())[0]).public_key
    except BadParameter:
        return b""
