"""The authority: a root, an intermediate, and the certificates that they sign (RFC 5280).

The ACME server's own TLS certificate is issued under the same root, so the root is the one bundle that a client needs.
"""

import hashlib
import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from ca_sim.acme.jose import PublicKey
from ca_sim.authority.subject import NOBODY, Subject
from ca_sim.csr import SigningRequest
from ca_sim.files import StateError, write_whole
from ca_sim.identifiers import Identifier
from ca_sim.settings import KeyType

SigningKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
DOMAIN_VALIDATED = ObjectIdentifier("2.23.140.1.2.1")
SERVER_AND_CLIENT = (ExtendedKeyUsageOID.SERVER_AUTH.dotted_string, ExtendedKeyUsageOID.CLIENT_AUTH.dotted_string)
ROOT_LIFETIME = timedelta(days=365 * 40)
INTERMEDIATE_LIFETIME = timedelta(days=365 * 30)
SERVER_LIFETIME = timedelta(days=397)
# A client whose clock is a little slow must not find a certificate of the future.
CA_BACKDATE = timedelta(days=1)
LONGEST_BACKDATE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Signer:
    """A certificate of the authority with its private key."""

    key: SigningKey
    certificate: x509.Certificate


@dataclass(frozen=True, slots=True)
class Authority:
    """A root and the intermediate that issues. Opened with `open_authority`."""

    root: Signer
    intermediate: Signer

    @property
    def root_pem(self) -> bytes:
        """Give the bundle that verifies all of this authority, its TLS server too."""
        return self.root.certificate.public_bytes(Encoding.PEM)

    def issue(
        self,
        request: SigningRequest,
        identifiers: tuple[Identifier, ...],
        *,
        validity: timedelta,
        at: datetime,
        not_before: datetime | None = None,
        not_after: datetime | None = None,
        subject: Subject = NOBODY,
        extended_key_usages: tuple[str, ...] = (),
    ) -> x509.Certificate:
        """Issue a leaf for the identifiers.

        notBefore lies before `at` by a sixtieth of the validity, one minute at most (5 seconds for 5 minutes);
        notAfter is notBefore plus the validity, so that the lifetime is the profile's to the second, or the end of
        the intermediate if that comes first. What is given as `not_before` or `not_after` stands as it is.
        """
        backdate = timedelta(seconds=min(LONGEST_BACKDATE, validity / 60) // timedelta(seconds=1))
        start = not_before or at - backdate
        usages = extended_key_usages or SERVER_AND_CLIENT
        builder = _leaf(request.public_key, subject.name(request.common_name), identifiers, usages)
        return self._sign(builder, start, not_after or start + validity)

    def issue_server(self, key: SigningKey, hosts: tuple[str, ...], at: datetime) -> x509.Certificate:
        """Issue the certificate of the ACME server itself, for host names and addresses, from an hour ago."""
        identifiers = tuple(dict.fromkeys(_identifier(host) for host in hosts))
        start = at - timedelta(hours=1)
        return self._sign(
            _leaf(key.public_key(), x509.Name([]), identifiers, SERVER_AND_CLIENT), start, start + SERVER_LIFETIME
        )

    def chain(self, leaf: x509.Certificate) -> str:
        """Give leaf and intermediate in PEM, as RFC 8555 section 9.1 wants them."""
        certificates = (leaf, self.intermediate.certificate)
        return "".join(certificate.public_bytes(Encoding.PEM).decode("ascii") for certificate in certificates)

    def wrong_chain(self, leaf: x509.Certificate, at: datetime) -> str:
        """Give the leaf with an intermediate that did not issue it, as a misconfigured authority would."""
        other = _make_intermediate("ec-p256", _make_root("ec-p256", at), at)
        return "".join(part.public_bytes(Encoding.PEM).decode("ascii") for part in (leaf, other.certificate))

    def _sign(self, builder: x509.CertificateBuilder, start: datetime, end: datetime) -> x509.Certificate:
        issuer = self.intermediate.certificate
        builder = builder.add_extension(_issued_by(issuer), critical=False).issuer_name(issuer.subject)
        return _signed(builder, self.intermediate.key, start, min(end, issuer.not_valid_after_utc))


def serial_of(certificate: x509.Certificate) -> str:
    """Give the serial number in lower-case hexadecimal, without leading zeros."""
    return f"{certificate.serial_number:x}"


def spki_sha256(certificate: x509.Certificate) -> str:
    """Give the SHA-256 of the public key (SubjectPublicKeyInfo) in hexadecimal."""
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(key).hexdigest()


def open_authority(directory: Path | None, key_type: KeyType, at: datetime) -> Authority:
    """Load root and intermediate from the directory, or make what is missing; without a directory, in memory.

    Raises StateError when what is there cannot be used.
    """
    root = _load(directory, "root")
    if root is None:
        root = _make_root(key_type, at)
        _save(directory, "root", root)
    intermediate = _load(directory, "intermediate")
    if intermediate is None:
        intermediate = _make_intermediate(key_type, root, at)
        _save(directory, "intermediate", intermediate)
    try:
        intermediate.certificate.verify_directly_issued_by(root.certificate)
    except (ValueError, TypeError, InvalidSignature) as error:
        raise StateError(f"{directory}: the intermediate was not issued by the root") from error
    return Authority(root, intermediate)


def _load(directory: Path | None, name: str) -> Signer | None:
    if directory is None or not (directory / f"{name}.pem").exists():
        return None
    try:
        certificate = x509.load_pem_x509_certificate((directory / f"{name}.pem").read_bytes())
        key = load_pem_private_key((directory / f"{name}.key.pem").read_bytes(), password=None)
    except (OSError, ValueError) as error:
        raise StateError(f"{directory}: the {name} of the authority cannot be read: {error}") from error
    if not isinstance(key, SigningKey) or key.public_key() != certificate.public_key():
        raise StateError(f"{directory}: key and certificate of the {name} do not belong together")
    return Signer(key, certificate)


def _save(directory: Path | None, name: str, signer: Signer) -> None:
    if directory is None:
        return
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    # The certificate is written last: a start after a crash goes by it and never meets one without its key.
    write_whole(directory / f"{name}.key.pem", key_pem(signer.key))
    write_whole(directory / f"{name}.pem", signer.certificate.public_bytes(Encoding.PEM))


def key_pem(key: SigningKey) -> bytes:
    """Give the private key in PKCS #8 PEM."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def make_key(key_type: KeyType) -> SigningKey:
    """Make a private key."""
    if key_type.startswith("rsa-"):
        return rsa.generate_private_key(public_exponent=65537, key_size=int(key_type.removeprefix("rsa-")))
    return ec.generate_private_key(ec.SECP384R1() if key_type == "ec-p384" else ec.SECP256R1())


def _make_root(key_type: KeyType, at: datetime) -> Signer:
    key = make_key(key_type)
    name = _ca_name("root", key.public_key())
    builder = _ca(name, key.public_key(), path_length=None).issuer_name(name)
    start = at - CA_BACKDATE
    return Signer(key, _signed(builder, key, start, start + ROOT_LIFETIME))


def _make_intermediate(key_type: KeyType, root: Signer, at: datetime) -> Signer:
    key = make_key(key_type)
    issuer = root.certificate
    builder = (
        _ca(_ca_name("intermediate", key.public_key()), key.public_key(), path_length=0)
        .issuer_name(issuer.subject)
        .add_extension(_issued_by(issuer), critical=False)
        .add_extension(_purposes(SERVER_AND_CLIENT), critical=False)
        .add_extension(_domain_validated(), critical=False)
    )
    end = min(at + INTERMEDIATE_LIFETIME, issuer.not_valid_after_utc)
    return Signer(key, _signed(builder, root.key, at - CA_BACKDATE, end))


def _ca_name(role: str, key: PublicKey) -> x509.Name:
    # Part of the key's digest tells the authorities of two state directories apart.
    mark = x509.SubjectKeyIdentifier.from_public_key(key).digest.hex()[:6]
    names = ((NameOID.ORGANIZATION_NAME, "ca-sim"), (NameOID.COMMON_NAME, f"ca-sim {role} {mark}"))
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in names])


def _ca(name: x509.Name, key: PublicKey, path_length: int | None) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .public_key(key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(_key_usage(sign=False, encipher=False, ca=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _leaf(
    key: PublicKey, subject: x509.Name, identifiers: tuple[Identifier, ...], usages: tuple[str, ...]
) -> x509.CertificateBuilder:
    encipher = isinstance(key, rsa.RSAPublicKey)
    names = x509.SubjectAlternativeName([_general_name(identifier) for identifier in identifiers])
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(sign=True, encipher=encipher, ca=False), critical=True)
        .add_extension(_purposes(usages), critical=False)
        .add_extension(names, critical=not len(subject))  # RFC 5280 section 4.2.1.6: critical without a subject
        .add_extension(_domain_validated(), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _signed(builder: x509.CertificateBuilder, key: SigningKey, start: datetime, end: datetime) -> x509.Certificate:
    dated = builder.not_valid_before(start).not_valid_after(end)
    return dated.serial_number(x509.random_serial_number()).sign(key, hashes.SHA256())


def _issued_by(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    identifier = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)


def _purposes(usages: tuple[str, ...]) -> x509.ExtendedKeyUsage:
    return x509.ExtendedKeyUsage([ObjectIdentifier(usage) for usage in usages])


def _domain_validated() -> x509.CertificatePolicies:
    return x509.CertificatePolicies([x509.PolicyInformation(DOMAIN_VALIDATED, None)])


def _key_usage(*, sign: bool, encipher: bool, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=sign,
        content_commitment=False,
        key_encipherment=encipher,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )


def _identifier(host: str) -> Identifier:
    try:
        return Identifier("ip", str(ipaddress.ip_address(host)))
    except ValueError:
        return Identifier("dns", host)


def _general_name(identifier: Identifier) -> x509.GeneralName:
    if identifier.type == "ip":
        return x509.IPAddress(ipaddress.ip_address(identifier.value))
    return x509.DNSName(identifier.value)
