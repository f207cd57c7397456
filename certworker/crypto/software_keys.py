"""The secret halves of RSA, EC and oct keys in this process."""

import hmac

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec, rsa, utils
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import (
    InvalidUnwrap,
    aes_key_unwrap,
    aes_key_unwrap_with_padding,
    aes_key_wrap,
    aes_key_wrap_with_padding,
)

from certworker.crypto.keys import load_private
from certworker.crypto.usable import UsableKey
from certworker.crypto.usable_keys import DIGESTS, UNDECRYPTABLE, EcKey, OctKey, RsaKey, rsa_encryption, rsa_padding
from certworker.errors import BadParameter


def load_usable(kty: str, private: bytes) -> UsableKey:
    """Load a key for use: `kty` RSA or EC and a DER PKCS#8, or `kty` oct and its octets."""
    if kty == "oct":
        return OctKey(SoftwareOct(private))
    key = load_private(private)
    if isinstance(key, rsa.RSAPrivateKey):
        return RsaKey(key.public_key(), SoftwareRsa(key))
    return EcKey(key.public_key(), SoftwareEc(key))


class SoftwareRsa:
    """A private RSA key in this process."""

    def __init__(self, key: rsa.RSAPrivateKey) -> None:
        self._key = key

    def decrypt(self, algorithm: str, ciphertext: bytes) -> bytes:
        """Decrypt. With RSA1_5 what is padded wrongly gives random bytes, always the same: an error would be an oracle."""
        try:
            return self._key.decrypt(ciphertext, rsa_encryption(algorithm))
        except ValueError:
            raise BadParameter(UNDECRYPTABLE, "value") from None

    def sign(self, algorithm: str, digest: bytes) -> bytes:
        """Sign a digest."""
        hashed = utils.NoDigestInfo() if algorithm == "RSNULL" else utils.Prehashed(DIGESTS[algorithm[2:]]())
        return self._key.sign(digest, rsa_padding(algorithm), hashed)


class SoftwareEc:
    """A private EC key in this process."""

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._key = key
        self._size = (key.curve.key_size + 7) // 8

    def sign(self, algorithm: str, digest: bytes) -> bytes:
        """Sign a digest; gives r and s, each as long as the curve's order."""
        r, s = utils.decode_dss_signature(self._key.sign(digest, ec.ECDSA(utils.Prehashed(DIGESTS[algorithm[2:5]]()))))
        return r.to_bytes(self._size, "big") + s.to_bytes(self._size, "big")


class SoftwareOct:
    """The octets of an `oct` key in this process."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    @property
    def size(self) -> int:
        """The key's size in bits."""
        return len(self._key) * 8

    def wrap(self, secret: bytes) -> bytes:
        """Wrap (RFC 3394)."""
        return aes_key_wrap(self._key, secret)

    def unwrap(self, wrapped: bytes) -> bytes:
        """Unwrap."""
        try:
            return aes_key_unwrap(self._key, wrapped)
        except InvalidUnwrap:
            raise BadParameter(UNDECRYPTABLE, "value") from None

    def wrap_padded(self, secret: bytes) -> bytes:
        """Wrap (RFC 5649)."""
        return aes_key_wrap_with_padding(self._key, secret)

    def unwrap_padded(self, wrapped: bytes) -> bytes:
        """Unwrap."""
        try:
            return aes_key_unwrap_with_padding(self._key, wrapped)
        except InvalidUnwrap:
            raise BadParameter(UNDECRYPTABLE, "value") from None

    def gcm_encrypt(self, iv: bytes, plaintext: bytes, aad: bytes | None) -> bytes:
        """Encrypt; the tag is at the end."""
        return AESGCM(self._key).encrypt(iv, plaintext, aad)

    def gcm_decrypt(self, iv: bytes, sealed: bytes, aad: bytes | None) -> bytes:
        """Decrypt what has its tag at the end."""
        try:
            return AESGCM(self._key).decrypt(iv, sealed, aad)
        except InvalidTag:
            raise BadParameter(UNDECRYPTABLE, "value") from None

    def cbc_encrypt(self, iv: bytes, plaintext: bytes) -> bytes:
        """Encrypt whole blocks."""
        encryptor = Cipher(algorithms.AES(self._key), modes.CBC(iv)).encryptor()
        return encryptor.update(plaintext) + encryptor.finalize()

    def cbc_decrypt(self, iv: bytes, ciphertext: bytes) -> bytes:
        """Decrypt whole blocks."""
        decryptor = Cipher(algorithms.AES(self._key), modes.CBC(iv)).decryptor()
        return decryptor.update(ciphertext) + decryptor.finalize()

    def hmac(self, algorithm: str, text: bytes) -> bytes:
        """Make the HMAC of a text."""
        return hmac.digest(self._key, text, f"sha{algorithm[2:]}")
