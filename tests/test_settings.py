"""Settings come from the file and the environment; what is wrong is named."""

import re
from pathlib import Path

import pytest

from certworker.cli.sample import sample_settings
from certworker.errors import SettingsError
from certworker.settings import Settings, WebhookSettings, load_settings

_DNS = '[issuers.ca]\nchallenge = "dns-01"\n'


def load(folder: Path, text: str, **environment: str) -> Settings:
    """Load settings from a file in `folder`."""
    file = folder / "certworker.toml"
    file.write_text(text)
    return load_settings(file, {f"CERTWORKER_{name}": value for name, value in environment.items()})


def test_the_environment_goes_before_the_file(tmp_path: Path) -> None:
    """Numbers, texts, lists with commas, paths and tables by name, whatever the case of the name."""
    text = '[server]\nport = 1\nthreads = 2\n[issuers.MyCA]\ntimeout_seconds = 3\n[log]\nlevel = "error"'
    settings = load(
        tmp_path,
        text,
        SERVER__PORT="9443",
        SERVER__LISTEN="192.0.2.1, ::1",
        METRICS__LISTEN="0.0.0.0",  # noqa: S104
        NETWORK__ALLOW_PRIVATE="",
        SEAL__MASTER_KEY_FILE="/run/master.key",
        ISSUERS__MYCA__TIMEOUT_SECONDS="7",
        ISSUERS__MYCA__CONTACTS="a@example.test,b@example.test",
        DATABASE_URL="postgresql://user@host/name",
        HOME="/somewhere",
    )
    assert (settings.server.port, settings.server.threads) == (9443, 2)
    assert settings.server.listen == ("192.0.2.1", "::1")
    assert settings.metrics.listen == "0.0.0.0"  # noqa: S104
    assert settings.network.allow_private == ()
    assert settings.seal.master_key_file == Path("/run/master.key")
    assert list(settings.issuers) == ["MyCA"]
    assert settings.issuer("myca").timeout_seconds == 7
    assert settings.issuer("MYCA").contacts == ("a@example.test", "b@example.test")
    assert settings.issuer("other").timeout_seconds == 15
    assert (settings.database_url, settings.log.level) == ("postgresql://user@host/name", "error")


@pytest.mark.parametrize(
    ("text", "environment", "words"),
    [
        ("prot = 1", {}, "prot: there is no such setting"),
        ("[server]\nprot = 1", {}, r"server\.prot: there is no such setting"),
        ("[sever]\nport = 1", {}, "sever: there is no such setting"),
        ("", {"SERVER__PROT": "1"}, r"server\.prot: there is no such setting"),
        ('[server]\nport = "many"', {}, r"server\.port: .*integer"),
        ("", {"SERVER__PORT": "70000"}, r"server\.port: .*65535"),
        ("[server]\nlisten = 5", {}, r"server\.listen"),
        ("server = 5", {}, "server: "),
        ("[worker]\ntick_seconds = 0", {}, r"worker\.tick_seconds"),
        ('[log]\nlevel = "loud"', {}, r"log\.level"),
        ('[issuers.ca]\nchallenge = "dns-02"', {}, r"issuers\.ca\.challenge: .*'dns-01'"),
        ('[issuers.ca]\nchallenge = "dns-01"', {}, r"issuers\.ca\.challenge: dns-01 needs one of dns_server and dns_hook"),
        ('[issuers.ca]\nweb_root = "w"\nchallenge = "tls-alpn-01"', {}, "web_root goes with the challenge http-01"),
        ('[issuers.ca]\ndns_hook = ["h"]', {}, "dns_hook goes with the challenge dns-01, and this issuer has http-01"),
        (f'{_DNS}dns_server = "ns:53"', {}, "dns_server goes with tsig_key and tsig_secret_file"),
        (f'{_DNS}dns_server = "ns:53"', {"ISSUERS__CA__DNS_HOOK": "h"}, "needs one of dns_server and dns_hook"),
        (f'{_DNS}dns_hook = ["h"]\ntsig_key = "k"', {}, "tsig_key goes with dns_server, and this issuer has dns_hook"),
        (f'{_DNS}dns_hook = ["h"]\ndns_servers = ["a b"]', {}, "'a b' is neither HOST nor HOST:PORT"),
        (f"{_DNS}dns_hook_seconds = 900", {}, r"issuers\.ca\.dns_hook_seconds"),
        ("[issuers.ca]\nprofile = 1", {}, r"issuers\.ca\.profile: there is no such setting"),
        ('[renewal]\non_policy_change = "now"', {}, r"renewal\.on_policy_change: .*'keep' or 'renew'"),
        ('[maintenance.n]\nmatch = ["web"]', {}, r"maintenance\.n\.match: .*'web' is not VAULT/NAME"),
        ('[maintenance.n]\nmatch = ["main/*"]', {}, r"maintenance\.n\.windows: .*at least one window"),
        ('[maintenance.n]\nwindows = ["Mon 1-2"]', {}, r"maintenance\.n\.windows: .*such as Mon-Fri 02:00-05:00"),
        ('[maintenance.n]\ntime_zone = "Berlin"', {}, r"maintenance\.n\.time_zone: .*names read as Europe/Berlin"),
        ("[server", {}, "is not TOML"),
        ('[server]\ncertificate_file = "a.pem"', {}, "go together"),
        ("", {"SERVER__KEY_FILE": "a.pem"}, "go together"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, environment: dict[str, str], words: str) -> None:
    """The setting, the file, and what would be right."""
    with pytest.raises(SettingsError, match=words) as refusal:
        load(tmp_path, text, **environment)
    assert "certworker.toml" in str(refusal.value)


def test_a_variable_below_a_value_is_no_crash(tmp_path: Path) -> None:
    """What contradicts itself is told as a setting that is wrong, or the environment wins."""
    assert load(tmp_path, "server = 5", SERVER__PORT="9443").server.port == 9443
    with pytest.raises(SettingsError, match=r"server\.port"):
        load(tmp_path, "", SERVER__PORT="1", SERVER__PORT__X="2")


def test_a_password_in_a_url_is_not_told(tmp_path: Path) -> None:
    """An error about another setting, or about the URL's type, keeps the value to itself."""
    for text in ('database_url = "postgresql://u:hunter2@h/n"\nx = 1', 'database_url = ["hunter2"]'):
        with pytest.raises(SettingsError) as refusal:
            load(tmp_path, text)
        assert "hunter2" not in str(refusal.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """Missing, a folder, or no text."""
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    for file, words in ((tmp_path / "none", "cannot be read"), (tmp_path, "cannot be read"), (tmp_path / "binary", "not TOML")):
        with pytest.raises(SettingsError, match=words):
            load_settings(file, {})


def test_relative_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    """Whatever folder the process is in; absolute ones stay."""
    text = '[server]\ncertificate_file = "tls/a.pem"\nkey_file = "/tls/a.key"\n'
    text += '[issuers.ca]\nca_bundle = "root.pem"\nweb_root = "www"'
    settings = load(tmp_path, text)
    assert settings.database_url == f"sqlite:///{tmp_path}/certworker.db"
    assert settings.seal.master_key_file == tmp_path / "master.key"
    assert settings.server.certificate_file == tmp_path / "tls/a.pem"
    assert settings.server.key_file == Path("/tls/a.key")
    assert (settings.issuer("ca").ca_bundle, settings.issuer("ca").web_root) == (tmp_path / "root.pem", tmp_path / "www")
    assert load(tmp_path, 'database_url = "sqlite:////var/x.db"').database_url == "sqlite:////var/x.db"


def test_an_empty_text_is_no_file(tmp_path: Path) -> None:
    """TOML has no word for none."""
    settings = load(tmp_path, '[server]\ncertificate_file = ""\nkey_file = ""', ISSUERS__CA__CA_BUNDLE="")
    assert (settings.server.certificate_file, settings.server.key_file) == (None, None)
    assert settings.issuer("ca").ca_bundle is None


def test_urls_are_made_from_the_domain_and_the_port() -> None:
    """The port is left out where it is https's own, and a proxy's goes before."""
    assert Settings().vault_suffix == "vault.localhost:8443"
    assert Settings().management_url == "https://management.localhost:8443"
    for server in ({"port": 443}, {"port": 8443, "public_port": 443}):
        assert Settings.model_validate({"server": {**server, "domain": "kv.test"}}).vault_suffix == "vault.kv.test"


def test_the_sample_is_the_defaults(tmp_path: Path) -> None:
    """With the marks taken off the settings that have a default, the sample says what no file says."""
    sample = sample_settings()
    assert load(tmp_path, sample) == load(tmp_path, "")
    lines = [line for line in sample.splitlines() if "not set by default" not in line]
    text = re.sub(r"^# (\w+ = )", r"\1", "\n".join(lines), flags=re.MULTILINE)
    text, *tables = re.split(r"# \[([\w.]+)\.NAME\]", text)
    assert load(tmp_path, text) == load(tmp_path, "")
    by_name = dict(zip(tables[::2], tables[1::2], strict=True))
    assert load(tmp_path, f"[issuers.x]{by_name['issuers']}").issuer("x") == Settings().issuer("x")
    webhook = by_name["webhooks"].replace('url = ""', 'url = "https://hooks.test/"')
    assert load(tmp_path, f"[webhooks.x]{webhook}").webhooks == {"x": WebhookSettings(url="https://hooks.test/")}
    for section in ("server", "seal", "worker", "metrics", "network", "challenges", "log"):
        assert f"\n[{section}]" in sample


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('url = "http://ca.test/v2"', "an https URL"),
        ('url = "ca.test"', "an https URL"),
        ('url = "https://ca.test/v2?key=1"', "an https URL"),
        ('url = "https://[ca.test"', "issuers.ca.url"),
        ('client_certificate = "atlas-client"', "VAULT/NAME"),
        ('client_certificate = "a/b/c"', "VAULT/NAME"),
    ],
)
def test_a_ca_that_cannot_be_reached_safely_is_refused_at_the_start(tmp_path: Path, line: str, says: str) -> None:
    """A setting that no request could be sent by is named when it is read."""
    file = tmp_path / "certworker.toml"
    file.write_text(f"[issuers.ca]\n{line}\n")
    with pytest.raises(SettingsError, match=says):
        load_settings(file, {})
