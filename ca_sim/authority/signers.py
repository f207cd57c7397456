"""Certificates of the authority with their keys, and the safe that they are kept in."""

from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ca_sim.authority.keys import SigningKey, key_pem, load_key
from ca_sim.files import StateError, write_whole


@dataclass(frozen=True, slots=True)
class Signer:
    """A certificate of the authority with its private key."""

    key: SigningKey
    certificate: x509.Certificate

    @property
    def id(self) -> str:
        """Give the name that it goes by in URLs and records: the beginning of its key identifier in hexadecimal."""
        return key_id(self.key_identifier)

    @property
    def key_identifier(self) -> bytes:
        """Give its key identifier."""
        return self.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest

    @property
    def name_der(self) -> bytes:
        """Give its name as others' certificates hold it: what OCSP identifies an issuer by."""
        return self.certificate.subject.public_bytes()

    @property
    def key_bits(self) -> bytes:
        """Give the public key without its algorithm: what OCSP identifies an issuer by."""
        key = self.key.public_key()
        if isinstance(key, ec.EllipticCurvePublicKey):
            return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        if isinstance(key, rsa.RSAPublicKey):
            return key.public_bytes(Encoding.DER, PublicFormat.PKCS1)
        return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def key_id(key_identifier: bytes) -> str:
    """Give the name of the signer with this key identifier."""
    return key_identifier.hex()[:16]


class Safe:
    """Keeps signers by name, in a directory that only its owner can read, or in memory."""

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory
        self._certificates: dict[str, x509.Certificate] = {}

    def load(self, name: str) -> Signer | None:
        """Give what was kept, if anything. Raises StateError when it cannot be used."""
        certificate = self.load_certificate(name)
        if certificate is None or self._directory is None:
            return None
        try:
            key = load_key((self._directory / f"{name}.key.pem").read_bytes())
        except (OSError, ValueError) as error:
            raise self._unreadable(name, error) from error
        if key.public_key() != certificate.public_key():
            raise StateError(f"{self._directory}: key and certificate of the {name} do not belong together")
        return Signer(key, certificate)

    def save(self, name: str, signer: Signer) -> None:
        """Keep a signer."""
        if self._directory is None:
            return
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        # The certificate is written last: a start after a crash goes by it and never meets one without its key.
        write_whole(self._directory / f"{name}.key.pem", key_pem(signer.key))
        self.save_certificate(name, signer.certificate)

    def load_certificate(self, name: str) -> x509.Certificate | None:
        """Give a certificate that was kept, if any. Raises StateError when it cannot be read."""
        if name in self._certificates:
            return self._certificates[name]
        if self._directory is None or not (self._directory / f"{name}.pem").exists():
            return None
        try:
            certificate = x509.load_pem_x509_certificate((self._directory / f"{name}.pem").read_bytes())
        except (OSError, ValueError) as error:
            raise self._unreadable(name, error) from error
        self._certificates[name] = certificate
        return certificate

    def save_certificate(self, name: str, certificate: x509.Certificate) -> None:
        """Keep a certificate without a key."""
        self._certificates[name] = certificate
        if self._directory is not None:
            write_whole(self._directory / f"{name}.pem", certificate.public_bytes(Encoding.PEM))

    def log_key(self) -> ec.EllipticCurvePrivateKey:
        """Load or make the key of the log (P-256). Raises StateError when it cannot be used."""
        path = self._directory and self._directory / "log.key.pem"
        if path is None or not path.exists():
            key = ec.generate_private_key(ec.SECP256R1())
            if path is not None:
                write_whole(path, key_pem(key))
            return key
        try:
            kept = load_key(path.read_bytes())
        except (OSError, ValueError) as error:
            raise self._unreadable("key of the log", error) from error
        if not isinstance(kept, ec.EllipticCurvePrivateKey):
            raise self.broken("the key of the log is not for an elliptic curve")
        return kept

    def broken(self, reason: str) -> StateError:
        """Make the error that says what is wrong with what was kept."""
        return StateError(f"{self._directory}: {reason}")

    def _unreadable(self, name: str, error: Exception) -> StateError:
        return self.broken(f"the {name} of the authority cannot be read: {error}")
