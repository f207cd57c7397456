"""RSA, EC and oct keys in the algorithms of JWA (RFC 7518) that Key Vault has, wherever their secret halves are.

The rules stand in one place: what a secret half does, in this process or in a token, is asked for in one way.
"""

import hmac
import os
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, Protocol, cast

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from cryptography.hazmat.primitives.padding import PKCS7

from certworker.crypto.keys import CURVES
from certworker.crypto.usable import (
    AES_ENCRYPTION,
    HMACS,
    KEY_WRAP,
    PADDED_KEY_WRAP,
    RSA_ENCRYPTION,
    RSA_SIGNATURES,
    Encrypted,
    UsableKey,
    check_size,
    check_unused,
    unfit,
    wrong_length,
)
from certworker.errors import BadParameter

DIGESTS: Final[Mapping[str, Callable[[], hashes.HashAlgorithm]]] = MappingProxyType(
    {"256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512}
)
EC_ALGORITHMS: Final = MappingProxyType({"ES256": "P-256", "ES384": "P-384", "ES512": "P-521", "ES256K": "P-256K"})
"""Each belongs to one curve, as RFC 7518 and RFC 8812 name them."""
AES_BLOCK: Final = 16
GCM_IV: Final = 12
GCM_TAG: Final = 16
MOST_WRAPPED: Final = 16 * 1024
"""So many bytes does an AES key wrap: keys are small, and every block of them is encrypted six times."""
UNDECRYPTABLE: Final = (
    "Unable to decrypt specified value with this key: it was altered, or is not for this key, algorithm, iv, aad or tag."
)
"""It says the same whatever is wrong: differing words would be an oracle."""
_RSA_OVERHEAD: Final = MappingProxyType({"RSA1_5": 11, "RSA-OAEP": 42, "RSA-OAEP-256": 66})
"""So many bytes fewer than its modulus has does an RSA key encrypt (RFC 8017 sections 7.1.1 and 7.2.1)."""
_RSNULL_OVERHEAD: Final = 11
_OAEP_HASHES: Final = MappingProxyType({"RSA-OAEP": hashes.SHA1, "RSA-OAEP-256": hashes.SHA256})


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

    def wrap_padded(self, secret: bytes) -> bytes:
        """Wrap (RFC 5649)."""

    def unwrap_padded(self, wrapped: bytes) -> bytes:
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


def usable_elsewhere(public_key: bytes, secret: RsaSecret | EcSecret) -> UsableKey:
    """Put the public half of a key (DER SubjectPublicKeyInfo), used here, together with its secret half, used elsewhere."""
    key = serialization.load_der_public_key(public_key)
    if isinstance(key, rsa.RSAPublicKey):
        return RsaKey(key, cast("RsaSecret", secret))
    return EcKey(cast("ec.EllipticCurvePublicKey", key), secret)


class RsaKey:
    """An RSA key: RSA1_5, RSA-OAEP, RSA-OAEP-256; RS256 to RS512, PS256 to PS512, RSNULL."""

    def __init__(self, public: rsa.RSAPublicKey, secret: RsaSecret) -> None:
        self._public = public
        self._secret = secret
        self._size = public.key_size // 8

    def encrypt(self, algorithm: str, plaintext: bytes, iv: bytes | None = None, aad: bytes | None = None) -> Encrypted:
        """Encrypt. Raises BadParameter where the plaintext is too long for the key."""
        self._check_encryption(algorithm, iv=iv, aad=aad)
        most = self._size - _RSA_OVERHEAD[algorithm]
        if len(plaintext) > most:
            raise wrong_length("value", plaintext, f"{algorithm} takes at most {most} bytes with this key")
        return Encrypted(self._public.encrypt(plaintext, rsa_encryption(algorithm)))

    def decrypt(
        self, algorithm: str, ciphertext: bytes, iv: bytes | None = None, aad: bytes | None = None, tag: bytes | None = None
    ) -> bytes:
        """Decrypt."""
        self._check_encryption(algorithm, iv=iv, aad=aad, tag=tag)
        if len(ciphertext) != self._size:
            raise BadParameter(UNDECRYPTABLE, "value")
        return self._secret.decrypt(algorithm, ciphertext)

    def sign(self, algorithm: str, digest: bytes) -> bytes:
        """Sign a digest."""
        self._check_digest(algorithm, digest, "value")
        return self._secret.sign(algorithm, digest)

    def verify(self, algorithm: str, digest: bytes, signature: bytes) -> bool:
        """Verify a signature."""
        self._check_digest(algorithm, digest, "digest")
        pad = rsa_padding(algorithm)
        try:
            if algorithm == "RSNULL":
                return self._public.recover_data_from_signature(signature, pad, None) == digest
            self._public.verify(signature, digest, pad, utils.Prehashed(DIGESTS[algorithm[2:]]()))
        except InvalidSignature:
            return False
        return True

    def _check_encryption(self, algorithm: str, **unused: bytes | None) -> None:
        if algorithm not in RSA_ENCRYPTION:
            raise unfit(algorithm, "an RSA key", RSA_ENCRYPTION)
        check_unused(algorithm, **unused)

    def _check_digest(self, algorithm: str, digest: bytes, field: str) -> None:
        if algorithm not in RSA_SIGNATURES:
            raise unfit(algorithm, "an RSA key", RSA_SIGNATURES)
        if algorithm != "RSNULL":
            _check_digest(algorithm, digest, field)
            return
        most = self._size - _RSNULL_OVERHEAD
        if not 0 < len(digest) <= most:
            raise wrong_length(field, digest, f"RSNULL takes 1 to {most} bytes with this key")


class EcKey:
    """An EC key: the one signature algorithm of its curve."""

    def __init__(self, public: ec.EllipticCurvePublicKey, secret: EcSecret) -> None:
        self._public = public
        self._secret = secret
        self._size = (public.curve.key_size + 7) // 8
        self._curve = next(name for name, curve in CURVES.items() if curve.name == public.curve.name)

    def encrypt(self, algorithm: str, *_: bytes | None, **__: bytes | None) -> Encrypted:
        """Refuse."""
        raise unfit(algorithm, "an EC key", ())

    def decrypt(self, algorithm: str, *_: bytes | None, **__: bytes | None) -> bytes:
        """Refuse."""
        raise unfit(algorithm, "an EC key", ())

    def sign(self, algorithm: str, digest: bytes) -> bytes:
        """Sign a digest; gives r and s, each as long as the curve's order."""
        self._check_digest(algorithm, digest, "value")
        return self._secret.sign(algorithm, digest)

    def verify(self, algorithm: str, digest: bytes, signature: bytes) -> bool:
        """Verify r and s."""
        self._check_digest(algorithm, digest, "digest")
        if len(signature) != 2 * self._size:
            return False
        r, s = (int.from_bytes(part, "big") for part in (signature[: self._size], signature[self._size :]))
        ecdsa = ec.ECDSA(utils.Prehashed(DIGESTS[algorithm[2:5]]()))
        try:
            self._public.verify(utils.encode_dss_signature(r, s), digest, ecdsa)
        except InvalidSignature:
            return False
        return True

    def _check_digest(self, algorithm: str, digest: bytes, field: str) -> None:
        if EC_ALGORITHMS.get(algorithm) != self._curve:
            right = (name for name, curve in EC_ALGORITHMS.items() if curve == self._curve)
            raise unfit(algorithm, f"an EC key on {self._curve}", right)
        _check_digest(algorithm, digest, field)


class OctKey:
    """An AES or HMAC key: A*GCM, A*CBC, A*CBCPAD and A*KW of its size; CKM_AES_KEY_WRAP(_PAD); HS256 to HS512."""

    def __init__(self, secret: OctSecret) -> None:
        self._secret = secret

    @property
    def size(self) -> int:
        """The key's size in bits."""
        return self._secret.size

    def encrypt(self, algorithm: str, plaintext: bytes, iv: bytes | None = None, aad: bytes | None = None) -> Encrypted:
        """Encrypt, or wrap a key. GCM makes its own IV, and takes none: one that came twice would give the key away."""
        match self._mode(algorithm):
            case "KW" | "KWP" as mode:
                check_unused(algorithm, iv=iv, aad=aad)
                return Encrypted(self._wrap(algorithm, plaintext, padded=mode == "KWP"))
            case "GCM":
                check_unused(algorithm, iv=iv)
                fresh = os.urandom(GCM_IV)
                sealed = self._secret.gcm_encrypt(fresh, plaintext, aad)
                return Encrypted(sealed[:-GCM_TAG], fresh, sealed[-GCM_TAG:])
            case mode:
                check_unused(algorithm, aad=aad)
                return Encrypted(self._cbc_encrypt(algorithm, plaintext, iv, padded=mode == "CBCPAD"), iv)

    def decrypt(
        self, algorithm: str, ciphertext: bytes, iv: bytes | None = None, aad: bytes | None = None, tag: bytes | None = None
    ) -> bytes:
        """Decrypt, or unwrap a key."""
        match self._mode(algorithm):
            case "KW" | "KWP" as mode:
                check_unused(algorithm, iv=iv, aad=aad, tag=tag)
                return self._unwrap(ciphertext, padded=mode == "KWP")
            case "GCM":
                nonce = check_size(algorithm, "iv", iv, GCM_IV)
                return self._secret.gcm_decrypt(nonce, ciphertext + check_size(algorithm, "tag", tag, GCM_TAG), aad)
            case mode:
                check_unused(algorithm, aad=aad, tag=tag)
                return self._cbc_decrypt(algorithm, ciphertext, iv, padded=mode == "CBCPAD")

    def sign(self, algorithm: str, digest: bytes) -> bytes:
        """Make the HMAC (RFC 7518 section 3.2) of what is given."""
        if algorithm not in HMACS:
            raise unfit(algorithm, "an oct key", HMACS)
        return self._secret.hmac(algorithm, digest)

    def verify(self, algorithm: str, digest: bytes, signature: bytes) -> bool:
        """Compare the HMAC in constant time."""
        return hmac.compare_digest(self.sign(algorithm, digest), signature)

    def _mode(self, algorithm: str) -> str:
        """Tell KW, KWP, GCM, CBC or CBCPAD."""
        if algorithm in PADDED_KEY_WRAP:
            return "KWP"
        mine = f"A{self._secret.size}", "CKM"
        known = AES_ENCRYPTION | KEY_WRAP
        if algorithm not in known or not algorithm.startswith(mine):
            right = (name for name in known | PADDED_KEY_WRAP if name.startswith(mine))
            raise unfit(algorithm, f"an oct key of {self._secret.size} bits", right)
        return "KW" if algorithm in KEY_WRAP else algorithm[4:]

    def _wrap(self, algorithm: str, secret: bytes, *, padded: bool) -> bytes:
        least, step, source = (1, 1, "RFC 5649") if padded else (AES_BLOCK, 8, "RFC 3394")
        if not least <= len(secret) <= MOST_WRAPPED or len(secret) % step:
            rule = f"{algorithm} wraps {least} to {MOST_WRAPPED} bytes, a multiple of {step} ({source})"
            raise wrong_length("value", secret, rule)
        return self._secret.wrap_padded(secret) if padded else self._secret.wrap(secret)

    def _unwrap(self, wrapped: bytes, *, padded: bool) -> bytes:
        least = AES_BLOCK if padded else AES_BLOCK + 8
        if not least <= len(wrapped) <= MOST_WRAPPED + AES_BLOCK or len(wrapped) % 8:
            raise BadParameter(UNDECRYPTABLE, "value")
        return self._secret.unwrap_padded(wrapped) if padded else self._secret.unwrap(wrapped)

    def _cbc_encrypt(self, algorithm: str, plaintext: bytes, iv: bytes | None, *, padded: bool) -> bytes:
        first = check_size(algorithm, "iv", iv, AES_BLOCK)
        if padded:
            padder = PKCS7(AES_BLOCK * 8).padder()
            plaintext = padder.update(plaintext) + padder.finalize()
        if len(plaintext) % AES_BLOCK:
            raise wrong_length("value", plaintext, f"{algorithm} takes a multiple of {AES_BLOCK} bytes")
        return self._secret.cbc_encrypt(first, plaintext)

    def _cbc_decrypt(self, algorithm: str, ciphertext: bytes, iv: bytes | None, *, padded: bool) -> bytes:
        first = check_size(algorithm, "iv", iv, AES_BLOCK)
        if len(ciphertext) % AES_BLOCK:
            raise BadParameter(UNDECRYPTABLE, "value")
        plaintext = self._secret.cbc_decrypt(first, ciphertext)
        if not padded:
            return plaintext
        unpadder = PKCS7(AES_BLOCK * 8).unpadder()
        try:
            return unpadder.update(plaintext) + unpadder.finalize()
        except ValueError:
            raise BadParameter(UNDECRYPTABLE, "value") from None


def rsa_encryption(algorithm: str) -> padding.AsymmetricPadding:
    """Choose the padding of an encryption."""
    if algorithm == "RSA1_5":
        return padding.PKCS1v15()
    hashed = _OAEP_HASHES[algorithm]
    return padding.OAEP(padding.MGF1(hashed()), hashed(), None)


def rsa_padding(algorithm: str) -> padding.AsymmetricPadding:
    """Choose the padding of a signature. PSS has a salt as long as the digest (RFC 7518 section 3.5)."""
    if algorithm.startswith("RS"):
        return padding.PKCS1v15()
    hashed = DIGESTS[algorithm[2:]]()
    return padding.PSS(padding.MGF1(hashed), hashed.digest_size)


def _check_digest(algorithm: str, digest: bytes, field: str) -> None:
    size = DIGESTS[algorithm[2:5]]().digest_size
    if len(digest) != size:
        raise wrong_length(field, digest, f"{algorithm} requires {size} bytes")
