"""Keys are used: who may, which key, when, and for what."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from certworker.crypto.keys import CURVES, KeyKind, generate_material
from certworker.errors import (
    BadParameter,
    Forbidden,
    KeyDisabled,
    KeyExpired,
    KeyNotFound,
    KeyNotYetValid,
    KeyOperationForbidden,
    SealBroken,
)
from certworker.vault.access import Caller
from certworker.vault.key_operations import ALGORITHMS, KeyOperationResult
from certworker.vault.objects import Deletion, KeyVersion, ObjectKind
from tests.support.clock import START, FakeClock
from tests.support.deployment import Deployment, open_deployment, policy_for
from tests.support.keys import EVERY_OPERATION, put_key

DAY: Final = timedelta(days=1)
DIGEST: Final = hashlib.sha256(b"what is signed").digest()
RSA: Final = KeyKind("RSA", 2048)
OCT: Final = KeyKind("oct", 256)
KINDS: Final = {
    "RSA": RSA,
    **{f"A{size}": KeyKind("oct", size) for size in (128, 192, 256)},
    **{curve: KeyKind("EC", curve=curve) for curve in CURVES},
}
SIGNERS: Final = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521", "ES256K": "P-256K"}


def kind_for(algorithm: str) -> str:
    """Name the kind of key that an algorithm is for."""
    if algorithm in SIGNERS:
        return SIGNERS[algorithm]
    if algorithm.startswith(("RS", "PS")):
        return "RSA"
    return algorithm[:4] if algorithm[1:4].isdecimal() else "A256"


@pytest.fixture(scope="module")
def rsa_der() -> bytes:
    """Make one RSA key for all tests."""
    return generate_material(RSA)


class Keys:
    """A deployment, and the short way to use its keys."""

    def __init__(self, deployment: Deployment, rsa_der: bytes) -> None:
        self.deployment = deployment
        self.operations = deployment.house.key_operations
        self.vault = deployment.vault
        self.caller = deployment.administrator
        self._rsa_der = rsa_der

    def put(self, name: str, kind: KeyKind = RSA, **changes: object) -> KeyVersion:
        """Put a key into the vault."""
        private = self._rsa_der if kind == RSA else None
        return put_key(self.deployment.house, self.vault, name, kind, private, **changes)  # type: ignore[arg-type]

    def actions(self, name: str, version: str | None = None) -> dict[str, Callable[[], KeyOperationResult | bool]]:
        """Give every operation on an RSA key, ready to be done."""
        done, who = self.operations, (self.caller, self.vault, name, version)
        ciphertext = bytes(255) + b"\2"  # padded wrongly: RSA1_5 gives random bytes
        return {
            "encrypt": lambda: done.encrypt(*who, "RSA-OAEP", b"x"),
            "decrypt": lambda: done.decrypt(*who, "RSA1_5", ciphertext),
            "sign": lambda: done.sign(*who, "RS256", DIGEST),
            "verify": lambda: done.verify(*who, "RS256", DIGEST, b"x"),
            "wrapKey": lambda: done.wrap(*who, "RSA-OAEP", b"x"),
            "unwrapKey": lambda: done.unwrap(*who, "RSA1_5", ciphertext),
        }

    def attempt(self, operation: str, name: str, algorithm: str) -> object:
        """Do an operation by an algorithm, with input that has the right length for most."""
        done, who = self.operations, (self.caller, self.vault, name, None, algorithm)
        attempts: dict[str, Callable[[], object]] = {
            "encrypt": partial(done.encrypt, *who, bytes(16), iv=bytes(16)),
            "decrypt": partial(done.decrypt, *who, bytes(16), iv=bytes(16)),
            "sign": partial(done.sign, *who, bytes(32)),
            "verify": partial(done.verify, *who, bytes(32), bytes(32)),
            "wrapKey": partial(done.wrap, *who, bytes(16)),
            "unwrapKey": partial(done.unwrap, *who, bytes(24)),
        }
        return attempts[operation]()

    def refused(self, name: str, error: type[Exception]) -> set[str]:
        """Tell which operations a key refuses with an error; no other error may come."""
        found = set()
        for operation, action in self.actions(name).items():
            try:
                action()
            except error as refusal:
                assert operation.removesuffix("Key") in str(refusal)  # noqa: PT017 - all of them are tried
                found.add(operation)
        return found


@pytest.fixture
def keys(deployment: Deployment, rsa_der: bytes) -> Keys:
    """Give a deployment's keys."""
    return Keys(deployment, rsa_der)


@pytest.fixture(scope="module")
def all_kinds(tmp_path_factory: pytest.TempPathFactory, rsa_der: bytes) -> Iterator[Keys]:
    """Give a deployment with a key of every kind, called by its kind."""
    with open_deployment(tmp_path_factory.mktemp("keys"), FakeClock()) as deployment:
        keys = Keys(deployment, rsa_der)
        for name, kind in KINDS.items():
            keys.put(name, kind)
        yield keys


@pytest.mark.parametrize("algorithm", sorted(ALGORITHMS["encrypt"]))
def test_what_is_encrypted_is_decrypted(all_kinds: Keys, algorithm: str) -> None:
    """By every algorithm that encrypts, with a key of its kind."""
    who = (all_kinds.caller, all_kinds.vault, kind_for(algorithm), None, algorithm)
    iv = bytes(range(16)) if "CBC" in algorithm else None
    aad = b"where" if "GCM" in algorithm else None
    made = all_kinds.operations.encrypt(*who, b"sixteen byte txt", iv=iv, aad=aad)
    assert made.aad == aad
    opened = all_kinds.operations.decrypt(*who, made.value, iv=made.iv, aad=aad, tag=made.tag)
    assert (opened.value, opened.name, opened.version) == (b"sixteen byte txt", made.name, made.version)
    assert (opened.iv, opened.aad, opened.tag) == (None, None, None)


@pytest.mark.parametrize("algorithm", sorted(ALGORITHMS["wrapKey"]))
def test_what_is_wrapped_is_unwrapped(all_kinds: Keys, algorithm: str) -> None:
    """By every algorithm that wraps, with a key of its kind."""
    who = (all_kinds.caller, all_kinds.vault, kind_for(algorithm), None, algorithm)
    made = all_kinds.operations.wrap(*who, bytes(range(32)))
    assert all_kinds.operations.unwrap(*who, made.value).value == bytes(range(32))


@pytest.mark.parametrize("algorithm", sorted(ALGORITHMS["sign"]))
def test_what_is_signed_is_verified(all_kinds: Keys, algorithm: str) -> None:
    """By every algorithm that signs, with a key of its kind."""
    who = (all_kinds.caller, all_kinds.vault, kind_for(algorithm), None, algorithm)
    size = {"384": 48, "512": 64}.get(algorithm[2:5], 32)
    made = all_kinds.operations.sign(*who, bytes(size))
    assert all_kinds.operations.verify(*who, bytes(size), made.value) is True
    assert all_kinds.operations.verify(*who, b"x" * size, made.value) is False


@pytest.mark.parametrize("kind", KINDS)
def test_every_other_algorithm_is_refused(all_kinds: Keys, kind: str) -> None:
    """400 for each pair of a key and an algorithm that do not belong together, and the text names the field."""
    tried = 0
    for operation, algorithms in ALGORITHMS.items():
        for algorithm in algorithms:
            if kind_for(algorithm) == kind or (kind[0] == "A" and algorithm.startswith(("CKM", "HS"))):
                continue
            tried += 1
            with pytest.raises(BadParameter, match="Key and algorithm are incompatible") as refused:
                all_kinds.attempt(operation, kind, algorithm)
            assert refused.value.field == "alg"
    assert tried > 30


def test_an_operation_has_its_own_algorithms(keys: Keys) -> None:
    """What wraps does not encrypt, what encrypts does not wrap or sign, and nothing is guessed."""
    keys.put("aes", OCT)
    done, who = keys.operations, (keys.caller, keys.vault, "aes", None)
    with pytest.raises(BadParameter, match="for encrypt it is one of A128CBC, A128CBCPAD"):
        done.encrypt(*who, "A256KW", bytes(16))
    with pytest.raises(BadParameter, match="for wrapKey it is one of A128KW"):
        done.wrap(*who, "A256GCM", bytes(16))
    for algorithm in ("", "a256gcm", "A256GCM ", "none", "x" * 1000):
        with pytest.raises(BadParameter, match="alg has the value") as refused:
            done.sign(*who, algorithm, bytes(32))
        assert len(str(refused.value)) < 300


def test_a_disabled_key_does_nothing(keys: Keys) -> None:
    """Not even what can do no harm."""
    keys.put("web", enabled=False)
    assert keys.refused("web", KeyDisabled) == set(EVERY_OPERATION)
    with pytest.raises(KeyDisabled, match=r"^Operation wrapKey is not allowed on a disabled key\.$"):
        keys.actions("web")["wrapKey"]()


def test_outside_its_time_a_key_makes_nothing_new(keys: Keys) -> None:
    """What was made in its time is still decrypted, verified and unwrapped; at the second of `exp` it is over."""
    keys.put("early", not_before=START + DAY)
    keys.put("late", expires=START + DAY)
    clock = keys.deployment.house.clock
    assert isinstance(clock, FakeClock)
    assert keys.refused("early", KeyNotYetValid) == {"encrypt", "sign", "wrapKey"}
    assert keys.refused("late", KeyExpired) == set()
    clock.set(START + DAY - timedelta(seconds=1))
    assert keys.refused("early", KeyNotYetValid) == {"encrypt", "sign", "wrapKey"}
    assert keys.refused("late", KeyExpired) == set()
    clock.set(START + DAY)
    assert keys.refused("early", KeyNotYetValid) == set()
    assert keys.refused("late", KeyExpired) == {"encrypt", "sign", "wrapKey"}


def test_a_key_does_what_its_operations_say(keys: Keys) -> None:
    """Each alone; the others are refused in Key Vault's words."""
    for operation in EVERY_OPERATION:
        keys.put(operation, key_ops=(operation,))
        assert keys.refused(operation, KeyOperationForbidden) == set(EVERY_OPERATION) - {operation}
    with pytest.raises(KeyOperationForbidden, match=r"^Operation decrypt is not permitted on this key\.$"):
        keys.actions("sign")["decrypt"]()
    keys.put("none", key_ops=())
    assert keys.refused("none", KeyOperationForbidden) == set(EVERY_OPERATION)


def test_only_who_may_uses_a_key(keys: Keys) -> None:
    """Everybody else is refused before anything is looked up: whether there is such a key is not told."""
    keys.put("web")
    keys.caller = Caller("somebody", "somebody", keys.caller.tenant_id)
    for name in ("web", "no-such-key"):
        assert keys.refused(name, Forbidden) == set(EVERY_OPERATION)
    with pytest.raises(Forbidden, match="vaults/keys/unwrap/action"):
        keys.actions("web")["unwrapKey"]()
    with pytest.raises(Forbidden, match="vaults/keys/rng/action"):
        keys.operations.random_bytes(keys.caller, keys.vault, 8)


def test_a_version_is_used_by_its_name(keys: Keys) -> None:
    """None means the current one; the older ones go on."""
    first = keys.put("web", KeyKind("EC", curve="P-256"))
    second = keys.put("Web", KeyKind("EC", curve="P-256"))
    done, who = keys.operations, (keys.caller, keys.vault, "WEB")
    by_first = done.sign(*who, first.version, "ES256", DIGEST)
    by_current = done.sign(*who, None, "ES256", DIGEST)
    assert (by_first.version, by_current.version) == (first.version, second.version)
    assert done.verify(*who, second.version, "ES256", DIGEST, by_current.value) is True
    assert done.verify(*who, None, "ES256", DIGEST, by_first.value) is False
    assert done.verify(*who, first.version, "ES256", DIGEST, by_first.value) is True


def test_a_key_that_is_not_there_is_not_found(keys: Keys) -> None:
    """No such name, no such version, or deleted: 404 in Key Vault's words, and back again after a recovery."""
    key = keys.put("web")
    for name, version in (("other", None), ("web", "0" * 32), ("web", "x")):
        with pytest.raises(KeyNotFound, match=r"A key with \(name/id\) "):
            keys.actions(name, version)["sign"]()
    with keys.deployment.house.store.writing() as writer:
        writer.set_deletion(keys.vault.id, ObjectKind.KEY, "web", Deletion(START, START + 90 * DAY))
    for version in (None, key.version):
        with pytest.raises(KeyNotFound):
            keys.actions("web", version)["verify"]()
    with keys.deployment.house.store.writing() as writer:
        writer.set_deletion(keys.vault.id, ObjectKind.KEY, "web", None)
    assert keys.actions("web")["verify"]() is False


def test_what_was_changed_counts_at_once(keys: Keys) -> None:
    """A key that was used, and is kept loaded, does nothing any more as soon as it is disabled."""
    key = keys.put("web")
    keys.actions("web")["sign"]()
    for enabled in (False, True):
        with keys.deployment.house.store.writing() as writer:
            attributes = replace(key.attributes, enabled=enabled)
            writer.set_attributes(keys.vault.id, ObjectKind.KEY, "web", key.version, attributes, {})
        assert bool(keys.refused("web", KeyDisabled)) is not enabled


def test_another_process_counts_at_once(tmp_path: Path, rsa_der: bytes, postgresql_url: str) -> None:
    """On PostgreSQL as well: what one process disables, another one refuses on its next request."""
    with (
        open_deployment(tmp_path, FakeClock(), postgresql_url) as one,
        open_deployment(tmp_path, FakeClock(), postgresql_url) as other,
    ):
        keys, theirs = Keys(one, rsa_der), Keys(other, rsa_der)
        key = keys.put("web")
        assert keys.refused("web", KeyDisabled) == theirs.refused("web", KeyDisabled) == set()
        with other.house.store.writing() as writer:
            attributes = replace(key.attributes, enabled=False)
            writer.set_attributes(keys.vault.id, ObjectKind.KEY, "web", key.version, attributes, {})
        assert keys.refused("web", KeyDisabled) == theirs.refused("web", KeyDisabled) == set(EVERY_OPERATION)


def test_the_key_of_a_certificate_is_used_as_any_other(keys: Keys) -> None:
    """It does what the certificate's key usage says, and no more."""
    keys.deployment.create("site", policy_for("site.test", "Self"))
    made = keys.operations.sign(keys.caller, keys.vault, "site", None, "ES256", DIGEST)
    assert keys.operations.verify(keys.caller, keys.vault, "site", made.version, "ES256", DIGEST, made.value) is True
    with pytest.raises(KeyOperationForbidden):
        keys.operations.encrypt(keys.caller, keys.vault, "site", None, "RSA-OAEP", b"x")


@pytest.mark.parametrize("count", [1, 2, 127, 128])
def test_random_bytes_are_as_many_as_asked_for(keys: Keys, count: int) -> None:
    """From 1 to 128."""
    assert len(keys.operations.random_bytes(keys.caller, keys.vault, count)) == count


def test_random_bytes_are_random_and_bounded(keys: Keys) -> None:
    """Never the same; not fewer than 1 and not more than 128."""
    assert len({keys.operations.random_bytes(keys.caller, keys.vault, 16) for _ in range(100)}) == 100
    for count in (0, -1, 129, 10**9):
        with pytest.raises(BadParameter, match="it is 1 to 128") as refused:
            keys.operations.random_bytes(keys.caller, keys.vault, count)
        assert refused.value.field == "count"


def test_a_row_that_was_moved_is_not_used(keys: Keys) -> None:
    """One key's sealed half under another's name does not open, and nothing is signed by it."""
    mine = keys.put("mine", KeyKind("EC", curve="P-256"))
    theirs = keys.put("theirs", KeyKind("EC", curve="P-256"))
    moved = replace(mine, version="f" * 32, sealed_key=theirs.sealed_key)
    with keys.deployment.house.store.writing() as writer:
        writer.add_key(moved)
    with pytest.raises(SealBroken):
        keys.operations.sign(keys.caller, keys.vault, "mine", moved.version, "ES256", DIGEST)
    flipped = bytes([mine.sealed_key[-1] ^ 1])
    with keys.deployment.house.store.writing() as writer:
        writer.add_key(replace(mine, version="e" * 32, sealed_key=mine.sealed_key[:-1] + flipped))
    with pytest.raises(SealBroken):
        keys.operations.sign(keys.caller, keys.vault, "mine", "e" * 32, "ES256", DIGEST)


def test_a_result_shows_nothing() -> None:
    """What was decrypted is not in the repr of what carries it."""
    assert "secret" not in repr(KeyOperationResult("web", "0", b"secret"))


def test_long_work_is_told_from_short(keys: Keys) -> None:
    """The private operations of long RSA keys are not done where they would hold everybody else up."""
    keys.put("short")
    keys.put("long", KeyKind("RSA", 3072))
    keys.put("aes", OCT)
    quick = keys.operations.is_quick
    for operation in EVERY_OPERATION:
        assert quick(keys.vault, "short", None, operation)
        assert quick(keys.vault, "aes", None, operation)
        assert quick(keys.vault, "no-such-key", None, operation)
        assert quick(keys.vault, "long", None, operation) is (operation in {"encrypt", "verify", "wrapKey"})
