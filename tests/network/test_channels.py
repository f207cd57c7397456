"""The channels that settings name: which there are, who listens on them, and the secrets that they read."""

from pathlib import Path

import pytest

from certworker.errors import SettingsError
from certworker.network.channels import open_audience
from certworker.seal.private_files import read_private
from certworker.settings import HookSettings, Mail, Settings, WebhookSettings, load_settings
from certworker.vault.notification.audience import Audience, Subscription
from certworker.vault.notification.message import Topic
from certworker.vault.store import Store
from tests.network.relays import PASSWORD, USER, Mailbox, relay, server_context
from tests.support.clock import FakeClock
from tests.support.deployment import open_deployment
from tests.support.messages import AT, a_message

URL = "https://hooks.test/in?token=hunter2"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Make a store that nobody asks anything."""
    with open_deployment(tmp_path_factory.mktemp("deployment"), FakeClock()) as deployment:
        return deployment.house.store


def audience(store: Store, **settings: object) -> Audience:
    """Set up what the settings name."""
    return open_audience(Settings.model_validate(settings), store, read_private)


def test_without_settings_nobody_is_told(store: Store) -> None:
    """There is no channel, and nobody to listen."""
    assert audience(store) == Audience({}, ())


def test_each_section_is_a_channel(store: Store) -> None:
    """Contacts listen on mail by themselves; webhooks and the hook for what they want to hear."""
    found = audience(
        store,
        mail=Mail(host="relay.test", sender="a@example.test"),
        webhooks={"team": WebhookSettings(url=URL, topics=("revoked",), vaults=("contoso",)), "all": WebhookSettings(url=URL)},
        hook=HookSettings(command=("/bin/true",), topics=("expired",)),
    )
    assert set(found.channels) == {"mail", "webhook", "hook"}
    assert found.subscriptions == (
        Subscription("webhook", "team", frozenset({Topic.REVOKED}), frozenset({"contoso"})),
        Subscription("webhook", "all"),
        Subscription("hook", "hook", frozenset({Topic.EXPIRED})),
    )
    assert found.channels["hook"].deliver(a_message(to="hook"), AT).done
    assert "hunter2" not in repr(found)


@pytest.mark.parametrize("section", ["hook", "webhooks"])
def test_a_topic_that_there_is_not_is_named(store: Store, section: str) -> None:
    """With those that there are."""
    hook = {"command": ("x",), "topics": ("revoekd",)}
    settings = {"hook": hook} if section == "hook" else {"webhooks": {"team": {"url": URL, "topics": ("revoekd",)}}}
    with pytest.raises(SettingsError, match=r"(hook|webhooks\.team)\.topics: there is no topic 'revoekd'; .*revoked"):
        audience(store, **settings)


def test_a_password_is_read_from_a_file_that_nobody_else_reads(store: Store, tmp_path: Path) -> None:
    """At each log-in, so that it can be changed; what is wrong with the file is told."""
    context, bundle = server_context(tmp_path)
    file = tmp_path / "password"
    with relay(Mailbox(), context, "starttls", login=True) as found:
        mail = {"host": "localhost", "port": found.port, "sender": "a@example.test", "user": USER, "ca_bundle": bundle}
        network = {"allow_private": ("localhost",)}
        channel = audience(store, mail={**mail, "password_file": file}, network=network).channels["mail"]
        assert f"{file} cannot be read" in channel.deliver(a_message(), AT).message
        file.write_text(PASSWORD + "\n")
        file.chmod(0o644)
        assert f"chmod 600 {file}" in channel.deliver(a_message(), AT).message
        file.chmod(0o600)
        assert channel.deliver(a_message(), AT).done
        absent = audience(store, mail={**mail, "password_env": "NO_SUCH_VARIABLE"}, network=network).channels["mail"]
        assert "has no variable NO_SUCH_VARIABLE" in absent.deliver(a_message(), AT).message


def test_a_secret_that_is_none_is_told_with_its_file(store: Store, tmp_path: Path) -> None:
    """And without what is in it."""
    file = tmp_path / "secret"
    file.write_text("hunter2")
    file.chmod(0o600)
    webhook = {"url": "http://localhost:1/", "secret_file": file, "handshake": False}
    channel = audience(store, webhooks={"team": webhook}).channels["webhook"]
    delivery = channel.deliver(a_message(to="team"), AT)
    assert delivery.message.startswith(f"webhooks.team.secret_file: {file} holds what is no secret")
    assert "hunter2" not in delivery.message


@pytest.mark.parametrize("topic", ["digest", "test"])
def test_what_comes_to_everybody_is_no_topic_to_choose(store: Store, topic: str) -> None:
    """Who chose nothing else would hear of nothing."""
    with pytest.raises(SettingsError, match=f"there is no topic '{topic}'"):
        audience(store, hook={"command": ("x",), "topics": (topic,)})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[mail]\nhost = "r"', "mail: .*host goes with sender"),
        ('[mail]\nhost = "r"\nsender = "nobody"', "sender is not an address"),
        ('[mail]\nsender = "a@b.test\\r\\nBcc: c@d.test"', "sender is not an address"),
        ('[mail]\nuser = "u"', "user goes with one of password_file and password_env"),
        ('[mail]\nuser = "u"\npassword_file = "p"\npassword_env = "P"', "user goes with one of"),
        ('[mail]\npassword_env = "P"', "password_env goes with user"),
        ('[mail]\nuser = "u"\npassword_env = "P"\ntls = "none"', "tls none goes without user"),
        ('[mail]\ntls = "ssl"', r"mail\.tls"),
        ("[webhooks.team]", r"webhooks\.team: .*url is not an https URL"),
        ('[webhooks.team]\nurl = "http://hooks.test/"', "url is not an https URL"),
        ('[webhooks.team]\nurl = "https://user:hunter2@hooks.test/"', "url is not an https URL"),
        ('[webhooks.team]\nurl = "https://[hooks.test/"', "url is not an https URL"),
        ('[webhooks.team]\nurl = "https://hooks.test:port/"', "url is not an https URL"),
        ('[webhooks.team]\nurl = "https://h.test/"\nformat = "eventgrid"\nmode = "binary"', "mode binary goes with"),
        ("[hook]\nseconds = 900", r"hook\.seconds"),
        ('[hook]\ntopics = ["expired"]', "topics and vaults go with command"),
        ('[mail]\nhost = "smtp.test:587"\nsender = "a@b.test"', "port is a setting of its own"),
        ('[webhooks.team]\nurl = "https://hooks test/"', "url is not an https URL"),
    ],
)
def test_settings_that_do_not_fit_are_named(tmp_path: Path, text: str, words: str) -> None:
    """What is wrong, and what would be right; passwords are not repeated."""
    file = tmp_path / "certworker.toml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=words) as refusal:
        load_settings(file, {})
    assert "hunter2" not in str(refusal.value)


def test_paths_and_lists_are_read_as_everywhere(tmp_path: Path) -> None:
    """Paths begin at the file's folder; the environment gives lists with commas."""
    file = tmp_path / "certworker.toml"
    file.write_text('[mail]\nca_bundle = "roots.pem"\n[webhooks.team]\nurl = "http://[::1]:80/"\nsecret_file = "s"')
    environment = {"CERTWORKER_HOOK__COMMAND": "/bin/page, on-call", "CERTWORKER_WEBHOOKS__TEAM__TOPICS": "revoked,expired"}
    settings = load_settings(file, environment)
    assert settings.mail.ca_bundle == tmp_path / "roots.pem"
    assert settings.mail.relay_port == 587
    assert settings.webhooks["team"].secret_file == tmp_path / "s"
    assert settings.webhooks["team"].topics == ("revoked", "expired")
    assert settings.hook.command == ("/bin/page", "on-call")
