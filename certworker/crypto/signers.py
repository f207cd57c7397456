"""Keys that sign certificates and requests from elsewhere: the library's own builders ask them, and a token answers."""

from typing import Any, Final, NoReturn

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

from certworker.crypto.keys import PrivateKey, signing_hash
from certworker.crypto.usable import UsableKey

Octets = bytes | bytearray | memoryview
_ELSEWHERE: Final = "this key lies elsewhere, and signs there; it has no numbers here"


def signer_of(public_key: bytes, usable: UsableKey) -> PrivateKey:
    """Make a private key that has its public half here (DER SubjectPublicKeyInfo), and signs wherever `usable` does."""
    public = serialization.load_der_public_key(public_key)
    if isinstance(public, rsa.RSAPublicKey):
        return RsaSigner(public, usable)
    if isinstance(public, ec.EllipticCurvePublicKey):
        return EcSigner(public, usable)
    raise ValueError(f"a key of the kind {type(public).__name__} is not for certificates")


def sign_data(key: PrivateKey, data: bytes) -> bytes:
    """Sign as certificates are signed: PKCS#1 v1.5 or DER of ECDSA, with the hash that belongs to the key."""
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(data, padding.PKCS1v15(), signing_hash(key))
    return key.sign(data, ec.ECDSA(signing_hash(key)))


class RsaSigner(rsa.RSAPrivateKey):
    """An RSA key that signs elsewhere, with PKCS#1 v1.5, as certificates and requests are signed here."""

    def __init__(self, public: rsa.RSAPublicKey, usable: UsableKey) -> None:
        self._public = public
        self._usable = usable

    @property
    def key_size(self) -> int:
        """The size of the modulus in bits."""
        return self._public.key_size

    def public_key(self) -> rsa.RSAPublicKey:
        """Give the public half."""
        return self._public

    def sign(
        self,
        data: bytes,
        padding: padding.AsymmetricPadding,
        algorithm: utils.Prehashed | hashes.HashAlgorithm | utils.NoDigestInfo,
    ) -> bytes:
        """Sign what is hashed here. Raises BadParameter, Unavailable."""
        if not isinstance(algorithm, hashes.HashAlgorithm) or padding.name != "EMSA-PKCS1-v1_5":
            raise ValueError("a key that lies elsewhere signs what is hashed here, with PKCS#1 v1.5")
        return self._usable.sign(f"RS{algorithm.digest_size * 8}", _digest(data, algorithm))

    def decrypt(self, ciphertext: bytes, padding: padding.AsymmetricPadding) -> bytes:
        """Refuse."""
        _refuse(ciphertext, padding)

    def private_numbers(self) -> rsa.RSAPrivateNumbers:
        """Refuse."""
        _refuse()

    def private_bytes(self, *form: Any, **more: Any) -> bytes:  # noqa: ANN401
        """Refuse."""
        _refuse(form, more)

    def __copy__(self) -> "RsaSigner":
        """Give itself: it cannot change."""
        return self

    def __deepcopy__(self, memo: dict[Any, Any]) -> "RsaSigner":
        """Give itself: it cannot change."""
        return self


class EcSigner(ec.EllipticCurvePrivateKey):
    """An EC key that signs elsewhere."""

    def __init__(self, public: ec.EllipticCurvePublicKey, usable: UsableKey) -> None:
        self._public = public
        self._usable = usable

    @property
    def curve(self) -> ec.EllipticCurve:
        """The curve."""
        return self._public.curve

    @property
    def key_size(self) -> int:
        """The size of the curve in bits."""
        return self._public.curve.key_size

    def public_key(self) -> ec.EllipticCurvePublicKey:
        """Give the public half."""
        return self._public

    def sign(self, data: Octets, signature_algorithm: ec.EllipticCurveSignatureAlgorithm) -> bytes:
        """Sign what is hashed here with the hash that belongs to the curve; gives DER. Raises BadParameter, Unavailable."""
        algorithm = signature_algorithm.algorithm
        if not isinstance(algorithm, hashes.HashAlgorithm):
            raise ValueError("a key that lies elsewhere signs what is hashed here")  # noqa: TRY004
        name = "ES256K" if self.curve.name == "secp256k1" else f"ES{algorithm.digest_size * 8}"
        signature = self._usable.sign(name, _digest(data, algorithm))
        half = len(signature) // 2
        r, s = (int.from_bytes(part, "big") for part in (signature[:half], signature[half:]))
        return utils.encode_dss_signature(r, s)

    def exchange(self, algorithm: ec.ECDH, peer_public_key: ec.EllipticCurvePublicKey) -> bytes:
        """Refuse."""
        _refuse(algorithm, peer_public_key)

    def private_numbers(self) -> ec.EllipticCurvePrivateNumbers:
        """Refuse."""
        _refuse()

    def private_bytes(self, *form: Any, **more: Any) -> bytes:  # noqa: ANN401
        """Refuse."""
        _refuse(form, more)

    def __copy__(self) -> "EcSigner":
        """Give itself: it cannot change."""
        return self

    def __deepcopy__(self, memo: dict[Any, Any]) -> "EcSigner":
        """Give itself: it cannot change."""
        return self


def _digest(data: Octets, algorithm: hashes.HashAlgorithm) -> bytes:
    hasher = hashes.Hash(algorithm)
    hasher.update(data)
    return hasher.finalize()


def _refuse(*_: object) -> NoReturn:
    raise TypeError(_ELSEWHERE)
