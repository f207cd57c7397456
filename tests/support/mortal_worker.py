"""A worker's process that gets a SIGKILL at the n-th thing that happens to it: `python -m tests.support.mortal_worker ...`.

It works at real speed over real sockets until a certificate's operation is over, and tells by its exit code: 0 where it came
to that, 3 where time ran out, and by the signal where it was killed. Challenges are answered by another process.
"""

import os
import signal
import sys
import time
from pathlib import Path
from random import SystemRandom

from certworker.bootstrap import build
from certworker.clock import utc_now
from certworker.network.egress import EgressRules
from certworker.network.http import Budget, EgressClient, EgressTransport, Trust
from certworker.settings import load_settings
from certworker.store.engine import open_store
from certworker.vault.operations import OperationStatus
from certworker.worker.rounds import Rounds
from tests.support.fate import Fate, MortalStore, MortalTransport

PATIENCE_SECONDS = 30.0


def main(config: Path, vault_id: str, name: str, dies_at: int | None) -> int:
    """Work until the renewal of a certificate is over."""
    settings = load_settings(config, {})
    fate = Fate(dies_at, kill=lambda: os.kill(os.getpid(), signal.SIGKILL))

    def connect(rules: EgressRules, ca_bundle: str | None, timeout_seconds: float) -> EgressClient:
        budget = Budget(rules.total.total_seconds())
        transport = MortalTransport(EgressTransport(rules, Trust().context(ca_bundle), budget), fate)
        return EgressClient(rules, transport, budget, timeout_seconds)

    store = open_store(settings.database_url, utc_now)
    house = build(settings, utc_now, MortalStore(store, fate), SystemRandom(), connect=connect)
    rounds = Rounds(house)
    rounds.take_over()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        rounds.run_due(utc_now())
        with store.reading() as reader:
            operation, certificate = reader.operation(vault_id, name), reader.certificate(vault_id, name)
        over = operation is not None and operation.status is OperationStatus.COMPLETED
        if over and certificate and (certificate.renewal.due_at is None or certificate.renewal.due_at > utc_now()):
            store.close()
            return 0
        time.sleep(0.05)
    return 3


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]) if len(sys.argv) > 4 else None))
