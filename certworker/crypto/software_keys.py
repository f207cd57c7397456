"""RSA, EC and oct keys in the algorithms of JWA (RFC 7518) that Key Vault has, and their secret halves in this process.

The rules stand in one place: what a secret half does elsewhere (in a token) is asked for no other way.
"""

import hmac
import os
from collections.abc import Callable, Container, Mapping
from types import MappingProxyType
from typing import Final, Protocol, cast

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
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


class RsaSecret(Protocol):
    """What needs a private RSA key. The algorithm fits it, and a digest has its length."""

    def decrypt(self, algorithm: str, ciphertext: bytes) -> bytes:
        """Decrypt. Raises BadParameter."""

    def sign(self, algorithm: str, digest: bytes) -> bytes:
        """Sign a digest."""


class EcSecret(Protocol):
    """What needs a private EC key. The digest is of the curve's algorithm."""

    def sign(self, algorithm: str, digest: bytes) -> bytes:
        """Sign a digest; gives r and s, each as long as the curve's order."""


class OctSecret(Protocol):
    """What needs an `oct` key. IVs and tags have their lengths, texts are as long as the mode wants them."""

    @property
    def size(self) -> int:
        """The key's size in bits."""

    def wrap(self, secret: bytes) -> bytes:
        """Wrap (RFC 3394)."""

    def unwrap(self, wrapped: bytes) -> bytes:
        """Unwrap. Raises BadParameter."""

    def gcm_encrypt(self, iv: bytes, plaintext: bytes, aad: bytes | None) -> bytes:
        """Encrypt; the tag is at the end."""

    def gcm_decrypt(self, iv: bytes, sealed: bytes, aad: bytes | None) -> bytes:
        """Decrypt what has its tag at the end. Raises BadParameter."""

    def cbc_encrypt(self, iv: bytes, plaintext: bytes) -> bytes:
        """Encrypt whole blocks."""

    def cbc_decrypt(self, iv: bytes, ciphertext: bytes) -> bytes:
        """Decrypt whole blocks."""

    def hmac(self, algorithm: str, text: bytes) -> bytes:
        """Make the HMAC of a text."""


def load_usable(kty: str, private: bytes) -> UsableKey:
    """Load a key for use: `kty` RSA or EC and a DER PKCS#8, or `kty` oct and its octets."""
    if kty == "oct":
        return OctKey(SoftwareOct(private))
    key = load_private(private)
    if isinstance(key, rsa.RSAPrivateKey):
        return RsaKey(key.public_key(), SoftwareRsa(key))
    return EcKey(key.public_key(), SoftwareEc(key))


def usable_elsewhere(public_key: bytes, secret: RsaSecret | EcSecret) -> UsableKey:
    """Put the public half of a key (DER SubjectPublicKeyInfo), used here, together with its secret half, used elsewhere."""
    key = serialization.load_der_public_key(public_key)
    if isinstance(key, rsa.RSAPublicKey):
        return RsaKey(key, cast("RsaSecret", secret))
    return EcKey(cast("ec.EllipticCurvePublicKey", key), secret)


class RsaKey:
    """An RSA key: RSA1_5, RSA-OAEP, RSA-OAEP-256; RS256 to RS512, PS256 to PS512."""

    def __init__(self, public: rsa.RSAPublicKey, secret: RsaSecret) -> None:
        self._public = public
        self._secret = secret

    def encrypt(self, algorithm: str, plaintext: bytes, iv: bytes | None = None, aad: bytes | None = None) -> Encrypted:
        """Encrypt. Raises BadParameter where the plaintext is too long for the key."""
        pad = _rsa_encryption(algorithm, iv, aad)
        most = self._public.key_size // 8 - _OVERHEAD[algorithm]
        if len(plaintext) > most:
            raise BadParameter(
                f"The value has {len(plaintext)} bytes; {algorithm} with this key takes at most {most}.", "value"
            )
        return Encrypted(self._public.encrypt(plaintext, pad))

    def decrypt(
        self, algorithm: str, ciphertext: bytes, iv: bytes | None = None, aad: bytes | None = None, tag: bytes | None = None
    ) -> bytes:
        """Decrypt."""
        _rsa_encryption(algorithm, iv, aad or tag)
        return self._secret.decrypt(algorithm, ciphertext)

    def sign(self, algorithm: str, digest: bytes) -> bytes:
        """Sign a digest."""
        _digest(algorithm, digest, _RSA_SIGNATURES)
        return self._secret.sign(algorithm, digest)

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

    def __init__(self, public: ec.EllipticCurvePublicKey, secret: EcSecret) -> None:
        self._public = public
        self._secret = secret
        self._size = (public.curve.key_size + 7) // 8

    def encrypt(self, algorithm: str, *_: bytes | None, **__: bytes | None) -> Encrypted:
        """Refuse."""
        raise _unfit(algorithm, "an EC key")

    def decrypt(self, algorithm: str, *_: bytes | None, **__: bytes | None) -> bytes:
        """Refuse."""
        raise _unfit(algorithm, "an EC key")

    def sign(self, algorithm: str, digest: bytes) -> bytes:
        """Sign a digest; gives r and s, each as long as the curve's order."""
        self._ecdsa(algorithm, digest)
        return self._secret.sign(algorithm, digest)

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
        if EC_ALGORITHMS.get(algorithm) != self._public.curve.name:
            raise _unfit(algorithm, "a key on this curve")
        return ec.ECDSA(utils.Prehashed(_digest(algorithm, digest, EC_ALGORITHMS)))


class OctKey:
    """An AES or HMAC key: A*KW, A*GCM, A*CBC, A*CBCPAD; HS256 to HS512."""

    def __init__(self, secret: OctSecret) -> None:
        self._secret = secret

    def encrypt(self, algorithm: str, plaintext: bytes, iv: bytes | None = None, aad: bytes | None = None) -> Encrypted:
        """Encrypt, or wrap a key. GCM makes its own IV, and takes none: one that came twice would give the key away."""
        match self._mode(algorithm):
            case "KW":
                return Encrypted(self._wrap(plaintext))
            case "GCM":
                if iv is not None:
                    raise BadParameter(f"iv: {algorithm} makes its own, and gives it back; leave it out.", "iv")
                fresh = os.urandom(GCM_IV)
                sealed = self._secret.gcm_encrypt(fresh, plaintext, aad)
                return Encrypted(sealed[:-GCM_TAG], fresh, sealed[-GCM_TAG:])
            case mode:
                return Encrypted(self._cbc_encrypt(algorithm, plaintext, iv, aad, padded=mode == "CBCPAD"), iv)

    def decrypt(
        self, algorithm: str, ciphertext: bytes, iv: bytes | None = None, aad: bytes | None = None, tag: bytes | None = None
    ) -> bytes:
        """Decrypt, or unwrap a key."""
        match self._mode(algorithm):
            case "KW":
                return self._secret.unwrap(ciphertext)
            case "GCM":
                return self._gcm_decrypt(algorithm, ciphertext, iv, aad, tag)
            case mode:
                return self._cbc_decrypt(algorithm, ciphertext, iv, aad or tag, padded=mode == "CBCPAD")

    def sign(self, algorithm: str, digest: bytes) -> bytes:
        """Make the HMAC (RFC 7518 section 3.2) of what is given."""
        if algorithm not in _HMACS:
            raise _unfit(algorithm, "an oct key")
        return self._secret.hmac(algorithm, digest)

    def verify(self, algorithm: str, digest: bytes, signature: bytes) -> bool:
        """Compare the HMAC in constant time."""
        return hmac.compare_digest(self.sign(algorithm, digest), signature)

    def _mode(self, algorithm: str) -> str:
        size, mode = algorithm[1:4], algorithm[4:]
        if mode not in _AES_MODES or algorithm[:1] != "A" or not size.isdecimal() or int(size) != self._secret.size:
            raise _unfit(algorithm, f"an oct key of {self._secret.size} bits")
        return mode

    def _wrap(self, secret: bytes) -> bytes:
        if len(secret) < AES_BLOCK or len(secret) % 8:
            raise BadParameter(f"value: A{self._secret.size}KW wraps 16 bytes or more, in multiples of 8 (RFC 3394).", "value")
        return self._secret.wrap(secret)

    def _gcm_decrypt(self, algorithm: str, ciphertext: bytes, iv: bytes | None, aad: bytes | None, tag: bytes | None) -> bytes:
        if iv is None or len(iv) != GCM_IV:
            raise BadParameter(f"iv: {algorithm} takes {GCM_IV} bytes.", "iv")
        if tag is None or len(tag) != GCM_TAG:
            raise BadParameter(f"tag: {algorithm} takes {GCM_TAG} bytes.", "tag")
        return self._secret.gcm_decrypt(iv, ciphertext + tag, aad)

    def _cbc_encrypt(self, algorithm: str, plaintext: bytes, iv: bytes | None, aad: bytes | None, *, padded: bool) -> bytes:
        if padded:
            padder = PKCS7(AES_BLOCK * 8).padder()
            plaintext = padder.update(plaintext) + padder.finalize()
        return self._secret.cbc_encrypt(_cbc_iv(algorithm, plaintext, iv, aad), plaintext)

    def _cbc_decrypt(self, algorithm: str, ciphertext: bytes, iv: bytes | None, aad: bytes | None, *, padded: bool) -> bytes:
        plaintext = self._secret.cbc_decrypt(_cbc_iv(algorithm, ciphertext, iv, aad), ciphertext)
        if not padded:
            return plaintext
        unpadder = PKCS7(AES_BLOCK * 8).unpadder()
        try:
            return unpadder.update(plaintext) + unpadder.finalize()
        except ValueError:
            raise BadParameter(UNDECRYPTABLE, "value") from None


class SoftwareRsa:
    """A private RSA key in this process."""

    def __init__(self, key: rsa.RSAPrivateKey) -> None:
        self._key = key

    def decrypt(self, algorithm: str, ciphertext: bytes) -> bytes:
        """Decrypt. With RSA1_5 the library gives random bytes for what is padded wrongly, so that nobody learns from it."""
        try:
            return self._key.decrypt(ciphertext, _rsa_encryption(algorithm))
        except ValueError:
            raise BadParameter(UNDECRYPTABLE, "value") from None

    def sign(self, algorithm: str, digest: bytes) -> bytes:
        """Sign a digest."""
        return self._key.sign(digest, _rsa_padding(algorithm), utils.Prehashed(DIGESTS[algorithm[2:5]]()))


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
        except (InvalidUnwrap, ValueError):
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


def _cbc_iv(algorithm: str, text: bytes, iv: bytes | None, aad: bytes | None) -> bytes:
    if iv is None or len(iv) != AES_BLOCK:
        raise BadParameter(f"iv: {algorithm} takes {AES_BLOCK} bytes.", "iv")
    if aad:
        raise BadParameter(f"aad and tag are not for {algorithm}, which authenticates nothing.", "aad")
    if len(text) % AES_BLOCK:
        raise BadParameter(f"value: {algorithm} takes a multiple of {AES_BLOCK} bytes.", "value")
    return iv


def _unfit(algorithm: str, whose: str) -> BadParameter:
    return BadParameter(f"alg: {algorithm[:40]} is not an algorithm of {whose} for this operation.", "alg")
