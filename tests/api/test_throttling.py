"""Limits: for each vault and class of operations in a window that slides, and for a subscription; refused ones are recorded."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from certworker.api.throttle import MOST_WINDOWS, SUBSCRIPTION, Throttle
from certworker.crypto.keys import generate_key, public_der
from certworker.errors import Throttled
from certworker.settings import ThrottlingSettings
from certworker.vault.objects import Attributes, KeyVersion
from certworker.vault.vaults import Vault
from tests.api.recording import recorded
from tests.api.world import World, open_world
from tests.support.clock import FakeClock

SETTINGS = ThrottlingSettings(
    enabled=True,
    key_creations=4,
    hsm_key_creations=2,
    secret_creations=6,
    key_operations=40,
    key_operations_rsa_4096=5,
    other=10,
)


@pytest.fixture
def world(tmp_path: Path, clock: FakeClock) -> Iterator[World]:
    """Give a founded deployment that is throttled."""
    with open_world(tmp_path, clock) as world:
        settings = world.house.settings.model_copy(update={"throttling": SETTINGS})
        yield replace(world, house=replace(world.house, settings=settings))


def key(kty: str, bits: int) -> KeyVersion:
    """Make a key."""
    at = FakeClock()()
    public = public_der(generate_key("RSA", bits, None)) if bits else b""
    return KeyVersion("v", "k", "1", kty, public, b"", (), Attributes(at, at), exportable=False)


def allowed(throttle: Throttle, vault: Vault, operation: str, found: KeyVersion | None = None) -> int:
    """Count how many requests pass before one is refused."""
    passed = 0
    try:
        while passed < 1000:
            throttle.charge(vault, operation, found)
            passed += 1
    except Throttled:
        pass
    return passed


def test_too_many_requests_are_told_when_to_come_again(world: World) -> None:
    """429 in the service's shape, with Retry-After; whoever waits so long is let in, and each refusal is recorded."""
    call, recorder = recorded(world)
    assert [call("GET", "/secrets").status_code for _ in range(11)] == [200] * 10 + [429]
    refused = call("GET", "/secrets")
    assert refused.json()["error"]["code"] == "Throttled"
    assert "Throttled" not in refused.json()["error"].get("innererror", {})
    last = recorder.appended[-1]
    assert (last.operation, last.status, last.description) == ("SecretList", 429, "Throttled")
    assert last.identity["objectidentifier"] == world.administrator.object_id
    world.clock.advance(timedelta(seconds=int(refused.headers["retry-after"])))
    assert call("GET", "/secrets").status_code == 200


def test_classes_count_apart_and_only_who_was_let_in(world: World) -> None:
    """Secrets that are set, keys, and the rest; without a token nothing is counted, nor is what was refused."""
    call, _ = recorded(world)
    assert {call.bare("GET", "/secrets?api-version=7.4").status_code for _ in range(20)} == {401}
    assert [call("GET", "/secrets").status_code for _ in range(11)][-2:] == [200, 429]
    assert [call("PUT", "/secrets/one", {"value": "v"}).status_code for _ in range(7)][-2:] == [200, 429]
    assert [call("GET", "/keys").status_code for _ in range(41)][-2:] == [200, 429]


def test_limits_are_off_unless_turned_on(tmp_path: Path, clock: FakeClock) -> None:
    """As they come, nobody is refused."""
    with open_world(tmp_path, clock) as world:
        call, _ = recorded(world)
        assert {call("GET", "/secrets").status_code for _ in range(15)} == {200}


def test_the_window_slides(world: World) -> None:
    """What was asked ten seconds ago counts no more; what was asked nine seconds ago does."""
    throttle, vault = Throttle(SETTINGS, 1, world.clock), world.vault
    for _ in range(6):
        throttle.charge(vault, "SecretGet", None)
    world.clock.advance(timedelta(seconds=5))
    assert allowed(throttle, vault, "SecretGet") == 4
    world.clock.advance(timedelta(seconds=4))
    with pytest.raises(Throttled, match=re.escape("after 1 seconds")):
        throttle.charge(vault, "SecretGet", None)
    world.clock.advance(timedelta(seconds=1))
    assert allowed(throttle, vault, "SecretGet") == 6
    world.clock.advance(timedelta(seconds=-3600))
    assert allowed(throttle, vault, "SecretGet") == 10


@pytest.mark.parametrize(
    ("operation", "kty", "bits", "count"),
    [
        ("KeySign", "RSA", 2048, 40),
        ("KeySign", "RSA", 4096, 5),
        ("KeySign", "EC", 0, 40),
        ("KeyRotate", "RSA", 2048, 4),
        ("KeyRotate", "EC-HSM", 0, 2),
    ],
)
def test_dear_keys_weigh_more(world: World, operation: str, kty: str, bits: int, count: int) -> None:
    """By the size of an RSA key, and whether it lies in a token."""
    assert allowed(Throttle(SETTINGS, 1, world.clock), world.vault, operation, key(kty, bits)) == count


def test_processes_share_a_limit(world: World) -> None:
    """Each of two has half; of many each has at least one, whatever it weighs."""
    assert allowed(Throttle(SETTINGS, 2, world.clock), world.vault, "SecretGet") == 5
    assert allowed(Throttle(SETTINGS, 64, world.clock), world.vault, "KeySign", key("RSA", 4096)) == 1


def test_a_subscription_has_five_times_as_much(world: World) -> None:
    """Whatever vault it is spent on; another subscription has its own. Idle windows are forgotten."""
    throttle = Throttle(SETTINGS, 1, world.clock)
    vaults = [replace(world.vault, id=str(number)) for number in range(8)]
    assert sum(allowed(throttle, vault, "SecretGet") for vault in vaults) == 10 * SUBSCRIPTION
    assert allowed(throttle, replace(vaults[0], id="ninth", subscription_id="other"), "SecretGet") == 10
    for number in range(MOST_WINDOWS + 10):
        throttle.charge(replace(world.vault, id=f"v{number}", subscription_id=f"s{number}"), "SecretGet", None)
    assert len(throttle._windows) == MOST_WINDOWS
