"""Simulations: a small fleet over some weeks of trouble, by both ways to the CA."""

from pathlib import Path

import pytest

from certworker.errors import SetupError
from certworker.simulate.deployment import Exchange
from certworker.simulate.plot import check_plot, draw
from certworker.simulate.report import as_document, fields, sparkline
from certworker.simulate.run import Plan, simulate
from certworker.simulate.scenario import Scenario
from certworker.simulate.shards import simulate_in

TROUBLE = {
    "lost_answers": 0.02,
    "revoked_grace_hours": 24,
    "certificates": {"start_spread_days": 4, "validity": [{"days": 20}]},
    "advice": {"share": 0.5},
    "limits": {"orders_in_3_hours": 20},
    "worker": {"least_step_minutes": 480, "revocation_check_hours": 24},
    "outage": [{"from_day": 12, "for_days": 2}],
    "throttle": [{"from_day": 16, "for_hours": 12}],
    "mass_revocation": [{"day": 20, "share": 0.5, "notice_hours": 48, "operator_after_hours": 24}],
    "downtime": [{"day": 5, "hours": 0}, {"day": 26, "hours": 15}],
    "wrong_clock": [{"day": 28, "hours": -2, "for_hours": 6}],
}


@pytest.mark.parametrize("exchange", [pytest.param(Exchange.ACME, marks=pytest.mark.long), Exchange.PORT])
def test_trouble_without_a_lapse(exchange: Exchange) -> None:
    """Through an outage, a throttled CA, a mass revocation and restarts nothing lapses, is lost or comes twice."""
    plan = Plan(4, 32, Scenario.model_validate(TROUBLE), exchange)
    found = simulate(plan)
    told = as_document(plan, found)
    assert found.is_well, told
    assert found.spent.failed_rounds == 0
    assert found.renewals >= 6
    assert found.revoked == 2
    assert found.attempts["issued"] == found.issued == found.renewals + 4
    assert found.notices_by_topic["renewed"] == found.renewals
    assert (
        told["lapses"] == told["lost_keys"] == told["duplicate_orders"] == told["notices_lost"] == told["notices_doubled"] == 0
    )


def test_a_lapse_is_found() -> None:
    """A CA that is down until after the end of the certificates cannot be made up for, and the lapses are told."""
    scenario = Scenario.model_validate(
        {
            "certificates": {"start_spread_days": 0, "validity": [{"days": 10}]},
            "worker": {"least_step_minutes": 720, "revocation_check_hours": 0},
            "advice": {"share": 0},
            "outage": [{"from_day": 3, "for_days": 9}],
        }
    )
    found = simulate(Plan(2, 16, scenario, Exchange.PORT))
    assert [lapse.why for lapse in found.lapses] == ["expired", "expired"]
    assert all(1 <= (lapse.until - lapse.since).total_seconds() / 86_400 <= 4 for lapse in found.lapses)
    assert found.least_margin < 0
    assert not found.is_well


def test_what_stays_revoked_is_a_lapse() -> None:
    """A revocation that nobody says a word about, and nobody looks for, is one when the time of grace is over."""
    scenario = Scenario.model_validate(
        {
            "revoked_grace_hours": 12,
            "certificates": {"start_spread_days": 0},
            "worker": {"least_step_minutes": 720, "revocation_check_hours": 0},
            "advice": {"share": 0},
            "mass_revocation": [{"day": 2, "share": 0.5, "notice_hours": 0, "announced": False}],
        }
    )
    found = simulate(Plan(2, 5, scenario, Exchange.PORT))
    assert [lapse.why for lapse in found.lapses] == ["revoked"]
    assert found.lapses[0].since == scenario.at(2.5)
    assert found.lapses[0].until == scenario.at(5)


@pytest.mark.long
def test_the_same_seed_gives_the_same_numbers() -> None:
    """What is drawn by lot follows from the seed: all but the time that it took is the same."""
    scenario = Scenario.model_validate(TROUBLE | {"worker": {"least_step_minutes": 1440, "revocation_check_hours": 0}})
    plan = Plan(2, 29, scenario, Exchange.PORT, seed=7)
    first, second = (
        {name: value for name, value in as_document(plan, simulate(plan)).items() if "second" not in name} for _ in range(2)
    )
    assert first == second


def test_it_is_drawn_and_told(tmp_path: Path) -> None:
    """The picture is a PNG file, and the words name what the scenario leaves out."""
    pytest.importorskip("matplotlib")
    scenario = Scenario.model_validate(
        TROUBLE
        | {"worker": {"least_step_minutes": 1440, "revocation_check_hours": 0}, "certificates": {"start_spread_days": 1}}
    )
    plan = Plan(2, 32, scenario, Exchange.PORT)
    found = simulate(plan)
    draw(plan, found, tmp_path / "fleet.png")
    assert (tmp_path / "fleet.png").read_bytes().startswith(b"\x89PNG")
    assert fields(plan, found)["lapses"] == 0
    with pytest.raises(SetupError, match="does not exist: make it first"):
        check_plot(tmp_path / "missing" / "fleet.png")


@pytest.mark.long
def test_two_processes_have_a_part_each() -> None:
    """Their fleets are added up, and each certificate is in one of them."""
    scenario = Scenario.model_validate(
        {"certificates": {"start_spread_days": 0}, "worker": {"least_step_minutes": 1440, "revocation_check_hours": 0}}
    )
    found = simulate_in(2, Plan(3, 2, scenario, Exchange.PORT), lambda _day, _made: None)
    assert found.certificates == found.issued == found.attempts["issued"] == 3
    assert found.calls["port.finalize"] == 3
    assert found.is_well


def test_bars_of_many_days() -> None:
    """A line of bars has the width of a terminal, whatever the number of days."""
    assert sparkline({0: 1, 1: 4}, 3) == "▂█   (at most 4 a day)"
    assert sparkline({}, 2) == "    (at most 0 a day)"
    assert len(sparkline(dict.fromkeys(range(1095), 2), 1095).partition("  (")[0]) <= 72
