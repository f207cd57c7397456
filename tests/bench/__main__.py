"""How fast certworker is, as ratios to references measured in the same run: `make bench`.

Machines are noisy, so what is compared is measured in turns, and the best turn of each side counts. `build/bench.json` holds a
list of {name, ours, reference, reference_name, ratio, goal, met}; rates are operations a second, a ratio of 1 is as fast as the
reference, and `goal` is the ratio that is wanted, if one is. Three references: the raw operation in as many processes as ours
has, a bare route on the same server program, and OpenBao (TLS, raft storage, file audit).

`make bench ARGS="decisions scrapes"` measures these parts alone.
"""

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from time import perf_counter
from types import MappingProxyType

from certworker.clock import utc_now
from certworker.crypto.bundles import pem_bundle
from certworker.crypto.keys import generate_key, private_pem
from certworker.crypto.x509 import self_sign
from certworker.vault.drafts import certificate_request
from certworker.vault.lifetime import self_signed_validity
from certworker.vault.objects import new_version
from certworker.vault.policy import complete
from certworker.vault.rights.policies import MOST_POLICIES, AccessPolicy
from certworker.vault.secrets import NewSecret
from tests.bench.fleet import SERIES, scraped_fleet
from tests.bench.load import Load
from tests.bench.openbao import PROGRAM, OpenBao, openbao
from tests.bench.raw import raw_rate
from tests.bench.service import PROCESSES, Service, bare_route, service
from tests.support.deployment import Deployment, open_deployment, policy_for

LARGE = 100_000
TURNS = 3
TURN_SECONDS = 0.6
RESULT = Path("build/bench.json")
CONNECTIONS = (1, 16)
BARE, OPENBAO = "a bare route on the same server", "OpenBao"

Rate = Callable[[], float]


@dataclass(frozen=True)
class Measured:
    """A rate of ours beside that of a reference."""

    name: str
    ours: float
    reference: float
    reference_name: str
    ratio: float
    goal: float | None
    met: bool | None


@dataclass(frozen=True)
class Reference:
    """What ours is held against, and the ratio that is wanted."""

    name: str
    rate: Rate
    goal: float | None = None


def compare(name: str, ours: Rate, *references: Reference) -> list[Measured]:
    """Measure all sides in turns."""
    turns = [(ours(), *(reference.rate() for reference in references)) for _ in range(TURNS)]
    best, *others = (max(rates) for rates in zip(*turns, strict=True))
    return [_measured(name, best, other, reference) for other, reference in zip(others, references, strict=True)]


def _measured(name: str, ours: float, other: float, reference: Reference) -> Measured:
    ratio, goal = round(ours / other, 3), reference.goal
    verdict = "" if goal is None else f" (goal {goal}: {'met' if ratio >= goal else 'MISSED'})"
    print(f"{ratio:8.3f}  {name}: {ours:,.0f}/s; {reference.name}: {other:,.0f}/s{verdict}", flush=True)  # noqa: T201
    met = None if goal is None else ratio >= goal
    return Measured(name, round(ours, 1), round(other, 1), reference.name, ratio, goal, met)


def repeated(work: Callable[[], object]) -> Rate:
    """Do `work` over and over in this thread."""

    def rate() -> float:
        begun, count = perf_counter(), 0
        while perf_counter() - begun < TURN_SECONDS:
            work()
            count += 1
        return count / (perf_counter() - begun)

    return rate


def issuance(deployment: Deployment) -> list[Measured]:
    """Compare issuance through the service and the worker with the bare cryptography of it."""
    own, issued = policy_for("own.example.test", "Self"), policy_for("web.example.test")

    def create_issued() -> None:
        deployment.create("web", issued)
        deployment.work()

    bare = Reference("key and signature alone", repeated(_self_signed))
    return [
        *compare("self-signed certificate, EC, stored", repeated(lambda: deployment.create("own", own)), bare),
        *compare("certificate by issuer, worker included, EC", repeated(create_issued), bare),
    ]


def _self_signed() -> tuple[bytes, bytes]:
    policy, key = complete(policy_for("localhost", "Self")), generate_key("EC", None, "P-256")
    begin, end = self_signed_validity(utc_now() - timedelta(days=1), 12)
    return key, self_sign(key, certificate_request(policy), begin, end)


def decisions(deployment: Deployment) -> list[Measured]:
    """Compare a decision by roles and one by 1,024 access policies with the secret get that asks for one."""
    house, by_roles, who = deployment.house, deployment.vault, deployment.administrator
    by_policies = replace(by_roles, id=new_version(), name="by-policies", rbac=False)
    many = [AccessPolicy(who.tenant_id, f"object-{number}", {"secrets": ("get",)}) for number in range(MOST_POLICIES - 1)]
    house.secrets.set(who, by_roles, "db", NewSecret("value"))
    with house.store.writing() as writer:
        writer.add_vault(by_policies)
        writer.put_access_policies(by_policies.id, (*many, AccessPolicy(who.tenant_id, who.object_id, {"secrets": ("get",)})))

    def decide() -> None:
        for vault in (by_roles, by_policies):
            house.access.require(who, vault, "secrets", "get", reader, name="db")

    with house.store.glance() as reader:
        get = Reference("secret get, in process", repeated(lambda: house.secrets.get(who, by_roles, "db")), 10)
        return compare("decision by roles and decision by access policies, together", repeated(decide), get)


def scrapes(folder: Path) -> list[Measured]:
    """Compare a scrape of a large fleet with that of a small one: both tell of as many certificates one by one."""
    with scraped_fleet(folder / "large", LARGE) as large, scraped_fleet(folder / "small", SERIES) as small:
        print(f"{len(large.text()[0]):8,} octets tell of {LARGE:,} certificates", flush=True)  # noqa: T201
        reference = Reference(f"scrape of {SERIES:,}", repeated(small.text), 0.5)
        return compare(f"scrape of {LARGE:,} certificates", repeated(large.text), reference)


def requests(folder: Path, ours: Service, bare: Load, theirs: OpenBao) -> list[Measured]:
    """Compare requests through the full road: TLS, token, permission, database."""
    measured = []
    for connections in CONNECTIONS:
        many = connections > 1

        def turn(load: Load, connections: int = connections) -> Rate:
            return partial(load.rate, folder, connections)

        for name, load, like, goal, raw in (
            ("secret get", ours.secret_get, theirs.secret_get, 1.5, None),
            ("secret set", ours.secret_set, theirs.secret_set, 3.0, None),
            ("RS256-2048 sign", ours.sign("rsa", "RS256"), theirs.sign("rsa"), 2.0, "RS256"),
            ("ES256 sign", ours.sign("ec", "ES256"), theirs.sign("ec"), None, "ES256"),
            ("AES-GCM encrypt", ours.encrypt, theirs.encrypt, None, "A256GCM"),
        ):
            references = [Reference(OPENBAO, turn(like), goal if many else None), Reference(BARE, turn(bare))]
            if raw:
                cores = PROCESSES if many else 1
                wanted = 0.7 if raw == "RS256" and many else None
                references.append(Reference(f"the raw operation in {cores} process(es)", partial(raw_rate, raw, cores), wanted))
            measured += compare(f"{name}, {connections} connection{'s' * many}", turn(load), *references)
    return measured


def over_the_wire() -> list[Measured]:
    """Measure requests to services of ours, of a bare route and of OpenBao."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        key, certificate = _self_signed()
        pem, pem_key = pem_bundle(None, certificate, ()), private_pem(key)
        (folder / "tls.pem").write_bytes(pem)
        (folder / "tls.key").write_bytes(pem_key)
        return requests(
            folder,
            stack.enter_context(service(folder / "ours")),
            stack.enter_context(bare_route(folder / "tls.pem", folder / "tls.key")),
            stack.enter_context(openbao(folder / "openbao", pem, pem_key)),
        )


def in_process(part: Callable[[Deployment], list[Measured]]) -> list[Measured]:
    """Measure a part with a deployment of its own."""
    with tempfile.TemporaryDirectory() as folder, open_deployment(Path(folder), utc_now) as deployment:
        return part(deployment)


def large_and_small() -> list[Measured]:
    """Measure scrapes of fleets."""
    with tempfile.TemporaryDirectory() as folder:
        return scrapes(Path(folder))


PARTS: Mapping[str, Callable[[], list[Measured]]] = MappingProxyType(
    {
        "requests": over_the_wire,
        "issuance": partial(in_process, issuance),
        "decisions": partial(in_process, decisions),
        "scrapes": large_and_small,
    }
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and write the result."""
    parser = argparse.ArgumentParser(prog="make bench ARGS=")
    parser.add_argument("parts", nargs="*", help=f"what is measured: {', '.join(PARTS)}; all unless named")
    wanted = parser.parse_args(arguments).parts or list(PARTS)
    if unknown := [part for part in wanted if part not in PARTS]:
        parser.error(f"there is no part {unknown[0]!r}; there are {', '.join(PARTS)}")
    missing = [str(program) for program in ("wrk", PROGRAM) if shutil.which(program) is None]
    if "requests" in wanted and missing:
        print(f"bench needs {' and '.join(missing)}: make setup-system and make bench install them", file=sys.stderr)  # noqa: T201
        return 1
    results = [result for part in wanted for result in PARTS[part]()]
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps([asdict(result) for result in results], indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
