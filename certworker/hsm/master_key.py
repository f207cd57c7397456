"""A master key in a token: vault keys are wrapped there, and it never leaves. A stolen disk is worth nothing without it."""

import os
from typing import Final

from pkcs11 import GCMParams
from pkcs11.constants import Attribute, ObjectClass
from pkcs11.exceptions import PKCS11Error
from pkcs11.mechanisms import KeyType, Mechanism

from certworker.errors import BadParameter, SealBroken, SetupError
from certworker.hsm import keys
from certworker.hsm.failures import INPUT_REFUSED, UNCLEAR
from certworker.hsm.secret_halves import GCM_TAG_BITS
from certworker.hsm.sessions import TokenSession
from certworker.hsm.token import Token

SIZE: Final = 256
_ID_SIZE, _IV_SIZE, _TAG_SIZE = 16, 12, 16
_FORMAT: Final = b"\x81"
_ALTERED: Final = "A wrapped key does not open in the hardware token: it was altered, moved, or wrapped by another key."


class TokenMasterKey:
    """An AES-256 key of a token as `vault.keyring.MasterKey`. Its id is its CKA_ID in hexadecimal.

    What it wraps is a format byte, a nonce from the operating system, and AES-256-GCM's ciphertext and tag, with the place as
    associated data. A master key wraps so little that nonces do not come twice.
    """

    def __init__(self, token: Token, cka_id: bytes) -> None:
        self._token = token
        self._cka_id = cka_id
        self.id = cka_id.hex()

    def wrap(self, key: bytes, place: str) -> bytes:
        """Wrap a key for its place. Raises Unavailable where the token does not answer."""
        iv = os.urandom(_IV_SIZE)

        def work(session: TokenSession) -> bytes:
            master = keys.find(session, ObjectClass.SECRET_KEY, self._cka_id)
            return bytes(master.encrypt(key, mechanism=Mechanism.AES_GCM, mechanism_param=_parameters(iv, place)))

        return _FORMAT + iv + self._token.run(work)

    def unwrap(self, wrapped: bytes, place: str) -> bytes:
        """Unwrap the key at its place. Raises SealBroken where it was altered, moved, or wrapped by another key."""
        iv, sealed = wrapped[1 : 1 + _IV_SIZE], wrapped[1 + _IV_SIZE :]
        if wrapped[:1] != _FORMAT or len(sealed) < _TAG_SIZE:
            raise SealBroken(_ALTERED)

        def work(session: TokenSession) -> bytes:
            master = keys.find(session, ObjectClass.SECRET_KEY, self._cka_id)
            try:
                return bytes(master.decrypt(sealed, mechanism=Mechanism.AES_GCM, mechanism_param=_parameters(iv, place)))
            except INPUT_REFUSED:
                raise SealBroken(_ALTERED) from None
            except UNCLEAR:
                if session.works():
                    raise SealBroken(_ALTERED) from None
                raise

        return self._token.run(work)


class TokenMasterKeySource:
    """The master keys of one label in a token, as `seal.sources.MasterKeySource`; a rotation leaves more than one there."""

    def __init__(self, token: Token, label: str) -> None:
        self._token = token
        self._label = label

    def __str__(self) -> str:
        """Say where the key is."""
        return f"the key {self._label} in the hardware token"

    def read(self, wanted: str | None) -> TokenMasterKey:
        """Give the key of an id, or the only one that there is. Raises SetupError, Unavailable."""
        self._check_mechanism()
        found = self._token.run(self._find)
        fitting = [cka_id for cka_id in found if wanted in {None, cka_id.hex()}]
        if len(fitting) == 1:
            return TokenMasterKey(self._token, fitting[0])
        raise SetupError(self._explain(wanted, found))

    def ids(self) -> list[str]:
        """List the ids of the keys of this label."""
        return sorted(cka_id.hex() for cka_id in self._token.run(self._find))

    def make(self) -> TokenMasterKey:
        """Make a key of this label in the token, beside those that are there. Raises SetupError, Unavailable."""
        self._check_mechanism()
        cka_id = os.urandom(_ID_SIZE)
        try:
            self._token.run(lambda session: _make(session, cka_id, self._label))
        except PKCS11Error as error:
            raise SetupError(f"The hardware token makes no AES-256 key {self._label} ({type(error).__name__}).") from None
        return TokenMasterKey(self._token, cka_id)

    def destroy(self, key_id: str) -> None:
        """Destroy a key that wraps nothing any more."""
        self._token.destroy(key_id)

    def _find(self, session: TokenSession) -> list[bytes]:
        wanted = {Attribute.CLASS: ObjectClass.SECRET_KEY, Attribute.KEY_TYPE: KeyType.AES, Attribute.LABEL: self._label}
        return [bytes(found[Attribute.ID]) for found in session.find(wanted)]

    def _check_mechanism(self) -> None:
        try:
            self._token.require(Mechanism.AES_GCM, "a master key")
        except BadParameter:
            raise SetupError(f"The hardware token has no CKM_{Mechanism.AES_GCM.name}, which a master key needs.") from None

    def _explain(self, wanted: str | None, found: list[bytes]) -> str:
        there = ", ".join(sorted(cka_id.hex() for cka_id in found)) or "none"
        if wanted is None:
            return f"The hardware token is to have one master key {self._label}, and has {len(found)} (their ids: {there})."
        return (
            f"The database was sealed under the master key {wanted}; the keys {self._label} in the hardware token are: {there}."
        )


def _make(session: TokenSession, cka_id: bytes, label: str) -> None:
    if session.key(ObjectClass.SECRET_KEY, cka_id) is None:  # an earlier attempt may have got so far
        keys.make_aes(session, cka_id, label, SIZE)


def _parameters(iv: bytes, place: str) -> GCMParams:
    return GCMParams(iv, place.encode(), GCM_TAG_BITS)
