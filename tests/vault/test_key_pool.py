"""Keys that are made ahead of need: kept ready, taken once each, sealed like all others."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from certworker.crypto.keys import KeyKind, public_der
from certworker.vault.key_pool import KeyPool
from certworker.vault.resealing import VaultKeyRotation, vault_terms
from tests.support.clock import FakeClock
from tests.support.deployment import Deployment, open_deployment

RSA = KeyKind("RSA", 2048)


@pytest.fixture
def deployment(tmp_path: Path, clock: FakeClock) -> Iterator[Deployment]:
    """Give a deployment."""
    with open_deployment(tmp_path, clock) as opened:
        yield opened


def pool_of(deployment: Deployment, count: int = 2) -> KeyPool:
    """Make a pool beside the one that the deployment has."""
    house = deployment.house
    return KeyPool(house.store, house.keyring, house.clock, (2048,), count)


def test_the_pool_is_filled_and_gives_each_key_once(deployment: Deployment) -> None:
    """As many as are wanted, no more; two that take at once get two keys, a third gets none."""
    pool, at = pool_of(deployment), deployment.house.clock()
    assert pool.take(RSA) is None
    assert (pool.refill(at), pool.refill(at)) == (2, 0)
    with ThreadPoolExecutor(3) as threads:
        taken = list(threads.map(pool.take, [RSA] * 3))
    found = {public_der(key) for key in taken if key}
    assert (len(found), taken.count(None)) == (2, 1)
    assert pool.refill(at) == 2


@pytest.mark.parametrize("kind", [KeyKind("RSA", 4096), KeyKind("RSA", 2048, exponent=3), KeyKind("EC", None, "P-256")])
def test_another_kind_is_not_in_it(deployment: Deployment, kind: KeyKind) -> None:
    """What is not asked for often is made when it is needed."""
    pool = pool_of(deployment)
    pool.refill(deployment.house.clock())
    assert pool.take(kind) is None


def test_a_pool_of_none_makes_none(deployment: Deployment) -> None:
    """Zero turns it off."""
    pool = pool_of(deployment, 0)
    assert pool.refill(deployment.house.clock()) == 0
    assert pool.take(RSA) is None


def test_a_spare_key_outlives_a_new_term_of_vault_keys(deployment: Deployment) -> None:
    """It is sealed anew with everything else."""
    house, pool = deployment.house, pool_of(deployment, 1)
    pool.refill(house.clock())
    for terms in vault_terms(house.store):
        VaultKeyRotation(house.store, house.keyring, house.clock).rotate(terms.vault, anew=True)
    assert pool.take(RSA)


def test_a_spare_key_that_was_moved_does_not_open(deployment: Deployment) -> None:
    """A row under another id is refused, and is gone: nothing is ever made of it."""
    house, pool = deployment.house, pool_of(deployment, 1)
    pool.refill(house.clock())
    with house.store.writing() as writer:
        taken = writer.take_spare_key("RSA-2048")
        assert taken is not None
        writer.add_spare_key(type(taken)("another", taken.kind, taken.sealed_key, taken.created))
    assert pool.take(RSA) is None
    with house.store.reading() as reader:
        assert reader.count_spare_keys("RSA-2048") == 0
