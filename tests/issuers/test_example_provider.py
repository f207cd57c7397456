"""The example of a provider of one's own, installed beside certworker as its users would."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from certworker.crypto.x509 import to_pem
from certworker.issuers.registry import load_providers
from certworker.vault.access import SERVICE
from certworker.vault.issuance import Issued
from certworker.vault.issuers import IssuerParameters
from certworker.vault.operations import OperationStatus
from tests.support.clock import FakeClock
from tests.support.deployment import ISSUER, Deployment, check_whole, open_deployment, policy_for

PACKAGE = Path(__file__).parent / "example_provider"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the package with pip, from its folder alone."""
    site = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "-q", "--no-deps", "--no-index"]
    subprocess.run([*command, "--no-build-isolation", "--target", str(site), str(PACKAGE)], check=True)
    return site


@pytest.fixture
def deployment(tmp_path: Path, clock: FakeClock, site: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployment]:
    """Open a deployment whose issuer is the folder `drop`."""
    monkeypatch.syspath_prepend(str(site))
    (tmp_path / "drop").mkdir()
    with open_deployment(tmp_path, clock) as opened:
        opened.house.issuers.set(SERVICE, opened.vault, ISSUER, IssuerParameters("DropBox", str(tmp_path / "drop")))
        yield opened


def test_a_certificate_comes_by_way_of_the_folder(deployment: Deployment, clock: FakeClock, tmp_path: Path) -> None:
    """The request lies there, the answer is taken up, and the version is whole; a restart in between changes nothing."""
    deployment.create("web", policy_for("web.test"))
    due = deployment.work()
    (asked,) = (tmp_path / "drop").glob("*.csr")
    assert asked.read_bytes().startswith(b"-----BEGIN CERTIFICATE REQUEST-----")
    (request,) = [deployment.operation("web")]
    issued = deployment.authority.issue(_Asked(request.csr), None, clock())  # type: ignore[arg-type]  # it reads the CSR alone
    assert isinstance(issued, Issued)
    asked.with_suffix(".pem").write_bytes(to_pem(issued.chain))
    assert due
    clock.set(due)
    deployment.work()
    assert check_whole(deployment, "web")


class _Asked:
    """The part of a request that the scripted CA reads."""

    def __init__(self, csr: bytes) -> None:
        self.csr = csr


@pytest.mark.parametrize(("answer", "status"), [("refused", OperationStatus.FAILED), ("pem", OperationStatus.IN_PROGRESS)])
def test_a_refusal_and_garbage_are_told(
    deployment: Deployment, clock: FakeClock, tmp_path: Path, answer: str, status: OperationStatus
) -> None:
    """A refusal ends the operation in the CA's words; what cannot be read is looked at again."""
    deployment.create("web", policy_for("web.test"))
    due = deployment.work()
    (asked,) = (tmp_path / "drop").glob("*.csr")
    asked.with_suffix(f".{answer}").write_text("Not this name.")
    assert due
    clock.set(due)
    deployment.work()
    operation = deployment.operation("web")
    assert operation.status is status
    assert "Not this name." in (operation.error_message or "") or "cannot be read" in (operation.status_details or "")


def test_a_cancelled_request_is_taken_back(deployment: Deployment, tmp_path: Path) -> None:
    """Nobody signs what is not wanted any more."""
    deployment.create("web", policy_for("web.test"))
    deployment.work()
    deployment.house.certificates.request_cancellation(deployment.administrator, deployment.vault, "web")
    deployment.work()
    assert deployment.operation("web").status is OperationStatus.CANCELLED
    assert not list((tmp_path / "drop").glob("*.csr"))


def test_a_folder_that_is_gone_is_told_and_waited_for(deployment: Deployment, clock: FakeClock, tmp_path: Path) -> None:
    """The operation goes on once it is there."""
    (tmp_path / "drop").rmdir()
    deployment.create("web", policy_for("web.test"))
    deployment.work()
    assert "The folder cannot be used" in (deployment.operation("web").status_details or "")
    (tmp_path / "drop").mkdir()
    clock.advance(timedelta(hours=1))
    deployment.work()
    assert list((tmp_path / "drop").glob("*.csr"))
    found = deployment.house.dealings.examinations.examine(SERVICE, deployment.vault, ISSUER)
    assert found.result
    assert found.result.passed


def test_it_is_short() -> None:
    """What has to be written to add a provider is under 100 lines, and is found by its entry point's name."""
    lines = sum(len((PACKAGE / name).read_text().splitlines()) for name in ("pyproject.toml", "dropbox_provider.py"))
    assert lines < 100


@pytest.mark.usefixtures("deployment")
def test_the_entry_point_is_found() -> None:
    """Its name is what issuer records say."""
    assert "dropbox" in load_providers({})
