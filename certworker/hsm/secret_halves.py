"""The secret halves of keys in a token: what needs the secret is done there. What the token cannot do is refused, in words."""

from collections.abc import Callable
from types import MappingProxyType
from typing import Any, Final, Protocol, TypeVar

from pkcs11 import GCMParams
from pkcs11.constants import Attribute, ObjectClass
from pkcs11.exceptions import PKCS11Error
from pkcs11.mechanisms import MGF, KeyType, Mechanism

from certworker.crypto.implicit_rejection import probe, reject, rejection_key
from certworker.crypto.key_numbers import digest_info
from certworker.crypto.oaep import remove_oaep
from certworker.crypto.usable_keys import UNDECRYPTABLE
from certworker.errors import BadParameter
from certworker.hsm.failures import INPUT_REFUSED, PARAMETER_REFUSED, UNCLEAR
from certworker.hsm.keys import find
from certworker.hsm.sessions import Key, TokenSession

GCM_TAG_BITS: Final = 128
_HASHES: Final = MappingProxyType(
    {
        "256": (Mechanism.SHA256, MGF.SHA256, 32),
        "384": (Mechanism.SHA384, MGF.SHA384, 48),
        "512": (Mechanism.SHA512, MGF.SHA512, 64),
    }
)
_OAEP: Final = MappingProxyType(
    {
        "RSA-OAEP": (Mechanism.SHA_1, MGF.SHA1, None, "sha1"),
        "RSA-OAEP-256": (Mechanism.SHA256, MGF.SHA256, None, "sha256"),
    }
)

T = TypeVar("T")


class Machine(Protocol):
    """What the halves ask of their token."""

    def run(self, work: Callable[[TokenSession], T]) -> T:
        """Do work in a session. Raises Unavailable, and errors of the token."""

    def require(self, mechanism: Mechanism, algorithm: str) -> None:
        """Raise BadParameter where the token lacks a mechanism."""


class _Half:
    """One key in a token."""

    def __init__(self, machine: Machine, cka_id: bytes, kind: ObjectClass) -> None:
        self._machine = machine
        self._cka_id = cka_id
        self._kind = kind

    def _work(self, mechanism: Mechanism, algorithm: str, work: Callable[[TokenSession, Key], T]) -> T:
        self._machine.require(mechanism, algorithm)
        try:
            return self._machine.run(lambda session: work(session, find(session, self._kind, self._cka_id)))
        except PKCS11Error as error:
            raise BadParameter(f"alg: the hardware token refuses {algorithm} ({type(error).__name__}).", "alg") from None

    def _open(self, mechanism: Mechanism, algorithm: str, work: Callable[[TokenSession, Key], T]) -> T:
        """Decrypt or unwrap: what the token says of a bad input and what it says when it is broken are told apart."""

        def opening(session: TokenSession, key: Key) -> T:
            try:
                return work(session, key)
            except INPUT_REFUSED:
                raise BadParameter(UNDECRYPTABLE, "value") from None
            except UNCLEAR:
                if session.works():
                    raise BadParameter(UNDECRYPTABLE, "value") from None
                raise

        return self._work(mechanism, algorithm, opening)


class TokenRsa(_Half):
    """A private RSA key of a size in bits in a token. With `raw_oaep` the token decrypts, and OAEP is taken off here."""

    def __init__(self, machine: Machine, cka_id: bytes, size: int, *, raw_oaep: bool) -> None:
        super().__init__(machine, cka_id, ObjectClass.PRIVATE_KEY)
        self._size = size // 8
        self._raw_oaep = raw_oaep
        self._rejection: bytes | None = None

    def decrypt(self, algorithm: str, ciphertext: bytes) -> bytes:
        """Decrypt. With RSA1_5 what is padded wrongly gives bytes, always the same, where the token does raw RSA as well."""
        if len(ciphertext) != self._size:
            raise BadParameter(UNDECRYPTABLE, "value")
        if algorithm == "RSA1_5":
            return self._decrypt_padded(ciphertext)
        *parameters, hash_name = _OAEP[algorithm]
        if self._raw_oaep:
            block = self._decrypt(algorithm, Mechanism.RSA_X_509, None, ciphertext)
            return remove_oaep(block.rjust(self._size, b"\0"), hash_name, UNDECRYPTABLE)
        return self._decrypt(algorithm, Mechanism.RSA_PKCS_OAEP, tuple(parameters), ciphertext)

    def sign(self, algorithm: str, digest: bytes) -> bytes:
        """Sign a digest."""
        size = algorithm[2:]
        if algorithm.startswith("PS"):
            pss = Mechanism.RSA_PKCS_PSS
            return self._work(pss, algorithm, lambda _, key: _sign(key, digest, pss, _HASHES[size]))
        data = digest if algorithm == "RSNULL" else digest_info(size, digest)
        return self._work(Mechanism.RSA_PKCS, algorithm, lambda _, key: _sign(key, data, Mechanism.RSA_PKCS, None))

    def _decrypt_padded(self, ciphertext: bytes) -> bytes:
        instead = self._answer_instead(ciphertext)
        try:
            return self._decrypt("RSA1_5", Mechanism.RSA_PKCS, None, ciphertext)
        except BadParameter as refused:
            if instead is None or refused.field != "value":
                raise
            return instead

    def _answer_instead(self, ciphertext: bytes) -> bytes | None:
        """Make the answer for a wrong padding; made for every ciphertext, so that time tells little."""
        if self._rejection is None:
            try:
                power = self._decrypt("RSA1_5", Mechanism.RSA_X_509, None, probe(self._size))
            except BadParameter:
                return None  # a token without raw RSA tells a wrong padding
            self._rejection = rejection_key(power.rjust(self._size, b"\0"))
        return reject(self._rejection, ciphertext)

    def _decrypt(self, algorithm: str, mechanism: Mechanism, parameter: tuple[Any, ...] | None, ciphertext: bytes) -> bytes:
        def work(_: TokenSession, key: Key) -> bytes:
            try:
                return bytes(key.decrypt(ciphertext, mechanism=mechanism, mechanism_param=parameter))
            except PARAMETER_REFUSED:
                raise BadParameter(
                    f"alg: the hardware token's CKM_{mechanism.name} does not do {algorithm}. Use another algorithm, or let "
                    "OAEP be taken off outside of the token (hsm.raw_oaep).",
                    "alg",
                ) from None

        return self._open(mechanism, algorithm, work)


class TokenEc(_Half):
    """A private EC key in a token."""

    def __init__(self, machine: Machine, cka_id: bytes) -> None:
        super().__init__(machine, cka_id, ObjectClass.PRIVATE_KEY)

    def sign(self, algorithm: str, digest: bytes) -> bytes:
        """Sign a digest; gives r and s, each as long as the curve's order (PKCS#11 2.40 section 2.3.1 of the mechanisms)."""
        return self._work(Mechanism.ECDSA, algorithm, lambda _, key: _sign(key, digest, Mechanism.ECDSA, None))


class TokenOct(_Half):
    """An AES key in a token. It makes no HMAC: a token wants a key of another type for that."""

    def __init__(self, machine: Machine, cka_id: bytes, size: int) -> None:
        super().__init__(machine, cka_id, ObjectClass.SECRET_KEY)
        self.size = size

    def wrap(self, secret: bytes) -> bytes:
        """Wrap (RFC 3394). What a token wraps is a key, so the secret is one in the session for a moment."""

        def work(session: TokenSession, key: Key) -> bytes:
            passing = session.session.create_object(
                {**_PASSING_SECRET, Attribute.CLASS: ObjectClass.SECRET_KEY, Attribute.VALUE: secret}
            )
            try:
                return bytes(key.wrap_key(passing, mechanism=Mechanism.AES_KEY_WRAP))
            finally:
                passing.destroy()

        return self._work(Mechanism.AES_KEY_WRAP, self._named("KW"), work)

    def unwrap(self, wrapped: bytes) -> bytes:
        """Unwrap."""

        def work(_: TokenSession, key: Key) -> bytes:
            passing = key.unwrap_key(
                ObjectClass.SECRET_KEY,
                KeyType.GENERIC_SECRET,
                wrapped,
                mechanism=Mechanism.AES_KEY_WRAP,
                template=dict(_PASSING_SECRET),
            )
            try:
                return bytes(passing[Attribute.VALUE])
            finally:
                passing.destroy()

        return self._open(Mechanism.AES_KEY_WRAP, self._named("KW"), work)

    def wrap_padded(self, secret: bytes) -> bytes:  # noqa: ARG002
        """Refuse: SoftHSM, for one, pads with zeros first, so that what comes back is longer than what was wrapped."""
        raise _unpadded()

    def unwrap_padded(self, wrapped: bytes) -> bytes:  # noqa: ARG002
        """Refuse."""
        raise _unpadded()

    def gcm_encrypt(self, iv: bytes, plaintext: bytes, aad: bytes | None) -> bytes:
        """Encrypt; the tag is at the end."""
        return self._encrypt("GCM", Mechanism.AES_GCM, GCMParams(iv, aad, GCM_TAG_BITS), plaintext)

    def gcm_decrypt(self, iv: bytes, sealed: bytes, aad: bytes | None) -> bytes:
        """Decrypt what has its tag at the end."""
        return self._decrypt("GCM", Mechanism.AES_GCM, GCMParams(iv, aad, GCM_TAG_BITS), sealed)

    def cbc_encrypt(self, iv: bytes, plaintext: bytes) -> bytes:
        """Encrypt whole blocks."""
        return self._encrypt("CBC", Mechanism.AES_CBC, iv, plaintext)

    def cbc_decrypt(self, iv: bytes, ciphertext: bytes) -> bytes:
        """Decrypt whole blocks."""
        return self._decrypt("CBC", Mechanism.AES_CBC, iv, ciphertext)

    def hmac(self, algorithm: str, text: bytes) -> bytes:  # noqa: ARG002
        """Refuse."""
        raise BadParameter(
            f"alg: {algorithm} is not for a key in the hardware token: it lies there as an AES key, which makes no HMAC.", "alg"
        )

    def _encrypt(self, mode: str, mechanism: Mechanism, parameter: Any, text: bytes) -> bytes:  # noqa: ANN401
        def work(_: TokenSession, key: Key) -> bytes:
            return bytes(key.encrypt(text, mechanism=mechanism, mechanism_param=parameter))

        return self._work(mechanism, self._named(mode), work)

    def _decrypt(self, mode: str, mechanism: Mechanism, parameter: Any, text: bytes) -> bytes:  # noqa: ANN401
        def work(_: TokenSession, key: Key) -> bytes:
            return bytes(key.decrypt(text, mechanism=mechanism, mechanism_param=parameter))

        return self._open(mechanism, self._named(mode), work)

    def _named(self, mode: str) -> str:
        return f"A{self.size}{mode}"


_PASSING_SECRET: Final = MappingProxyType(
    {
        Attribute.KEY_TYPE: KeyType.GENERIC_SECRET,
        Attribute.TOKEN: False,
        Attribute.SENSITIVE: False,
        Attribute.EXTRACTABLE: True,
    }
)


def _unpadded() -> BadParameter:
    return BadParameter(
        "alg: CKM_AES_KEY_WRAP_PAD is not for a key in the hardware token: tokens differ in it. Use CKM_AES_KEY_WRAP.", "alg"
    )


def _sign(key: Key, data: bytes, mechanism: Mechanism, parameter: Any) -> bytes:  # noqa: ANN401
    return bytes(key.sign(data, mechanism=mechanism, mechanism_param=parameter))
