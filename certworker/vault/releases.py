"""Release: a key leaves the vault, wrapped for an environment that an authority attests and the key's own policy believes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol

from certworker.clock import Clock, whole_second
from certworker.crypto.attestations import Claims, encryption_key, read_attestation, verify_attestation
from certworker.crypto.release_wrapping import DEFAULT, WRAPPINGS, wrap_for_release
from certworker.errors import (
    AttestationRefused,
    BadParameter,
    KeyDisabled,
    KeyExpired,
    KeyNotYetValid,
    KeyOperationForbidden,
)
from certworker.vault.access import Access, Caller
from certworker.vault.events import Event, EventType
from certworker.vault.materials import Materials
from certworker.vault.objects import KeyVersion, ObjectKind, not_found
from certworker.vault.release_policy import ReleaseRules, read_release_policy
from certworker.vault.store import HotReader, Store
from certworker.vault.vaults import Vault

RELEASE: Final = "release"
SKEW: Final = timedelta(seconds=60)
"""How far the clocks of an authority and of this machine may be apart."""
_LAST_SECOND: Final = 253_370_764_800
"""The beginning of the year 9999."""


class AuthorityKeys(Protocol):
    """Finds the keys of attestation authorities."""

    def find(self, authority: str, key_id: str) -> Mapping[str, Any] | None:
        """Find the key (a JWK) that an authority calls by this id; none where it has no such key. Raises Unavailable."""


@dataclass(frozen=True, slots=True, repr=False)
class ReleasedKey:
    """A key, wrapped by the key of its target, which is called `target_key_id`."""

    key: KeyVersion
    wrapping: str
    wrapped: bytes
    target_key_id: str


class Releases:
    """Releases keys. `authorities` are those that the settings allow, `longest_age` how old an attestation may be."""

    def __init__(
        self,
        store: Store,
        access: Access,
        materials: Materials,
        keys: AuthorityKeys,
        authorities: frozenset[str],
        longest_age: timedelta,
        clock: Clock,
    ) -> None:
        self._store = store
        self._access = access
        self._materials = materials
        self._keys = keys
        self._authorities = authorities
        self._longest_age = longest_age
        self._clock = clock

    def release(
        self, caller: Caller, vault: Vault, name: str, version: str | None, target: str, wrapping: str | None = None
    ) -> ReleasedKey:
        """Release a key for a target's attestation, which counts once.

        Raises KeyNotFound, BadParameter, Forbidden (AttestationRefused where it is the attestation), and Unavailable where the
        authority does not answer.
        """
        with self._store.glance() as reader:
            self._access.require(caller, vault, "keys", RELEASE, reader, name=name)
            key, rules = self._find(reader, vault, name, version)
        wrapping = wrapping or DEFAULT
        if wrapping not in WRAPPINGS:
            right = ", ".join(sorted(WRAPPINGS))
            raise BadParameter(f"enc has the value '{wrapping[:40]}': it is one of {right}.", "enc")
        unproven = read_attestation(target)
        authority, claims = self._verify(target, rules)
        if not rules.allow(authority, claims):
            raise AttestationRefused("Target environment attestation does not meet key release policy requirements.")
        target_key_id, target_key = _target_key(claims)
        wrapped = wrap_for_release(wrapping, target_key, self._materials.private(key))
        at = whole_second(self._clock())
        with self._store.writing() as writer:
            # the authority was asked meanwhile: the key may have been changed
            again, rules_again = self._find(writer, vault, name, key.version)
            if rules_again != rules:
                raise AttestationRefused("The key's release policy was changed meanwhile; try again.")
            # it is remembered for longer than anybody would take it, by whichever clock
            if not writer.use_assertion(unproven.digest, _end(claims) + 2 * SKEW):
                raise _unverified("it was used before; each one counts once")
            writer.add_event(_event(vault, again, authority, caller, at))
        return ReleasedKey(again, wrapping, wrapped, target_key_id)

    def _find(self, reader: HotReader, vault: Vault, name: str, version: str | None) -> tuple[KeyVersion, ReleaseRules]:
        """Find a key that may be released now, and its policy."""
        head = reader.head(vault.id, ObjectKind.KEY, name)
        key = reader.key(vault.id, name, version) if head and not head.deletion else None
        if key is None:
            raise not_found(ObjectKind.KEY, name, version)
        at, attributes = self._clock(), key.attributes
        if not attributes.enabled:
            raise KeyDisabled(f"Operation {RELEASE} is not allowed on a disabled key.")
        if attributes.not_before and at < attributes.not_before:
            raise KeyNotYetValid(f"Operation {RELEASE} is not allowed on a key that is not yet valid.")
        if attributes.expires and at >= attributes.expires:
            raise KeyExpired(f"Operation {RELEASE} is not allowed on an expired key.")
        if not key.exportable or key.release_policy is None:
            raise KeyOperationForbidden(f"Operation {RELEASE} is not permitted on this key: it is not exportable.")
        return key, read_release_policy(key.release_policy.data)

    def _verify(self, target: str, rules: ReleaseRules) -> tuple[str, Claims]:
        """Prove an attestation. Nobody is asked for keys whom the policy or the settings do not name."""
        unproven = read_attestation(target)
        authority = unproven.issuer.rstrip("/")
        if not rules.names(authority):
            raise _unverified("the key's release policy does not name its issuer")
        if authority not in self._authorities:
            raise _unverified("its issuer is not allowed by the settings (release.authorities)")
        jwk = self._keys.find(authority, unproven.key_id)
        if jwk is None:
            raise _unverified("its issuer has no key of its kid")
        try:
            claims = verify_attestation(target, unproven.algorithm, jwk)
        except BadParameter as error:
            raise AttestationRefused(f"{_UNVERIFIED} {error}") from None
        self._check_times(claims)
        return authority, claims

    def _check_times(self, claims: Claims) -> None:
        at = self._clock()
        made, end, begin = _time(claims, "iat"), _end(claims), _time(claims, "nbf", "iat")
        if at >= end + SKEW:
            raise _unverified("it has expired")
        if at < begin - SKEW or at < made - SKEW:
            raise _unverified("it is not valid yet")
        if at > made + self._longest_age + SKEW:
            raise _unverified(f"it is older than {self._longest_age.total_seconds():.0f} seconds (release.max_age_seconds)")


_UNVERIFIED: Final = "Target environment attestation statement cannot be verified."


def _unverified(why: str) -> AttestationRefused:
    return AttestationRefused(f"{_UNVERIFIED} The attestation (target) cannot be used: {why}.")


def _end(claims: Claims) -> datetime:
    return _time(claims, "exp")


def _time(claims: Claims, *names: str) -> datetime:
    """Read a time out of the first claim that is there."""
    value = next((claims[name] for name in names if name in claims), None)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LAST_SECOND:
        raise _unverified(f"its {names[0]} is no time")
    return datetime.fromtimestamp(value, UTC)


def _target_key(claims: Claims) -> tuple[str, Any]:
    """Choose the first key of the environment that is for encryption, as Key Vault does."""
    runtime = claims.get("x-ms-runtime")
    keys = runtime.get("keys") if isinstance(runtime, Mapping) else None
    for jwk in keys if isinstance(keys, list) else []:
        if isinstance(jwk, Mapping) and isinstance(key_id := jwk.get("kid"), str) and (key := encryption_key(jwk)):
            return key_id, key
    raise _unverified("x-ms-runtime.keys has no RSA key for encryption, with a kid and of 2048 bits at the least")


def _event(vault: Vault, key: KeyVersion, authority: str, caller: Caller, at: datetime) -> Event:
    detail = {"vault": vault.name, "authority": authority, "client_id": caller.client_id, "object_id": caller.object_id}
    return Event(EventType.KEY_RELEASED, at, vault.id, ObjectKind.KEY, key.name, key.version, detail)
