"""Scenarios: what is wrong in one is named, with what would be right."""

from pathlib import Path

import pytest

from certworker.errors import SettingsError
from certworker.simulate.scenario import Scenario, read_scenario

CONFIG = Path(__file__).parents[2] / "config"


def write(folder: Path, text: str) -> Path:
    """Write a scenario."""
    path = folder / "scenario.toml"
    path.write_text(text)
    return path


def test_the_samples_can_be_played() -> None:
    """Both samples are read, have everything in them, and fit the lengths that they are meant for."""
    small, large = read_scenario(CONFIG / "simulate.toml"), read_scenario(CONFIG / "simulate-fleet.toml")
    small.check_length(365)
    large.check_length(1095)
    for scenario in (small, large):
        assert scenario.outage
        assert scenario.throttle
        assert scenario.mass_revocation
        assert scenario.downtime
        assert scenario.limits.orders_in_3_hours


def test_without_a_word_it_is_the_default(tmp_path: Path) -> None:
    """An empty file is the scenario in which nothing goes wrong."""
    assert read_scenario(write(tmp_path, "")) == Scenario()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[certificats]", "certificats: there is no such setting; there are advice, certificates"),
        ("[[outage]]\nfrom_day = 3", "outage.0.for_days: Field required"),
        ("[[outage]]\nfrom_day = -1\nfor_days = 2", "outage.0.from_day: Input should be greater than or equal to 0"),
        ("[[outage]]\nfrom = 1\nfor_days = 2", "outage.0.from: there is no such setting; there are for_days, from_day, silent"),
        ("start = 2026-01-01T00:00:00", "write 2026-01-01T00:00:00Z"),
        (
            "[certificates]\nvalidity = [{days = 47, share = 0.5}]",
            "validities are 0.5 together; they must be 1",
        ),
        ("[advice]\nwindow = [0.7, 0.6]", "advice: advice.window ends before it begins"),
        ('[certificates]\nkey = "ed25519"', "'ec-p256', 'ec-p384' or 'rsa-2048'"),
        ("lost_answers = 1", "lost_answers: Input should be less than 0.5"),
        ("this is no TOML", "is no TOML"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, message: str) -> None:
    """Each mistake has its own sentence."""
    with pytest.raises(SettingsError) as refused:
        read_scenario(write(tmp_path, text))
    assert message in str(refused.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """It is named."""
    with pytest.raises(SettingsError, match=r"missing\.toml cannot be read: No such file"):
        read_scenario(tmp_path / "missing.toml")


def test_what_would_never_come_is_refused() -> None:
    """An outage after the end of the simulation is a mistake."""
    scenario = Scenario.model_validate({"outage": [{"from_day": 30, "for_days": 1}], "downtime": [{"day": 5}]})
    with pytest.raises(SettingsError, match="The simulation has 20 days; this would never come: outage on day 30"):
        scenario.check_length(20)
