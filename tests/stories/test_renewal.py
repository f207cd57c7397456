"""Stories of days and months, on the fake clock."""

from datetime import timedelta
from pathlib import Path

from certworker.vault.operations import OperationReason, OperationStatus
from tests.support.clock import FakeClock
from tests.support.deployment import open_deployment, policy_for


def test_a_year_of_a_certificate_without_a_lapse(tmp_path: Path, clock: FakeClock) -> None:
    """Ninety-day certificates follow each other for a year; each begins before the last ends, and the old ones stay."""
    with open_deployment(tmp_path, clock) as deployment:
        deployment.create("web", policy_for("web.example.test"))
        end = clock() + timedelta(days=365)
        due = deployment.work()
        while due is not None and due < end:
            clock.set(max(due, clock() + timedelta(seconds=1)))
            due = deployment.work()
            current = deployment.house.certificates.get(deployment.administrator, deployment.vault, "web").version
            assert current.attributes.expires is not None
            assert current.attributes.expires > clock()
        versions = deployment.house.certificates.versions(deployment.administrator, deployment.vault, "web", None, 25).items
        assert len(versions) == 6
        last = deployment.house.certificates.operation(deployment.administrator, deployment.vault, "web")
        assert (last.status, last.reason) == (OperationStatus.COMPLETED, OperationReason.DEFAULT)
