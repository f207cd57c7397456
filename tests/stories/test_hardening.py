"""What was broken once: owners who change their mind in between, and operators who mistype."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from certworker.api.server_certificate import ServerCertificate
from certworker.bootstrap import make_master_key, open_house
from certworker.cli.exits import ExitCode
from certworker.cli.live import show_live
from certworker.cli.main import app
from certworker.errors import BadParameter, SettingsError, SetupError, Unavailable
from certworker.settings import Settings, load_settings
from certworker.vault.issuance import IssuanceRequest, Pending, Step
from certworker.vault.operations import OperationStatus, Progress
from certworker.vault.policy import ActionType, LifetimeAction, Policy
from tests.support.clock import FakeClock
from tests.support.deployment import Deployment, open_deployment, policy_for

MAIL = (LifetimeAction(ActionType.EMAIL_CONTACTS, lifetime_percentage=80),)


@pytest.fixture
def deployment(tmp_path: Path, clock: FakeClock) -> Iterator[Deployment]:
    """Set a small deployment up."""
    with open_deployment(tmp_path, clock) as opened:
        yield opened


def only_mail(policy: Policy) -> Policy:
    """Change a policy so that nothing is renewed by itself."""
    return replace(policy, lifetime_actions=MAIL, lifetime_actions_set=True)


def test_a_policy_changed_during_an_issuance_plans_the_renewal(deployment: Deployment) -> None:
    """The renewal that is planned when the certificate comes goes by the policy of that moment."""

    def change_and_wait(_: IssuanceRequest, progress: Progress | None, at: datetime) -> Step:
        house, vault = deployment.house, deployment.vault
        house.certificates.update_policy(deployment.administrator, vault, "web", only_mail)
        return Pending(progress or {}, at + timedelta(seconds=0))

    deployment.authority.script.append(change_and_wait)
    deployment.create("web", policy_for("web.test"))
    deployment.work()
    assert deployment.operation("web").status is OperationStatus.COMPLETED
    assert deployment.renewal("web").due_at is None


def test_a_new_policy_counts_though_its_operation_was_cancelled(deployment: Deployment) -> None:
    """What a create sets is the certificate's policy at once: the version that there is is not renewed by the old one."""
    deployment.create("web", policy_for("web.test"))
    deployment.work()
    assert deployment.renewal("web").due_at is not None
    deployment.create("web", policy_for("web.test", "Unknown"))
    deployment.house.certificates.delete_operation(deployment.administrator, deployment.vault, "web")
    assert deployment.renewal("web").due_at is None


@pytest.mark.parametrize(
    "email", ["@", "a@", "@example.test", "a b@example.test", "<a@example.test>", "a@b@example.test", "\u00e9@b"]
)
def test_an_address_that_no_certificate_holds_is_refused(deployment: Deployment, email: str) -> None:
    """It is the caller's mistake, found before a key is made for it."""
    policy = policy_for("web.test", "Self")
    names = replace(policy.x509.names, emails=(email,))
    with pytest.raises(BadParameter, match=r"x509_props\.sans\.emails"):
        deployment.create("web", replace(policy, x509=replace(policy.x509, names=names)))


@pytest.mark.parametrize(
    ("name", "value"), [("SERVER__LISTEN", "999.1.1.1"), ("SERVER__LISTEN", ""), ("CHALLENGES__HTTP01_LISTEN", "::1, nowhere")]
)
def test_an_address_that_is_none_is_named(name: str, value: str) -> None:
    """What cannot be listened on is told as the setting that it is."""
    with pytest.raises(SettingsError, match=name.lower().replace("__", r"\.")):
        load_settings(None, {f"CERTWORKER_{name}": value})


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    """Whatever lies there, it is one line and not a traceback."""
    (tmp_path / "certworker.db").write_bytes(bytes(range(256)) * 100)
    settings = load_settings(write(tmp_path, ""), {})
    make_master_key(settings.seal.master_key_file)
    with pytest.raises(Unavailable, match="damaged"), open_house(settings):
        pass


def test_a_server_certificate_that_is_missing_is_named(tmp_path: Path) -> None:
    """The file is told, when it is looked for and when it is looked at again."""
    settings = founded(tmp_path, '[server]\ncertificate_file = "tls.pem"\nkey_file = "tls.key"\n')
    with open_house(settings) as house:
        certificate = ServerCertificate(house)
        for ask in (certificate.context, certificate.refresh, certificate.root):
            with pytest.raises(SetupError, match=r"tls\.pem cannot be read: No such file"):
                ask()


def test_the_news_outlive_a_database_that_is_away(
    deployment: Deployment, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`certworker dev` goes on, and tells what it has missed."""
    database, aside = tmp_path / "certworker.db", tmp_path / "aside"

    def rounds() -> Iterator[None]:
        deployment.house.store.close()
        database.rename(aside)
        database.mkdir()
        yield
        database.rmdir()
        aside.rename(database)
        deployment.create("web", policy_for("web.test", "Self"))
        yield

    show_live(deployment.house, rounds(), "", (), deployment.house.fleet.last_event())
    assert "certificate contoso/web has a new version" in capsys.readouterr().out


def test_a_lost_master_key_is_not_replaced(tmp_path: Path) -> None:
    """A second init says what is missing, and leaves no key that opens nothing."""
    key = founded(tmp_path, "").seal.master_key_file
    kept = key.read_bytes()
    key.unlink()
    answer = CliRunner().invoke(app, ["init", "-c", str(tmp_path / "certworker.toml")])
    assert answer.exit_code == ExitCode.ERROR
    assert "set up already" in answer.stderr
    assert "bring it back from its backup" in answer.stderr
    assert not key.exists()
    key.write_bytes(kept)
    key.chmod(0o600)
    answer = CliRunner().invoke(app, ["init", "-c", str(tmp_path / "certworker.toml")])
    assert answer.exit_code == ExitCode.CONFLICT
    assert answer.stderr == "certworker: This deployment has been set up already.\n"
    assert key.read_bytes() == kept


def write(folder: Path, text: str) -> Path:
    """Write a settings file."""
    file = folder / "certworker.toml"
    file.write_text(text)
    return file


def founded(folder: Path, text: str) -> Settings:
    """Set a deployment up with the settings in `text`."""
    settings = load_settings(write(folder, text), {})
    make_master_key(settings.seal.master_key_file)
    with open_house(settings) as house:
        house.founding.found("contoso", "administrator")
    return settings
