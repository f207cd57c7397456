"""How a released key travels: under a fresh AES key, which travels under the RSA key of whoever is to have it.

That is PKCS#11's CKM_RSA_AES_KEY_WRAP: the AES-256 key by RSA-OAEP, and right behind it the key by AES-KWP (RFC 5649).
"""

import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, SHA384, HashAlgorithm
from cryptography.hazmat.primitives.keywrap import aes_key_wrap_with_padding

DEFAULT: Final = "CKM_RSA_AES_KEY_WRAP"
WRAPPINGS: Final[Mapping[str, type[HashAlgorithm]]] = MappingProxyType(
    {DEFAULT: SHA1, "RSA_AES_KEY_WRAP_256": SHA256, "RSA_AES_KEY_WRAP_384": SHA384}
)
"""Key Vault's words, and the digest of each one's OAEP."""
_AES_BYTES: Final = 32


def wrap_for_release(wrapping: str, target: rsa.RSAPublicKey, key: bytes) -> bytes:
    """Wrap a key for a target."""
    digest = WRAPPINGS[wrapping]()
    aes = os.urandom(_AES_BYTES)
    wrapped_aes = target.encrypt(aes, padding.OAEP(padding.MGF1(digest), digest, label=None))
    return wrapped_aes + aes_key_wrap_with_padding(aes, key)
