"""What came from a CA is looked at before it becomes a version: small pure functions, in an ordered list.

A finding refuses, or warns. A CA that the worker asked has to deliver what was asked for; what a person merges is theirs to
judge, and only what could never work is refused.
"""

import ipaddress
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from certworker.crypto.extensions import SubjectNames
from certworker.crypto.subjects import common_names, parse_subject
from certworker.crypto.x509 import CertificateFacts, belonging, order_chain, read_certificate
from certworker.errors import BadParameter, KeyMismatch
from certworker.vault.lifetime import add_months
from certworker.vault.operations import Operation
from certworker.vault.policy import SERVER_AUTH

CLOCK_SKEW = timedelta(minutes=10)
"""A CA's clock may be so much ahead."""
CLEARLY_SHORTER = 0.9
"""What has less than this part of the lifetime asked for is clearly shorter."""
ANY_USE = "2.5.29.37.0"
WRONG_KEY = (
    "The public key of the end-entity certificate in the specified X.509 certificate content does not match the public part "
    "of the specified private key. Please check if certificate is valid."
)
_MOST_SHOWN = 3
_LONGEST_SHOWN = 100


@dataclass(frozen=True)
class Delivery:
    """What came for an operation at `at`: the leaf and the rest, in the order in which it came."""

    operation: Operation
    leaf: bytes
    others: tuple[bytes, ...]
    at: datetime

    @cached_property
    def facts(self) -> CertificateFacts:
        """Read the leaf. Raises BadParameter."""
        return read_certificate(self.leaf)

    @cached_property
    def belonging(self) -> tuple[bytes, ...]:
        """Choose what leads up from the leaf."""
        return belonging(self.leaf, self.others)

    @property
    def chain(self) -> tuple[bytes, ...]:
        """Give the chain as it is kept: in order, or as it came where the owner wants that."""
        return self.belonging if self.operation.preserve_order else order_chain(self.leaf, self.belonging)


@dataclass(frozen=True, slots=True)
class Finding:
    """What is not as it was asked for. With an `error` it refuses."""

    text: str
    error: type[BadParameter] | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """What may become a version: the leaf and then its chain, and what is to be told about it."""

    certificates: tuple[bytes, ...]
    warnings: tuple[str, ...]


def accept(operation: Operation, certificates: tuple[bytes, ...], at: datetime) -> Accepted:
    """Look at what came for an operation, the leaf first. Raises BadParameter (of it KeyMismatch) for what is refused."""
    if not certificates:
        raise BadParameter("There is no certificate in it.")
    delivery = Delivery(operation, certificates[0], certificates[1:], at)
    warnings = []
    for check in CHECKS:
        finding = check(delivery)
        if finding and finding.error:
            raise finding.error(finding.text)
        if finding:
            warnings.append(finding.text)
    return Accepted((delivery.leaf, *delivery.chain), tuple(warnings))


def _another_key(delivery: Delivery) -> Finding | None:
    if delivery.facts.public_key != delivery.operation.public_key:
        return Finding("The certificate is for another key." if _asked_of_ca(delivery) else WRONG_KEY, KeyMismatch)
    return None


def _authority(delivery: Delivery) -> Finding | None:
    if delivery.facts.is_authority:
        return Finding("The certificate is one of an authority, and no end-entity certificate.", BadParameter)
    return None


def _expired(delivery: Delivery) -> Finding | None:
    # it would fall due for renewal at once, and for ever
    if delivery.facts.not_after <= delivery.at:
        return Finding(f"The certificate expired at {_time(delivery.facts.not_after)}.", BadParameter)
    return None


def _not_yet_valid(delivery: Delivery) -> Finding | None:
    begins = delivery.facts.not_before
    if begins <= delivery.at:
        return None
    late = _asked_of_ca(delivery) and begins > delivery.at + CLOCK_SKEW
    return Finding(f"The certificate is not valid before {_time(begins)}.", BadParameter if late else None)


def _names_missing(delivery: Delivery) -> Finding | None:
    asked, got = delivery.operation.policy.x509.names, delivery.facts.names
    missing = _without(_hosts(asked), _hosts(got))
    if missing:
        text = f"The certificate lacks names that were asked for: {_some(missing)}."
        return Finding(text, BadParameter if _asked_of_ca(delivery) else None)
    missing = _without(_other_names(asked), _other_names(got))
    return Finding(f"The certificate lacks names that were asked for: {_some(missing)}.") if missing else None


def _names_added(delivery: Delivery) -> Finding | None:
    asked, got = delivery.operation.policy.x509, delivery.facts.names
    # a CA repeats the common name among the alternative ones
    known = {*_hosts(asked.names), *_other_names(asked.names), *common_names(asked.subject)}
    added = _without((*_hosts(got), *_other_names(got)), known)
    return Finding(f"The certificate has names that nobody asked for: {_some(added)}.") if added else None


def _another_subject(delivery: Delivery) -> Finding | None:
    asked = parse_subject(delivery.operation.policy.x509.subject).rfc4514_string()
    # a CA that the worker asks goes by its own rules for subjects
    if _asked_of_ca(delivery) or delivery.facts.subject == asked:
        return None
    return Finding(f"The certificate's subject is {_plain(delivery.facts.subject) or 'empty'}; asked was {_plain(asked)}.")


def _unfit_for_servers(delivery: Delivery) -> Finding | None:
    asked, got = delivery.operation.policy.x509.ekus, delivery.facts.ekus
    if SERVER_AUTH not in asked or not got or SERVER_AUTH in got or ANY_USE in got:
        return None
    text = "The certificate is not for TLS servers (its extended key usage lacks serverAuth), which was asked for."
    return Finding(text, BadParameter if _asked_of_ca(delivery) else None)


def _uses_missing(delivery: Delivery) -> Finding | None:
    asked, got = delivery.operation.policy.x509.ekus, delivery.facts.ekus
    missing = () if not got or ANY_USE in got else _without(asked, {*got, SERVER_AUTH})
    return Finding(f"The certificate lacks extended key usages that were asked for: {_some(missing)}.") if missing else None


def _other_key_usage(delivery: Delivery) -> Finding | None:
    asked, got = delivery.operation.policy.x509.key_usage, delivery.facts.key_usage
    if asked and got and not set(asked) & set(got):
        return Finding(f"The certificate's key usage is {_some(got)}; asked was {_some(asked)}.")
    return None


def _shorter(delivery: Delivery) -> Finding | None:
    begin, end = delivery.facts.not_before, delivery.facts.not_after
    months = delivery.operation.policy.x509.validity_months
    if end - begin >= (add_months(begin, months) - begin) * CLEARLY_SHORTER:
        return None
    return Finding(f"Asked for {months} {'month' if months == 1 else 'months'}, got {_span(end - begin)}.")


def _without_issuer(delivery: Delivery) -> Finding | None:
    if delivery.belonging or delivery.facts.subject == delivery.facts.issuer:
        return None
    return Finding(f"The certificate came without that of its issuer, {_plain(delivery.facts.issuer)}: the chain is missing.")


def _foreign(delivery: Delivery) -> Finding | None:
    foreign = [der for der in dict.fromkeys(delivery.others) if der not in {delivery.leaf, *delivery.belonging}]
    if not foreign:
        return None
    text = f"Certificates that do not lead up from the leaf came with it: {_some(map(_subject, foreign))}."
    if _asked_of_ca(delivery):
        return Finding(f"{text} They are left out.")
    return Finding(f"{text} Leave them out, or add those in between.", BadParameter)


Check = Callable[[Delivery], Finding | None]
CHECKS: tuple[Check, ...] = (
    _another_key,
    _authority,
    _expired,
    _not_yet_valid,
    _names_missing,
    _names_added,
    _another_subject,
    _unfit_for_servers,
    _uses_missing,
    _other_key_usage,
    _shorter,
    _without_issuer,
    _foreign,
)
"""In the order in which they are asked: the first that refuses ends it."""


def _asked_of_ca(delivery: Delivery) -> bool:
    return delivery.operation.policy.is_integrated


def _hosts(names: SubjectNames) -> tuple[str, ...]:
    return (*(name.lower() for name in names.dns_names), *map(_address, names.ip_addresses))


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return text  # a certificate can name a whole network


def _other_names(names: SubjectNames) -> tuple[str, ...]:
    return (*(address.lower() for address in names.emails), *names.upns, *names.uris)


def _subject(der: bytes) -> str:
    return read_certificate(der).subject


def _without(names: Iterable[str], known: Iterable[str]) -> list[str]:
    known = frozenset(known)
    return [name for name in names if name not in known]


def _some(words: Iterable[str]) -> str:
    words = list(words)
    more = f" and {len(words) - _MOST_SHOWN} more" if len(words) > _MOST_SHOWN else ""
    return ", ".join(_plain(word) or "(empty)" for word in words[:_MOST_SHOWN]) + more


def _plain(text: str) -> str:
    """Cut a CA's words, and take out what would break a line or turn its text round."""
    return "".join(character if character.isprintable() else " " for character in text[:_LONGEST_SHOWN])


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def _span(span: timedelta) -> str:
    for unit, length in (("days", timedelta(days=1)), ("hours", timedelta(hours=1))):
        if span >= 2 * length:
            return f"{span // length} {unit}"
    return f"{span // timedelta(minutes=1)} minutes"
