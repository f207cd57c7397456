"""The sample of settings that comes along."""

from pathlib import Path

from certworker.cli.sample import sample_settings
from certworker.settings import Settings, load_settings

ROOT = Path(__file__).parents[1]


def test_the_settings_sample_is_what_the_command_prints() -> None:
    """`config/certworker.toml` is what `certworker settings` prints, and changes no default."""
    sample = ROOT / "config/certworker.toml"
    assert sample.read_text() == sample_settings()
    loaded, defaults = load_settings(sample, {}).model_dump(), Settings().model_dump()
    anchored = ("database_url", "seal", "audit")  # paths, which are relative to the file
    assert {name: loaded[name] for name in loaded if name not in anchored} == {
        name: defaults[name] for name in defaults if name not in anchored
    }
