"""Keys that are used in this process: RSA, EC and oct, in the algorithms of JWA (RFC 7518) that Key Vault has."""

import hmac
import os
from collections.abc import Callable, Container, Mapping
from types import MappingProxyType
from typing import Final

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap
from cryptography.hazmat.primitives.padding import PKCS7

from certworker.crypto.keys import load_private
from certworker.crypto.usable import Encrypted, UsableKey
from certworker.errors import BadParameter

DIGESTS: Final[Mapping[str, Callable[[], hashes.HashAlgorithm]]] = MappingProxyType(
    {"256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512}
)
EC_ALGORITHMS: Final = MappingProxyType(
    {"ES256": "secp256r1", "ES384": "secp384r1", "ES512": "secp521r1", "ES256K": "secp256k1"}
)
AES_BLOCK: Final = 16
GCM_IV: Final = 12
GCM_TAG: Final = 16
UNDECRYPTABLE: Final = "The value cannot be decrypted: it was altered, or is not for this key and algorithm."


def load_usable(kty: str, private: bytes) -> UsableKey:
    """Load a key for use: `kty` RSA or EC and a DER PKCS#8, or `kty` oct and its octets."""
    if kty == "oct":
        return OctKey(private)
    key = load_private(private)
    return RsaKey(key) if isinstance(key, rsa.RSAPrivateKey) else EcKey(key)


class RsaKey:
    """An RSA key: RSA1_5, RSA-OAEP, RSA-OAEP-256; RS256 to RS512, PS256 to PS512."""

    def __init__(self, key: rsa.RSAPrivateKey) -> None:
        self._key = key
        self._public = key.public_key()

    def encrypt(self, algorithm: str, plaintext: bytes, iv: bytes | None = None, aad: bytes | None = None) -> Encrypted:
        """Encrypt. Raises BadParameter where the plaintext is too long for the key."""
        pad = _rsa_encryption(algorithm, iv, aad)
        most = self._key.key_size // 8 - _OVERHEAD[algorithm]
        if len(plaintext) > most:
            raise BadParameter(
                f"The value has {len(plaintext)} bytes; {algorithm} with this key takes at most {most}.", "value"
            )
        return Encrypted(self._public.encrypt(plaintext, pad))

    def decrypt(
        self, algorithm: str, ciphertext: bytes, iv: bytes | None = None, aad: bytes | None = None, tag: bytes | None = None
    ) -> bytes:
        """Decrypt. With RSA1_5 the library gives random bytes for what is padded wrongly, so that nobody learns from it."""
        pad = _rsa_encryption(algorithm, iv, aad or tag)
        try:
            return self._key.decrypt(ciphertext, pad)
        except ValueError:
            raise BadParameter(UNDECRYPTABLE, "value") from None

    def sign(self, algorithm: str, digest: bytes) -> bytes:
        """Sign a digest."""
        hashed = _digest(algorithm, digest, _RSA_SIGNATURES)
        return self._key.sign(digest, _rsa_padding(algorithm), utils.Prehashed(hashed))

    def verify(self, algorithm: str, digest: bytes, signature: bytes) -> bool:
        """Verify a signature."""
        hashed = _digest(algorithm, digest, _RSA_SIGNATURES)
        try:
            self._public.verify(signature, digest, _rsa_padding(algorithm), utils.Prehashed(hashed))
        except InvalidSignature:
            return False
        return True


class EcKey:
    """An EC key: the one signature algorithm of its curve."""

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._key = key
        self._public = key.public_key()
        self._size = (key.curve.key_size + 7) // 8

    def encrypt(self, algorithm: str, *_: bytes | None, **__: bytes | None) -> Encrypted:
        """Refuse."""
        raise _unfit(algorithm, "an EC key")

    def decrypt(self, algorithm: str, *_: bytes | None, **__: bytes | None) -> bytes:
        """Refuse."""
        raise _unfit(algorithm, "an EC key")

    def sign(self, algorithm: str, digest: bytes) -> bytes:
        """Sign a digest; gives r and s, each as long as the curve's order."""
        r, s = utils.decode_dss_signature(self._key.sign(digest, self._ecdsa(algorithm, digest)))
        return r.to_bytes(self._size, "big") + s.to_bytes(self._size, "big")

    def verify(self, algorithm: str, digest: bytes, signature: bytes) -> bool:
        """Verify r and s."""
        ecdsa = self._ecdsa(algorithm, digest)
        if len(signature) != 2 * self._size:
            return False
        r, s = (int.from_bytes(part, "big") for part in (signature[: self._size], signature[self._size :]))
        try:
            self._public.verify(utils.encode_dss_signature(r, s), digest, ecdsa)
        except InvalidSignature:
            return False
        return True

    def _ecdsa(self, algorithm: str, digest: bytes) -> ec.ECDSA:
        if EC_ALGORITHMS.get(algorithm) != self._key.curve.name:
            raise _unfit(algorithm, "a key on this curve")
        return ec.ECDSA(utils.Prehashed(_digest(algorithm, digest, EC_ALGORITHMS)))


class OctKey:
    """An AES or HMAC key: A*KW, A*GCM, A*CBC, A*CBCPAD; HS256 to HS512."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def encrypt(self, algorithm: str, plaintext: bytes, iv: bytes | None = None, aad: bytes | None = None) -> Encrypted:
        """Encrypt, or wrap a key. GCM makes its own IV, and takes none: one that came twice would give the key away."""
        match self._mode(algorithm):
            case "KW":
                return Encrypted(_aes_wrap(self._key, plaintext))
            case "GCM":
                if iv is not None:
                    raise BadParameter(f"iv: {algorithm} makes its own, and gives it back; leave it out.", "iv")
                fresh = os.urandom(GCM_IV)
                sealed = AESGCM(self._key).encrypt(fresh, plaintext, aad)
                return Encrypted(sealed[:-GCM_TAG], fresh, sealed[-GCM_TAG:])
            case mode:
                return Encrypted(self._cbc_encrypt(algorithm, plaintext, iv, aad, padded=mode == "CBCPAD"), iv)

    def decrypt(
        self, algorithm: str, ciphertext: bytes, iv: bytes | None = None, aad: bytes | None = None, tag: bytes | None = None
    ) -> bytes:
        """Decrypt, or unwrap a key."""
        match self._mode(algorithm):
            case "KW":
                return _aes_unwrap(self._key, ciphertext)
            case "GCM":
                return self._gcm_decrypt(algorithm, ciphertext, iv, aad, tag)
            case mode:
                return self._cbc_decrypt(algorithm, ciphertext, iv, aad or tag, padded=mode == "CBCPAD")

    def sign(self, algorithm: str, digest: bytes) -> bytes:
        """Make the HMAC (RFC 7518 section 3.2) of what is given."""
        if algorithm not in _HMACS:
            raise _unfit(algorithm, "an oct key")
        return hmac.digest(self._key, digest, f"sha{algorithm[2:]}")

    def verify(self, algorithm: str, digest: bytes, signature: bytes) -> bool:
        """Compare the HMAC in constant time."""
        return hmac.compare_digest(self.sign(algorithm, digest), signature)

    def _mode(self, algorithm: str) -> str:
        size, mode = algorithm[1:4], algorithm[4:]
        if mode not in _AES_MODES or algorithm[:1] != "A" or not size.isdecimal() or int(size) != len(self._key) * 8:
            raise _unfit(algorithm, f"an oct key of {len(self._key) * 8} bits")
        return mode

    def _gcm_decrypt(self, algorithm: str, ciphertext: bytes, iv: bytes | None, aad: bytes | None, tag: bytes | None) -> bytes:
        if iv is None or len(iv) != GCM_IV:
            raise BadParameter(f"iv: {algorithm} takes {GCM_IV} bytes.", "iv")
        if tag is None or len(tag) != GCM_TAG:
            raise BadParameter(f"tag: {algorithm} takes {GCM_TAG} bytes.", "tag")
        try:
            return AESGCM(self._key).decrypt(iv, ciphertext + tag, aad)
        except InvalidTag:
            raise BadParameter(UNDECRYPTABLE, "value") from None

    def _cbc_encrypt(self, algorithm: str, plaintext: bytes, iv: bytes | None, aad: bytes | None, *, padded: bool) -> bytes:
        if padded:
            padder = PKCS7(AES_BLOCK * 8).padder()
            plaintext = padder.update(plaintext) + padder.finalize()
        encryptor = self._cbc(algorithm, plaintext, iv, aad).encryptor()
        return encryptor.update(plaintext) + encryptor.finalize()

    def _cbc_decrypt(self, algorithm: str, ciphertext: bytes, iv: bytes | None, aad: bytes | None, *, padded: bool) -> bytes:
        decryptor = self._cbc(algorithm, ciphertext, iv, aad).decryptor()
        plaintext = decryptor.update(ciphertext) + decryptor.finalize()
        if not padded:
            return plaintext
        unpadder = PKCS7(AES_BLOCK * 8).unpadder()
        try:
            return unpadder.update(plaintext) + unpadder.finalize()
        except ValueError:
            raise BadParameter(UNDECRYPTABLE, "value") from None

    def _cbc(self, algorithm: str, text: bytes, iv: bytes | None, aad: bytes | None) -> Cipher[modes.CBC]:
        if iv is None or len(iv) != AES_BLOCK:
            raise BadParameter(f"iv: {algorithm} takes {AES_BLOCK} bytes.", "iv")
        if aad:
            raise BadParameter(f"aad and tag are not for {algorithm}, which authenticates nothing.", "aad")
        if len(text) % AES_BLOCK:
            raise BadParameter(f"value: {algorithm} takes a multiple of {AES_BLOCK} bytes.", "value")
        return Cipher(algorithms.AES(self._key), modes.CBC(iv))


_AES_MODES: Final = frozenset({"KW", "GCM", "CBC", "CBCPAD"})
_HMACS: Final = frozenset({"HS256", "HS384", "HS512"})
_RSA_SIGNATURES: Final = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
_OVERHEAD: Final = MappingProxyType({"RSA1_5": 11, "RSA-OAEP": 42, "RSA-OAEP-256": 66})
_OAEP_HASHES: Final = MappingProxyType({"RSA-OAEP": hashes.SHA1, "RSA-OAEP-256": hashes.SHA256})


def _rsa_encryption(algorithm: str, *unused: bytes | None) -> padding.AsymmetricPadding:
    if any(given is not None for given in unused):
        raise BadParameter(f"iv, aad and tag are not for {algorithm}.", "iv")
    if algorithm == "RSA1_5":
        return padding.PKCS1v15()
    if algorithm not in _OAEP_HASHES:
        raise _unfit(algorithm, "an RSA key")
    hashed = _OAEP_HASHES[algorithm]
    return padding.OAEP(padding.MGF1(hashed()), hashed(), None)


def _rsa_padding(algorithm: str) -> padding.AsymmetricPadding:
    hashed = DIGESTS[algorithm[2:]]()
    return padding.PKCS1v15() if algorithm.startswith("RS") else padding.PSS(padding.MGF1(hashed), hashed.digest_size)


def _digest(algorithm: str, digest: bytes, known: Container[str]) -> hashes.HashAlgorithm:
    if algorithm not in known:
        raise _unfit(algorithm, "a key of this type")
    hashed = DIGESTS[algorithm[2:5]]()
    if len(digest) != hashed.digest_size:
        message = f"The value has {len(digest)} bytes; {algorithm} signs a digest of {hashed.digest_size} bytes."
        raise BadParameter(message, "value")
    return hashed


def _aes_wrap(key: bytes, secret: bytes) -> bytes:
    if len(secret) < AES_BLOCK or len(secret) % 8:
        raise BadParameter(f"value: A{len(key) * 8}KW wraps 16 bytes or more, in multiples of 8 (RFC 3394).", "value")
    return aes_key_wrap(key, secret)


def _aes_unwrap(key: bytes, wrapped: bytes) -> bytes:
    try:
        return aes_key_unwrap(key, wrapped)
    except (InvalidUnwrap, ValueError):
        raise BadParameter(UNDECRYPTABLE, "value") from None


def _unfit(algorithm: str, whose: str) -> BadParameter:
    return BadParameter(f"alg: {algorithm[:40]} is not an algorithm of {whose} for this operation.", "alg")
