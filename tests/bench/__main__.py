"""How fast certworker is, as ratios to a reference measured in the same run: `make bench`.

Machines are noisy, so each pair is measured in turns, and the best turn of each side counts. `build/bench.json` holds a list of
{name, ours, reference, reference_name, ratio}; rates are operations a second, and a ratio of 1 is as fast as the reference.
"""

import json
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter

from certworker.clock import utc_now
from certworker.crypto.keys import generate_key
from certworker.crypto.x509 import self_sign
from certworker.vault.drafts import certificate_request
from certworker.vault.lifetime import self_signed_validity
from certworker.vault.policy import complete
from tests.bench.server import Served, serving
from tests.support.deployment import Deployment, open_deployment, policy_for

TURNS = 5
TURN_SECONDS = 0.6
RESULT = Path("build/bench.json")


@dataclass(frozen=True)
class Measured:
    """A rate of ours beside that of a reference."""

    name: str
    ours: float
    reference: float
    reference_name: str
    ratio: float


def rate(work: Callable[[], int]) -> float:
    """Give the operations a second of one turn; `work` does some and says how many."""
    begun, count = perf_counter(), 0
    while perf_counter() - begun < TURN_SECONDS:
        count += work()
    return count / (perf_counter() - begun)


def compare(name: str, ours: Callable[[], int], reference_name: str, reference: Callable[[], int]) -> Measured:
    """Measure both sides in turns."""
    pairs = [(rate(ours), rate(reference)) for _ in range(TURNS)]
    best, best_reference = max(pair[0] for pair in pairs), max(pair[1] for pair in pairs)
    measured = Measured(name, round(best, 1), round(best_reference, 1), reference_name, round(best / best_reference, 3))
    print(f"{measured.ratio:8.3f}  {name}: {best:,.0f}/s; {reference_name}: {best_reference:,.0f}/s")  # noqa: T201
    return measured


def issuance(deployment: Deployment) -> list[Measured]:
    """Compare issuance through the service and the worker with the bare cryptography of it."""
    own, issued = policy_for("own.example.test", "Self"), policy_for("web.example.test")

    def create_own() -> int:
        deployment.create("own", own)
        return 1

    def create_issued() -> int:
        deployment.create("web", issued)
        deployment.work()
        return 1

    def bare() -> int:
        policy = complete(own)
        self_sign(generate_key("EC", None, "P-256"), certificate_request(policy), *self_signed_validity(utc_now(), 12))
        return 1

    return [
        compare("self-signed certificate, EC, stored", create_own, "key and signature alone", bare),
        compare("certificate by issuer, worker included, EC", create_issued, "key and signature alone", bare),
    ]


def requests(served: Served) -> list[Measured]:
    """Compare requests over TLS with a route that does nothing, on the same server."""
    measured = []
    for connections in (1, 16):
        name = f"secret get over TLS, {connections} connection{'s' * (connections > 1)}"
        reference = "a bare route on the same server"
        measured.append(compare(name, served.load(served.secret, connections), reference, served.load("/hello", connections)))
    return measured


def main() -> int:
    """Measure, print, and write the result."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        deployment = stack.enter_context(open_deployment(folder, utc_now))
        deployment.create("secret", policy_for("secret.example.test", "Self"))
        results = issuance(deployment)
        results += requests(stack.enter_context(serving(folder, deployment)))
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps([asdict(result) for result in results], indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
