"""Proof that who asks for a certificate has its key.

By the account's policy it is one of two. Either `public_key` is a CSR, of which only the key and the signature count; or it is
a public key, and `public_key_signature` is the base64 of a signature that the private key made over the DER
SubjectPublicKeyInfo: PKCS#1 v1.5 for RSA, DER for ECDSA, with SHA-256, SHA-384 or SHA-512.
"""

from base64 import b64decode

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from ca_sim.acme.jose import PublicKey, rsa_flaw
from ca_sim.csr import CURVES
from ca_sim.globalsign.errors import UnprocessableError
from ca_sim.globalsign.policy import ValidationPolicy

_HASHES = (hashes.SHA256, hashes.SHA384, hashes.SHA512)


def proven_key(policy: ValidationPolicy, public_key: str, signature: str | None) -> PublicKey:
    """Give the key of a request once its possession is proven. Raises UnprocessableError."""
    key = _key_of_csr(public_key) if policy.wants_csr else read_public_key(public_key)
    policy.check_key(key)
    if not policy.wants_signature:
        if signature is not None:
            raise UnprocessableError("public_key_signature: it is FORBIDDEN by the validation policy")
    elif not _is_signed(key, signature):
        raise UnprocessableError("public_key_signature: it is not a signature of the public key by its private key")
    return key


def read_public_key(pem: str) -> PublicKey:
    """Read a PEM public key. Raises UnprocessableError."""
    try:
        return _fitting(load_pem_public_key(pem.encode()))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UnprocessableError("public_key: it is not a PEM public key") from error


def _key_of_csr(pem: str) -> PublicKey:
    try:
        csr = x509.load_pem_x509_csr(pem.encode())
        key, valid = _fitting(csr.public_key()), csr.is_signature_valid
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion) as error:
        raise UnprocessableError(
            "public_key: it is not a PEM certificate request, which the validation policy wants"
        ) from error
    if not valid:
        raise UnprocessableError("public_key: the signature of the certificate request does not verify")
    return key


def _fitting(key: object) -> PublicKey:
    if isinstance(key, rsa.RSAPublicKey):
        if flaw := rsa_flaw(key.public_numbers().n, key.public_numbers().e):
            raise UnprocessableError(f"public_key: {flaw}")
        return key
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, CURVES):
        return key
    raise UnprocessableError("public_key: only RSA keys, and those of P-256, P-384 and P-521, are taken")


def _is_signed(key: PublicKey, signature: str | None) -> bool:
    try:
        octets = b64decode(signature or "", validate=True)
    except ValueError:
        return False
    data = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return any(_verifies(key, octets, data, algorithm()) for algorithm in _HASHES)


def _verifies(key: PublicKey, signature: bytes, data: bytes, algorithm: hashes.HashAlgorithm) -> bool:
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, data, padding.PKCS1v15(), algorithm)
        else:
            key.verify(signature, data, ec.ECDSA(algorithm))
    except InvalidSignature:
        return False
    return True
