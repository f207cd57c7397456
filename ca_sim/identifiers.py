"""Identifiers: which names and addresses the authority issues for (RFC 8555 section 7.1.4, RFC 8738)."""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from ca_sim.problems import MalformedError, ProblemError, RejectedIdentifierError, UnsupportedIdentifierError

MAX_NAME = 253
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True, order=True)
class Identifier:
    """A DNS name in lower-case A-labels, or an IP address in its canonical text."""

    type: Literal["dns", "ip"]
    value: str

    def document(self) -> dict[str, str]:
        """Give the ACME identifier object."""
        return {"type": self.type, "value": self.value}


def read_identifiers(asked: Iterable[tuple[str, str]], *, blocked: Iterable[str] = ()) -> tuple[Identifier, ...]:
    """Check the (type, value) pairs of an order and give the identifiers, each once, in the order they were asked for.

    Raises the problem itself when one identifier is at fault, and one with subproblems when several are (RFC 8555
    section 6.7.1).
    """
    rules = tuple(blocked)
    good: dict[Identifier, None] = {}
    problems: list[ProblemError] = []
    for kind, value in asked:
        try:
            good[_read(kind, value, rules)] = None
        except ProblemError as problem:
            problem.identifier = {"type": kind, "value": value}
            problems.append(problem)
    if len(problems) == 1:
        raise problems[0]
    if problems:
        raise _all_of(problems)
    if not good:
        raise MalformedError("an order needs at least one identifier")
    return tuple(good)


def _all_of(problems: list[ProblemError]) -> ProblemError:
    same = {type(problem) for problem in problems}
    kind = same.pop() if len(same) == 1 else MalformedError
    return kind(f"{len(problems)} identifiers were refused", subproblems=problems)


def _read(kind: str, value: str, blocked: tuple[str, ...]) -> Identifier:
    if kind == "dns":
        identifier = Identifier("dns", _dns_name(value))
    elif kind == "ip":
        identifier = Identifier("ip", _address(value))
    else:
        raise UnsupportedIdentifierError(f"identifiers of type {kind!r} are not known here: use dns or ip")
    if is_blocked(identifier.value, blocked):
        raise RejectedIdentifierError(f"the policy of this authority blocks {identifier.value}")
    return identifier


def is_blocked(value: str, blocked: Iterable[str]) -> bool:
    """Say whether a value is one of `blocked`, or a name below one."""
    return any(value == entry or value.endswith("." + entry) for entry in blocked)


def _address(value: str) -> str:
    try:
        return str(ipaddress.ip_address(value))
    except ValueError as error:
        raise MalformedError(f"{value!r} is not an IP address") from error


def _dns_name(value: str) -> str:
    name = value.lower()
    if name.startswith("*."):
        # A wildcard is proven by dns-01 alone (RFC 8555 section 7.1.3), and http-01 is what there is to offer.
        raise RejectedIdentifierError("wildcard names cannot be validated here: only http-01 is offered")
    return check_name(name)


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
