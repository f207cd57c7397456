"""Settings: defaults, the sample file, and what is told about a mistake."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from ca_sim.setting import Section
from ca_sim.settings import Settings, SettingsError, load, sample

SAMPLE = Path(__file__).resolve().parents[2] / "config" / "ca_sim.toml"


def test_the_sample_file_agrees_with_the_settings() -> None:
    """The file is what `ca-sim settings` prints, and as it is it gives the defaults."""
    assert SAMPLE.read_text() == sample()
    assert load(SAMPLE) == Settings()


def test_the_sample_shows_the_defaults(tmp_path: Path) -> None:
    """With every setting uncommented (but the one that excludes another) the defaults come out."""
    lines = (line[1:] if line.startswith("#") and not line.startswith("# ") else line for line in sample().splitlines())
    path = tmp_path / "all.toml"
    path.write_text("\n".join(lines))
    assert load(path) == Settings()


def test_every_setting_has_a_unit_and_help() -> None:
    """None is without either."""
    fields = list(Settings.model_fields.values())
    sections = [field.annotation for field in fields if isinstance(field.default, Section)]
    plain = [field for field in fields if not isinstance(field.default, Section)]
    for field in [*plain, *(field for section in sections if section for field in section.model_fields.values())]:
        extra = field.json_schema_extra
        assert field.description
        assert isinstance(extra, dict)
        assert extra["unit"]


def test_settings_are_frozen() -> None:
    """Nobody changes them while the authority runs."""
    with pytest.raises(ValueError, match="frozen"):
        setattr(Settings(), "port", 1)  # noqa: B010 - the type checker knows already


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("prt = 1", "prt is not a setting: did you mean port?"),
        ("zzz = 1", "zzz is not a setting: use one of listen_hosts, "),
        ("port = 99999", "port = 99999: input should be less than or equal to 65535; expected TCP port (default 14000)"),
        ('port = "a"', 'port = "a": input should be a valid integer; expected TCP port'),
        ("port = true", "port = true: "),
        ('key_type = "dsa"', "expected ec-p256, ec-p384, rsa-2048 or rsa-4096"),
        ('listen_hosts = ["here"]', "'here' is not an IP address"),
        ("listen_hosts = []", "there is no address"),
        ('external_host = "https://x"', "is not a host name"),
        ('dns_server = "127.0.0.1"', "expected address:port"),
        ('dns_server = "127.0.0.1:0"', "has no port"),
        ('default_profile = "x"', "default_profile = 'x' is not a profile: give one of classic, shortlived"),
        ('external_host = "a\\nb"', "is not a host name"),
        ('terms_of_service = "https://x/\u00fc"', "is not a URL of http or https in ASCII"),
        ("order_lifetime_seconds = 100000000000", "less than or equal to 3162240000"),
        ('[clock]\nstart = "9999-12-31T23:59:59Z"', "is not between 1970-01-01T00:00:00+00:00 and 9500-01-01"),
        ("port = 15000", "port and management_port are all 15000: give each a port of its own"),
        ("[digicert]\nport = 14002", "public_port and digicert.port are all 14002"),
        ('[resolver]\n"*" = "here"', "'here' is not an IP address"),
        ('[resolver]\n"a.*" = "::1"', "'a.*' is not a pattern"),
        ('dns_server = "127.0.0.1:53"\n[resolver]\n"*" = "::1"', "exclude each other"),
        ("[profiles.a]\nvalidity_second = 60", "profiles.a.validity_second is not a setting: did you mean validity_seconds?"),
        ("[profiles.a]\nvalidity_seconds = 1", "greater than or equal to 10"),
        ("[profiles.a]", "profiles.a.validity_seconds is missing"),
        ("[profiles]", "there is no profile"),
        ("port = = 1", "not TOML"),
    ],
)
def test_a_mistake_is_told_in_one_line(tmp_path: Path, text: str, says: str) -> None:
    """The line names the file, what is wrong, and what would be right."""
    path = tmp_path / "ca.toml"
    path.write_text(text)
    with pytest.raises(SettingsError) as caught:
        load(path)
    assert says in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    """The path is in the line."""
    with pytest.raises(SettingsError, match=r"none\.toml: cannot be read"):
        load(tmp_path / "none.toml")


def test_own_profiles_take_the_place_of_the_defaults(tmp_path: Path) -> None:
    """The first of them is then the default."""
    path = tmp_path / "ca.toml"
    path.write_text("[profiles.mine]\nvalidity_seconds = 60\n[profiles.other]\nvalidity_seconds = 90")
    assert load(path).profile_of_default == "mine"
    path.write_text('default_profile = "shortlived"')
    assert load(path).profile_of_default == "shortlived"


def test_settings_are_taken_as_they_are_meant(tmp_path: Path) -> None:
    """A time that TOML knows as one, an address twice, and an address that is blocked in another spelling."""
    path = tmp_path / "ca.toml"
    lines = [
        'listen_hosts = ["::1", "0::1"]',
        'blocked_identifiers = ["2001:DB8:0::1"]',
        "[clock]",
        "start = 2030-01-01T00:00:00Z",
    ]
    path.write_text("\n".join(lines))
    settings = load(path)
    assert settings.listen_hosts == ("::1",)
    assert settings.blocked_identifiers == ("2001:db8::1",)
    assert settings.clock.starts_at == datetime(2030, 1, 1, tzinfo=UTC)
