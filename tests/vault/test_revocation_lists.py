"""Lists of a simulated CA that are not as they should be: unknown is not good, and what was good stays."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from certworker.crypto.revocation import points_of
from certworker.vault.revocation.sources import Source, SourceKind
from certworker.vault.revocation.standing import Standing, Status
from tests.support.clock import FakeClock
from tests.support.deployment import policy_for
from tests.support.revoking import check, revoke_at_ca, status_of
from tests.support.simulation import Simulation, open_simulation

COUNT = 6
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
LISTS_ALONE = {"profiles": {"classic": {"validity_seconds": 7_776_000, "ocsp": False, "description": "Lists alone"}}}
WITHOUT_ADVICE = {"acme": {"renewal_info": False}, "default_profile": "classic"}


@pytest.fixture(params=[{}, {"crl_shards": 4, "delta_crl_seconds": 3600}], ids=["whole", "sharded with deltas"])
def simulation(tmp_path: Path, clock: FakeClock, request: pytest.FixtureRequest) -> Iterator[Simulation]:
    """Open a deployment, and a CA that tells by lists alone: one, or shards with deltas."""
    settings = LISTS_ALONE | WITHOUT_ADVICE | {"authority": request.param}
    with open_simulation(tmp_path, clock, authority_settings=settings) as opened:
        opened.deployment.create("web", policy_for("web.test"))
        opened.run(lambda: opened.deployment.operation("web").status.value == "completed")
        yield opened


def known(simulation: Simulation) -> Status:
    """Look now, and give what is known."""
    status = check(simulation.deployment, "web").status
    assert status is not None
    return status


def lists(simulation: Simulation) -> tuple[Source, ...]:
    """Give what is known of the lists."""
    with simulation.deployment.house.store.reading() as reader:
        return reader.sources(SourceKind.LIST)


def test_a_list_tells_good_and_then_revoked(simulation: Simulation) -> None:
    """A shard, with its delta if it has one; the reason and the time are as the CA says."""
    assert known(simulation).standing is Standing.GOOD
    assert known(simulation).source == "crl"
    revoke_at_ca(simulation, "web", "affiliationChanged")
    at = simulation.clock()
    simulation.clock.advance(2 * HOUR)
    found = known(simulation)
    assert (found.standing, found.reason, found.revoked_at) == (Standing.REVOKED, "affiliationChanged", at)


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        ({"kind": "broken", "breakage": "garbage"}, "not a revocation list"),
        ({"kind": "broken", "breakage": "signature"}, "not signed by"),
        ({"kind": "stale"}, "ran out"),
        ({"kind": "error", "status": 404}, "404"),
        ({"kind": "drop-before"}, "broke the connection"),
        ({"kind": "mangle", "mangling": "html"}, "not a revocation list"),
    ],
    ids=["garbage", "wrong signer", "stale", "missing", "cut", "a page"],
)
def test_what_is_wrong_with_a_list_is_said(simulation: Simulation, fault: dict[str, object], text: str) -> None:
    """The result is unknown; with the fault gone and the back-off over, it is good."""
    simulation.arm(at=("public.crl",), **fault)
    found = known(simulation)
    assert found.standing is Standing.UNKNOWN
    assert text in found.why
    simulation.authority.house.faults.disarm_all()
    assert known(simulation).standing is Standing.UNKNOWN  # it is left alone for a minute
    simulation.clock.advance(2 * MINUTE)
    assert known(simulation).standing is Standing.GOOD


@pytest.mark.parametrize(
    "fault", [{"kind": "broken", "breakage": "signature"}, {"kind": "stale"}, {"kind": "error", "status": 500}]
)
def test_the_last_good_list_counts_until_it_runs_out(simulation: Simulation, fault: dict[str, object]) -> None:
    """What cannot be refreshed does not take its place; after its time, nobody knows."""
    assert known(simulation).standing is Standing.GOOD
    before = lists(simulation)
    simulation.arm(at=("public.crl",), **fault)
    for _ in range(4):
        simulation.clock.advance(6 * HOUR)
        simulation.deployment.work()
    status = status_of(simulation.deployment, "web").status
    assert status is not None
    assert status.standing is Standing.GOOD
    refreshed = lists(simulation)
    assert any(source.failures for source in refreshed)
    ends = [one.next_update for one in before if one.number is not None and "delta" not in one.url]
    assert [one.next_update for one in refreshed if "delta" not in one.url] == ends
    for _ in range(4):
        simulation.clock.advance(2 * DAY)
        simulation.deployment.work()
    status = status_of(simulation.deployment, "web").status
    assert status is not None
    assert status.standing is Standing.UNKNOWN


def test_numbers_do_not_go_back(simulation: Simulation) -> None:
    """An older list is a replay, however well it is signed."""
    assert known(simulation).standing is Standing.GOOD
    ((url,),) = points_of(simulation.deployment.get("web").version.der).crl_urls
    (source,) = [one for one in lists(simulation) if one.url == url]
    with simulation.deployment.house.store.writing() as writer:
        claimed = writer.claim_source((source.url, source.signer), "a test", source.due_at or simulation.clock(), MINUTE)
        assert claimed is not None
        writer.set_source(replace(claimed, number=1 << 100))
    simulation.clock.advance(8 * DAY)
    assert known(simulation).standing is Standing.UNKNOWN
    (changed,) = [one for one in lists(simulation) if one.url == source.url]
    assert changed.number == 1 << 100
    assert "was seen before" in (changed.last_error or "")


def test_one_list_serves_many(simulation: Simulation) -> None:
    """Some certificates, looked at for two days: the lists are fetched a few times a day, and no more."""
    for number in range(COUNT):
        simulation.deployment.create(f"web-{number}", policy_for(f"web-{number}.test"))
    simulation.run(lambda: all(simulation.deployment.operation(f"web-{n}").status.value == "completed" for n in range(COUNT)))
    counted: list[str] = []
    request = simulation.authority.request

    def count(method: str, url: str, *rest: object) -> object:
        counted.append(url)
        return request(method, url, *rest)  # type: ignore[arg-type]

    simulation.authority.request = count  # type: ignore[method-assign,assignment]
    for _ in range(8):
        simulation.clock.advance(6 * HOUR)
        simulation.deployment.work()
    assert all(status_of(simulation.deployment, f"web-{n}").status.standing is Standing.GOOD for n in range(COUNT))  # type: ignore[union-attr]
    fetched = [url for url in counted if "/crl/" in url]
    assert fetched
    assert len(fetched) <= 10 * len(set(fetched))
