"""The client certificates that are let in. They live in real time, as all that TLS itself uses."""

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding

from ca_sim.acme.jose import PublicKey
from ca_sim.authority.hierarchy import Authority
from ca_sim.book import Book
from ca_sim.files import StateError

ROOM = "globalsign-client"
NAME = "client.ca-sim.example"


class Clients:
    """Issues client certificates, and knows them again; `trusted` are others, or the authorities that issued them directly."""

    def __init__(self, book: Book, authority: Authority, trusted: Sequence[x509.Certificate]) -> None:
        self._book = book
        self._authority = authority
        self._trusted = tuple(trusted)

    def issue(self, key: PublicKey, at: datetime) -> str:
        """Issue a client certificate; give it with its chain in PEM. `at` is the real time."""
        leaf = self._authority.issue_client(key, NAME, at)
        with self._book.transaction():
            fingerprint = _fingerprint(leaf.public_bytes(Encoding.DER))
            self._book.put_document(ROOM, fingerprint, json.dumps(fingerprint))
        return self._authority.chain(leaf)

    def list_(self) -> list[str]:
        """List those that were issued here, by the SHA-256 of each in hexadecimal."""
        return [json.loads(body) for _, body in self._book.documents(ROOM)]

    def dismiss(self, fingerprint: str) -> bool:
        """Let one that was issued here in no more; say whether there was one."""
        known = self._book.document(ROOM, fingerprint) is not None
        with self._book.transaction():
            self._book.delete_document(ROOM, fingerprint)
        return known

    def admits(self, der: bytes | None) -> bool:
        """Say whether a client certificate is let in. That it holds was seen to by TLS; that it is a client's is said here."""
        if der is None:
            return False
        if self._book.document(ROOM, _fingerprint(der)) is not None:
            return True
        try:
            certificate = x509.load_der_x509_certificate(der)
        except ValueError:
            return False
        return any(certificate == other or _issued(other, certificate) for other in self._trusted)


def read_trusted(path: str) -> list[x509.Certificate]:
    """Read a PEM file of client certificates or their authorities; none for no path. Raises StateError."""
    if not path:
        return []
    try:
        return x509.load_pem_x509_certificates(Path(path).read_bytes())
    except (OSError, ValueError) as error:
        raise StateError(
            f"{path}, the file of client certificates (globalsign.client_roots), cannot be read: {error}"
        ) from error


def _fingerprint(der: bytes) -> str:
    return hashlib.sha256(der).hexdigest()


def _issued(authority: x509.Certificate, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True
