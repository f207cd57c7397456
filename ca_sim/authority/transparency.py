"""A log of what the authority issues, in the manner of Certificate Transparency (RFC 6962), and its timestamps in leaves."""

import base64
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtensionOID
from pydantic import BaseModel

from ca_sim.authority.keys import digest_for
from ca_sim.authority.merkle import leaf_hash, root_hash
from ca_sim.authority.signers import Signer
from ca_sim.book import Book
from ca_sim.clock import Clock

ROOM = "ct"
_PRECERTIFICATE = 1
_V1 = b"\0"
_TREE_HEAD = b"\1"
_SHA256_ECDSA = b"\4\3"


Line = Callable[[Signer], Sequence[x509.Certificate]]
"""Gives what leads up from leaves of an intermediate: from that one to the root."""


class Entry(BaseModel):
    """A leaf of the tree and the precertificate with its chain, in base64, as get-entries gives them (section 4.6)."""

    leaf_input: str
    extra_data: str


@dataclass(frozen=True, slots=True)
class TreeHead:
    """A signed tree head; `timestamp` in milliseconds since 1970."""

    size: int
    timestamp: int
    root: bytes
    signature: bytes


class Log:
    """Logs precertificates and gives timestamps for them; what is logged is in the tree at once."""

    def __init__(self, book: Book, key: ec.EllipticCurvePrivateKey, line: Line, clock: Clock) -> None:
        self._book = book
        self._key = key
        self._line = line
        self._clock = clock
        self._hashes = [leaf_hash(base64.b64decode(entry.leaf_input)) for entry in self._kept()]

    @property
    def public_key(self) -> bytes:
        """Give the DER SubjectPublicKeyInfo of the log's key, whose SHA-256 is the id of the log."""
        return self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    @property
    def hashes(self) -> Sequence[bytes]:
        """Give the hashes of all leaves."""
        return self._hashes

    def extend(self, builder: x509.CertificateBuilder, issuer: Signer) -> x509.CertificateBuilder:
        """Log the precertificate of a complete leaf, and add the timestamp to the leaf (section 3.3)."""
        precertificate = builder.add_extension(x509.PrecertPoison(), critical=True).sign(issuer.key, digest_for(issuer.key))
        # The library takes a list of timestamps out of what is signed, but no poison; both leave the same.
        tbs = builder.add_extension(_timestamps(b""), critical=False).sign(issuer.key, digest_for(issuer.key))
        issuer_key = issuer.certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        entry = sha256(issuer_key).digest() + _opaque24(tbs.tbs_precertificate_bytes)
        timestamp = _milliseconds(self._clock())
        signed = struct.pack(">BBQH", 0, 0, timestamp, _PRECERTIFICATE) + entry + _opaque16(b"")
        # down to the root, as logs must keep it (section 3.1)
        chain = b"".join(_opaque24(above.public_bytes(Encoding.DER)) for above in self._line(issuer))
        self._append(signed, _opaque24(precertificate.public_bytes(Encoding.DER)) + _opaque24(chain))
        log_id = sha256(self.public_key).digest()
        timestamped = _V1 + log_id + struct.pack(">Q", timestamp) + _opaque16(b"") + self._sign(signed)
        return builder.add_extension(_timestamps(_opaque16(timestamped)), critical=False)

    def head(self) -> TreeHead:
        """Sign the tree as it is now (section 3.5)."""
        size, timestamp, root = len(self._hashes), _milliseconds(self._clock()), root_hash(self._hashes)
        signature = self._sign(_V1 + _TREE_HEAD + struct.pack(">QQ", timestamp, size) + root)
        return TreeHead(size, timestamp, root, signature)

    def entries(self, start: int, end: int) -> list[Entry]:
        """List the entries from `start` to `end`, that one too."""
        found = (self._book.document(ROOM, str(index)) for index in range(start, min(end + 1, len(self._hashes))))
        return [Entry.model_validate_json(body) for body in found if body is not None]

    def _append(self, leaf: bytes, extra: bytes) -> None:
        entry = Entry(leaf_input=base64.b64encode(leaf).decode(), extra_data=base64.b64encode(extra).decode())
        with self._book.transaction():
            self._book.put_document(ROOM, str(len(self._hashes)), entry.model_dump_json())
        self._hashes.append(leaf_hash(leaf))

    def _kept(self) -> list[Entry]:
        return [Entry.model_validate_json(body) for _, body in self._book.documents(ROOM)]

    def _sign(self, data: bytes) -> bytes:
        return _SHA256_ECDSA + _opaque16(self._key.sign(data, ec.ECDSA(hashes.SHA256())))


def _timestamps(listed: bytes) -> x509.UnrecognizedExtension:
    value = asn1.encode_der(_opaque16(listed))
    return x509.UnrecognizedExtension(ExtensionOID.PRECERT_SIGNED_CERTIFICATE_TIMESTAMPS, value)


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp()) * 1000


def _opaque16(data: bytes) -> bytes:
    return struct.pack(">H", len(data)) + data


def _opaque24(data: bytes) -> bytes:
    return len(data).to_bytes(3, "big") + data
