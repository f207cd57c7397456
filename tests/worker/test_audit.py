"""The worker's rounds of the audit log."""

from dataclasses import replace
from datetime import UTC, datetime

from certworker.audit.opening import open_audit_log
from certworker.settings import AuditSettings
from certworker.vault.access import SERVICE
from certworker.worker.rounds import Rounds
from tests.support.deployment import Deployment, policy_for


def test_what_a_transaction_has_recorded_is_due_at_once(deployment: Deployment) -> None:
    """The worker drains it in the turn in which it sees it; then nothing is due any more."""
    house = deployment.house
    settings = AuditSettings(folder=house.settings.seal.master_key_file.parent / "audit")
    with open_audit_log(settings, house.store, house.keyring, house.clock, "worker") as log:
        rounds = Rounds(replace(house, trail=log), "test-worker")
        house.certificates.create(SERVICE, deployment.vault, "web", policy_for("web.test", "Self"), tags={})
        due = rounds.run_due(house.clock())
        with house.store.reading() as reader:
            assert not reader.pending_records(1)
        assert due is None or due > datetime.fromtimestamp(0, UTC)
    (path,) = settings.folder.iterdir()
    assert b'"name":"web"' in path.read_bytes()


def test_where_no_log_is_kept_records_wait(deployment: Deployment) -> None:
    """A worker without a log leaves them to one that has one."""
    house = deployment.house
    house.certificates.create(SERVICE, deployment.vault, "web", policy_for("web.test", "Self"), tags={})
    deployment.work()
    with house.store.reading() as reader:
        assert reader.pending_records(1)
