"""The status of all vaults in one: each vault is asked for its own, so that its rights, its network rules and its log decide.

No one answer is made for all of them: what a vault says is said to those whom it lets in, from where it lets them in, and is
in its own audit log.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from certworker.cli.progress import working
from certworker.errors import CertworkerError, Forbidden, NotFound, Unauthenticated

if TYPE_CHECKING:
    from certworker.cli.client import VaultClient

Wire = dict[str, Any]
STATUS: Final = "/certworker/v1/status"
VAULTS: Final = "/certworker/v1/vaults"
NO_RIGHT: Final = "you may not list certificates there"
_OWN: Final = ("certificates", "needing_attention", "states", "issuers", "gates", "dead_notices", "more_dead_notices")
"""What is told of each vault by itself too."""


def ask_all(client: "VaultClient", most: int) -> Wire:
    """Ask all vaults that the caller may know of.

    Raises Forbidden where none would tell, and where none does that would, what was in the way.
    """
    known = client.call("GET", VAULTS)["value"]
    asked = [one for one in known if one["status"]]
    not_counted = [{"name": one["name"], "url": one["url"], "why": NO_RIGHT} for one in known if not one["status"]]
    found: list[tuple[str, Wire]] = []
    trouble: CertworkerError | None = None
    with working("Asking the vaults", total=len(asked)) as step:
        for number, one in enumerate(asked):
            step.reach(number)
            try:
                other = client.beside(one["url"])
                found.append((other.vault_url, other.call("GET", STATUS, problems=str(most))))
            except Unauthenticated:
                raise  # no other one will let this caller in either
            except CertworkerError as error:
                # one that fails does not hide the others
                trouble = trouble if isinstance(error, Forbidden | NotFound) else error
                not_counted.append({"name": one["name"], "url": one["url"], "why": str(error)})
    if not found:
        raise trouble or Forbidden("There is no vault of which you may list the certificates.")
    return together(found, sorted(not_counted, key=lambda one: str(one["name"])), client.vault_url)


def together(found: Sequence[tuple[str, Wire]], not_counted: Sequence[Wire], here: str) -> Wire:
    """Put statuses together, one at the least, each with its vault's URL. Commands for others than `here` name their vault."""
    statuses = [status for _, status in found]
    states: Counter[str] = Counter()
    for status in statuses:
        states.update(status["states"])
    problems = [_of_vault(problem, status, url, here) for url, status in found for problem in status["problems"]]
    workers = [status["worker"] for status in statuses if "worker" in status]
    return {
        "at": max(status["at"] for status in statuses),
        "certificates": sum(status["certificates"] for status in statuses),
        "needing_attention": sum(status["needing_attention"] for status in statuses),
        "states": dict(states),
        "problems": sorted(problems, key=_urgency),
        "vaults": sorted((_line(status, url) for url, status in found), key=_need),
        "not_counted": list(not_counted),
        "ahead": _ahead(statuses),
        "dead_notices": sum(status["dead_notices"] for status in statuses),
        "more_dead_notices": any(status["more_dead_notices"] for status in statuses),
        "changes_waiting": max(status["changes_waiting"] for status in statuses),
        **({"worker": max(workers, key=lambda worker: int(worker["last_run"]))} if workers else {}),
    }


def _of_vault(problem: Wire, status: Wire, url: str, here: str) -> Wire:
    to_do = problem.get("to_do")
    elsewhere = {"to_do": f"{to_do} --vault-url {url}"} if to_do and url != here else {}
    return {"vault": status["vault"], **problem, **elsewhere}


def _urgency(problem: Wire) -> tuple[bool, float, str, str]:
    """Order as a vault does: what is critical first, and of the same kind what ends first."""
    ends = float(problem.get("expires", "inf"))
    return problem["severity"] != "critical", ends, problem["vault"], problem["name"]


def _need(line: Wire) -> tuple[int, bool, str]:
    return -line["needing_attention"], not line["gates"], line["name"]


def _line(status: Wire, url: str) -> Wire:
    return {"name": status["vault"], "url": url, **{name: status[name] for name in _OWN}}


def _ahead(statuses: Sequence[Mapping[str, Any]]) -> list[Wire]:
    """Add up what lies ahead by the day. Midnight may pass between two answers: the earlier day is over then."""
    days: dict[float, Wire] = {}
    for status in statuses:
        for day in status["ahead"]:
            sums = days.setdefault(day["begins"], {"begins": day["begins"], "renewals": 0, "expiries": 0})
            sums["renewals"] += day["renewals"]
            sums["expiries"] += day["expiries"]
    first = max(status["ahead"][0]["begins"] for status in statuses)
    return [days[begins] for begins in sorted(days) if begins >= first]
