"""Identifiers: which names and addresses the authority issues for (RFC 8555 section 7.1.4, RFC 8738)."""

import ipaddress
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from ca_sim.problems import MalformedError, ProblemError, RejectedIdentifierError, UnsupportedIdentifierError, problem_of_all

MAX_NAME = 253
WILDCARD = "*."
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True, order=True)
class Identifier:
    """A DNS name in lower-case A-labels, which may be a wildcard, or an IP address in its canonical text."""

    type: Literal["dns", "ip"]
    value: str

    @property
    def is_wildcard(self) -> bool:
        """Whether it stands for all names one label below another."""
        return self.value.startswith(WILDCARD)

    @property
    def base(self) -> "Identifier":
        """Give the name that a wildcard is below; what is no wildcard is its own base."""
        return Identifier(self.type, self.value.removeprefix(WILDCARD))

    @property
    def as_wildcard(self) -> "Identifier":
        """Give the wildcard below this name."""
        return Identifier(self.type, WILDCARD + self.value)

    def document(self) -> dict[str, str]:
        """Give the ACME identifier object."""
        return {"type": self.type, "value": self.value}


def read_identifiers(
    asked: Iterable[tuple[str, str]], *, blocked: Iterable[str] = (), check: Callable[[Identifier], None] | None = None
) -> tuple[Identifier, ...]:
    """Check the (type, value) pairs of an order and give the identifiers, each once, in the order they were asked for.

    `check` raises a problem for what is not taken for other reasons than those of this module. Raises the problem itself
    when one identifier is at fault, and one with subproblems when several are (RFC 8555 section 6.7.1).
    """
    rules = tuple(blocked)
    good: dict[Identifier, None] = {}
    problems: list[ProblemError] = []
    for kind, value in asked:
        try:
            identifier = _read(kind, value, rules)
            if check is not None:
                check(identifier)
            good[identifier] = None
        except ProblemError as problem:
            problem.identifier = {"type": kind, "value": value}
            problems.append(problem)
    if problems:
        raise problem_of_all(problems)
    if not good:
        raise MalformedError("an order needs at least one identifier")
    return tuple(good)


def _read(kind: str, value: str, blocked: tuple[str, ...]) -> Identifier:
    if kind == "dns":
        identifier = Identifier("dns", _dns_name(value))
    elif kind == "ip":
        identifier = Identifier("ip", check_address(value))
    else:
        raise UnsupportedIdentifierError(f"identifiers of type {kind!r} are not known here: use dns or ip")
    if is_blocked(identifier.value, blocked):
        raise RejectedIdentifierError(f"the policy of this authority blocks {identifier.value}")
    return identifier


def is_blocked(value: str, blocked: Iterable[str]) -> bool:
    """Say whether a value is one of `blocked`, or a name below one."""
    return any(value == entry or value.endswith("." + entry) for entry in blocked)


def check_address(value: str) -> str:
    """Give the canonical text of an IP address. Raises MalformedError, also for a zone (fe80::1%eth0), which is any text."""
    try:
        address = ipaddress.ip_address(value)
    except ValueError as error:
        raise MalformedError(f"{value!r} is not an IP address") from error
    if isinstance(address, ipaddress.IPv6Address) and address.scope_id is not None:
        raise MalformedError(f"{value!r} has a zone, which is for this machine alone to know")
    return str(address)


def _dns_name(value: str) -> str:
    name = value.lower()
    if not name.startswith(WILDCARD):
        return check_name(name)
    base = check_name(name.removeprefix(WILDCARD))
    if "." not in base:
        raise RejectedIdentifierError(f"{name} stands for a whole top-level domain")
    return WILDCARD + base


def check_name(name: str) -> str:
    """Give a lower-case host name back, or raise MalformedError that says what is wrong with it.

    Names of one label, such as localhost, are allowed: a simulated authority serves private networks.
    """
    if not name.isascii():
        raise MalformedError(f"{name!r} is not in A-labels: encode internationalized names with Punycode (xn--)")
    if len(name) > MAX_NAME:
        raise MalformedError(f"a DNS name has at most {MAX_NAME} characters")
    labels = name.split(".")
    for label in labels:
        _check_label(name, label)
    if labels[-1].isdigit():
        raise MalformedError(f"{name!r} ends in digits: for an address use an identifier of type ip")
    return name


def _check_label(name: str, label: str) -> None:
    if not _LABEL.fullmatch(label):
        raise MalformedError(f"{name!r} is not a DNS name: its label {label!r} is not letters, digits and hyphens")
    if label[2:4] != "--":
        return
    if not label.startswith("xn--") or not _is_punycode(label.removeprefix("xn--")):
        raise MalformedError(f"{name!r} is not a DNS name: its label {label!r} is not a valid A-label")


def _is_punycode(text: str) -> bool:
    try:
        decoded = text.encode("ascii").decode("punycode")
    except UnicodeError:
        return False
    return not decoded.isascii() and decoded.isprintable() and decoded.encode("punycode").decode("ascii") == text
