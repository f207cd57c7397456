"""The two forms of a certificate's secret, each made from the other: PKCS#12 with an empty password, and PEM."""

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import Encoding, pkcs12

from certworker.crypto.bundles import pem_bundle, pkcs12_bundle
from certworker.crypto.keys import PrivateKey, private_der
from certworker.errors import BadParameter


def pkcs12_to_pem(content: bytes) -> bytes:
    """Show PKCS#12 as PEM: the private key, if there is one, then the leaf and its chain. Raises BadParameter."""
    try:
        key, leaf, others = pkcs12.load_key_and_certificates(content, b"")
    except ValueError as error:
        raise BadParameter(f"This is no PKCS#12 with an empty password: {error}.") from error
    found = [certificate for certificate in (leaf, *others) if certificate]
    if not found:
        raise BadParameter("This PKCS#12 has no certificate in it.")
    first, *rest = (certificate.public_bytes(Encoding.DER) for certificate in found)
    return pem_bundle(_der(key), first, rest)


def pem_to_pkcs12(content: bytes) -> bytes:
    """Show PEM, with its private key if there is one, the leaf before its chain, as PKCS#12. Raises BadParameter."""
    try:
        leaf, *others = x509.load_pem_x509_certificates(content)
        key = serialization.load_pem_private_key(content, None) if b"PRIVATE KEY-----" in content else None
    except (ValueError, TypeError) as error:
        raise BadParameter(f"This PEM cannot be read: {error}.") from error
    return pkcs12_bundle(_der(key), leaf.public_bytes(Encoding.DER), [other.public_bytes(Encoding.DER) for other in others])


def _der(key: object) -> bytes | None:
    if key is None:
        return None
    if not isinstance(key, PrivateKey):
        raise BadParameter("Its key is neither RSA nor EC.")
    return private_der(key)
