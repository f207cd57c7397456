"""What keys do: encrypt, decrypt, sign, verify, wrap and unwrap keys. Nothing of a key's secret half is shown."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from certworker.clock import Clock
from certworker.crypto.usable import (
    AES_ENCRYPTION,
    HMACS,
    KEY_WRAP,
    PADDED_KEY_WRAP,
    RSA_ENCRYPTION,
    RSA_SIGNATURES,
    UsableKey,
)
from certworker.crypto.usable_keys import EC_ALGORITHMS
from certworker.errors import BadParameter, KeyDisabled, KeyExpired, KeyNotYetValid, KeyOperationForbidden
from certworker.vault.access import Access, Caller
from certworker.vault.materials import Materials
from certworker.vault.objects import KeyVersion, ObjectKind, not_found
from certworker.vault.store import Store
from certworker.vault.vaults import Vault

ENCRYPT: Final = "encrypt"
DECRYPT: Final = "decrypt"
SIGN: Final = "sign"
VERIFY: Final = "verify"
WRAP: Final = "wrapKey"
UNWRAP: Final = "unwrapKey"

_ENCRYPTION = RSA_ENCRYPTION | AES_ENCRYPTION
_WRAPPING = RSA_ENCRYPTION | KEY_WRAP | PADDED_KEY_WRAP
_SIGNING = RSA_SIGNATURES | frozenset(EC_ALGORITHMS) | HMACS
ALGORITHMS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        ENCRYPT: _ENCRYPTION,
        DECRYPT: _ENCRYPTION,
        SIGN: _SIGNING,
        VERIFY: _SIGNING,
        WRAP: _WRAPPING,
        UNWRAP: _WRAPPING,
    }
)
_AT_ANY_TIME: Final = frozenset({DECRYPT, VERIFY, UNWRAP})
"""What a key still does outside of nbf..exp: with these, what was made in its time does not get lost."""
_WITH_PRIVATE_KEY: Final = frozenset({DECRYPT, SIGN, UNWRAP})
_LONG_RSA: Final = 300
"""A SubjectPublicKeyInfo of more bytes belongs to a key whose private operation takes 1.5 ms and more: RSA-2048 has 294."""
MOST_RANDOM: Final = 128


@dataclass(frozen=True, slots=True, repr=False)
class KeyOperationResult:
    """What an operation gave, and by which version of which key. Its `repr` shows nothing: `value` may be a plaintext."""

    name: str
    version: str
    value: bytes
    iv: bytes | None = None
    tag: bytes | None = None
    aad: bytes | None = None


class KeyOperations:
    """Uses the keys of vaults, where `version` is none the current one.

    Every operation raises KeyNotFound, Forbidden, BadParameter, SealBroken, and for a key in a token Unavailable. Forbidden
    is KeyDisabled, KeyNotYetValid, KeyExpired or KeyOperationForbidden where it is the key that must not.
    """

    def __init__(self, store: Store, access: Access, materials: Materials, clock: Clock) -> None:
        self._store = store
        self._access = access
        self._materials = materials
        self._clock = clock

    def encrypt(
        self,
        caller: Caller,
        vault: Vault,
        name: str,
        version: str | None,
        algorithm: str,
        plaintext: bytes,
        *,
        iv: bytes | None = None,
        aad: bytes | None = None,
    ) -> KeyOperationResult:
        """Encrypt."""
        key, usable = self._open(caller, vault, name, version, ENCRYPT, algorithm)
        made = usable.encrypt(algorithm, plaintext, iv, aad)
        return KeyOperationResult(key.name, key.version, made.ciphertext, made.iv, made.tag, aad)

    def decrypt(
        self,
        caller: Caller,
        vault: Vault,
        name: str,
        version: str | None,
        algorithm: str,
        ciphertext: bytes,
        *,
        iv: bytes | None = None,
        aad: bytes | None = None,
        tag: bytes | None = None,
    ) -> KeyOperationResult:
        """Decrypt."""
        key, usable = self._open(caller, vault, name, version, DECRYPT, algorithm)
        return KeyOperationResult(key.name, key.version, usable.decrypt(algorithm, ciphertext, iv, aad, tag))

    def sign(
        self, caller: Caller, vault: Vault, name: str, version: str | None, algorithm: str, digest: bytes
    ) -> KeyOperationResult:
        """Sign a digest, or make an HMAC."""
        key, usable = self._open(caller, vault, name, version, SIGN, algorithm)
        return KeyOperationResult(key.name, key.version, usable.sign(algorithm, digest))

    def verify(
        self, caller: Caller, vault: Vault, name: str, version: str | None, algorithm: str, digest: bytes, signature: bytes
    ) -> bool:
        """Tell whether a signature, or an HMAC, is right."""
        _, usable = self._open(caller, vault, name, version, VERIFY, algorithm)
        return usable.verify(algorithm, digest, signature)

    def wrap(
        self, caller: Caller, vault: Vault, name: str, version: str | None, algorithm: str, secret: bytes
    ) -> KeyOperationResult:
        """Wrap a symmetric key."""
        key, usable = self._open(caller, vault, name, version, WRAP, algorithm)
        return KeyOperationResult(key.name, key.version, usable.encrypt(algorithm, secret).ciphertext)

    def unwrap(
        self, caller: Caller, vault: Vault, name: str, version: str | None, algorithm: str, wrapped: bytes
    ) -> KeyOperationResult:
        """Unwrap a symmetric key."""
        key, usable = self._open(caller, vault, name, version, UNWRAP, algorithm)
        return KeyOperationResult(key.name, key.version, usable.decrypt(algorithm, wrapped))

    def random_bytes(self, caller: Caller, vault: Vault, count: int) -> bytes:
        """Give random bytes of the operating system. Raises BadParameter."""
        self._access.require(caller, vault, "keys", "get", role_permission="rng")
        if not 1 <= count <= MOST_RANDOM:
            raise BadParameter(f"count has the value {count}: it is 1 to {MOST_RANDOM}.", "count")
        return os.urandom(count)

    def is_quick(self, vault: Vault, name: str, version: str | None, operation: str) -> bool:
        """Whether an operation is better done where it stands: handing it to a thread costs 0.03 to 0.08 ms of a core.

        That is more than most operations take, and a tenth of an RSA-2048 signature. What takes milliseconds would hold
        everybody else up, and a token does for as long as it likes.
        """
        with self._store.glance() as reader:
            key = reader.key(vault.id, name, version)
        if key is None:
            return True
        if key.hsm_key_id:
            return False
        is_long = key.kty == "RSA" and len(key.public_key) > _LONG_RSA
        return not (is_long and operation in _WITH_PRIVATE_KEY)

    def _open(
        self, caller: Caller, vault: Vault, name: str, version: str | None, operation: str, algorithm: str
    ) -> tuple[KeyVersion, UsableKey]:
        with self._store.glance() as reader:
            self._access.require(caller, vault, "keys", operation, reader, name=name)
            head = reader.head(vault.id, ObjectKind.KEY, name)
            key = reader.key(vault.id, name, version) if head and not head.deletion else None
        if key is None:
            raise not_found(ObjectKind.KEY, name, version)
        self._check(key, operation)
        if algorithm not in ALGORITHMS[operation]:
            right = ", ".join(sorted(ALGORITHMS[operation]))
            raise BadParameter(f"alg has the value '{algorithm[:40]}': for {operation} it is one of {right}.", "alg")
        return key, self._materials.use(key)

    def _check(self, key: KeyVersion, operation: str) -> None:
        """Obey the key's attributes as Key Vault does. Raises Forbidden."""
        attributes = key.attributes
        if not attributes.enabled:
            raise KeyDisabled(f"Operation {operation} is not allowed on a disabled key.")
        if (attributes.not_before or attributes.expires) and operation not in _AT_ANY_TIME:
            at = self._clock()
            if attributes.not_before and at < attributes.not_before:
                raise KeyNotYetValid(f"Operation {operation} is not allowed on a key that is not yet valid.")
            if attributes.expires and at >= attributes.expires:
                raise KeyExpired(f"Operation {operation} is not allowed on an expired key.")
        if operation not in key.key_ops:
            raise KeyOperationForbidden(f"Operation {operation} is not permitted on this key.")
