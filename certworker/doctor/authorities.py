"""The CAs: whether each can be reached and is what its issuer says; and whether this clock goes with theirs."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Final

from certworker.doctor.finding import Finding, Reporter
from certworker.doctor.side_by_side import outcomes
from certworker.doctor.subject import Subject
from certworker.doctor.wording import hindered, place_of_url
from certworker.errors import CertworkerError
from certworker.issuers.digicert import PUBLIC_URL
from certworker.issuers.globalsign import ATLAS_URL
from certworker.network.http import Trust
from certworker.network.probe import Answered, ask, connect

_HERE: Final = Reporter("CAs")
_CLOCK: Final = Reporter("clock")
_RESOURCES: Final = ("newNonce", "newAccount", "newOrder")
WARN_AFTER, WRONG_AFTER = timedelta(seconds=5), timedelta(seconds=60)
_SET: Final = "Let this machine's clock be set by NTP, as with: timedatectl set-ntp true"
_NO_DIRECTORY: Final = "Set the issuer's account_id to the URL of the ACME directory, as the CA tells it."
_SERVER_ERRORS: Final = 500
_WITH_CERTIFICATE: Final = "globalsign"


@dataclass(frozen=True, slots=True, order=True)
class Authority:
    """Where a CA is asked, by which issuers. `provider` is in lower case."""

    provider: str
    url: str = field(repr=False)
    ca_bundle: Path | None = field(compare=False)
    issuers: tuple[str, ...] = field(compare=False)

    @property
    def named(self) -> str:
        """Name it by its issuers."""
        shown = ", ".join(self.issuers[:3]) + (" and others" if len(self.issuers) > 3 else "")  # noqa: PLR2004
        return f"The CA of {shown}"


def authorities_of(subject: Subject) -> tuple[Authority, ...]:
    """List the CAs of all issuers that are enabled and asked over HTTP."""
    known = [found for vault, issuer in _issuers(subject) if (found := _authority(subject, vault, issuer))]
    grouped = groupby(sorted(known), key=lambda one: (one.provider, one.url))
    merged = []
    for _, group in grouped:
        first, *others = group
        issuers = tuple(dict.fromkeys((*first.issuers, *(name for other in others for name in other.issuers))))
        merged.append(Authority(first.provider, first.url, first.ca_bundle, issuers))
    return tuple(merged)


def _issuers(subject: Subject) -> Iterator[tuple[str, tuple[str, str, str]]]:
    for vault, issuer in subject.records.issuers if subject.records else ():
        if issuer.enabled:
            yield vault.name, (issuer.name, issuer.provider.casefold(), issuer.account_id)


def _authority(subject: Subject, vault: str, issuer: tuple[str, str, str]) -> Authority | None:
    name, provider, account_id = issuer
    found = subject.settings.issuer(name)
    url = {"acme": account_id, "digicert": found.url or PUBLIC_URL, "globalsign": found.url or ATLAS_URL}.get(provider)
    return None if url is None else Authority(provider, url, found.ca_bundle, (f"{vault}/{name}",))


def look_at_authorities(subject: Subject) -> Iterator[Finding]:
    """Ask every CA for what everybody may have, and compare clocks."""
    if subject.records is None:
        yield _HERE.skipped(f"Not looked at, since {subject.why_no_records}: the issuers are in it.")
        return
    if subject.is_dev_home and not subject.runs:
        yield _HERE.skipped("Not looked at, since the simulated CA runs with `certworker dev` alone.")
        return
    authorities = authorities_of(subject)
    if not authorities:
        yield _HERE.note("No issuer names a CA, so none was asked.")
    trust = Trust()  # the public roots are loaded once for all
    answers = outcomes([partial(_ask, subject, one, trust) for one in authorities], subject.seconds + 1)
    for authority, answer in zip(authorities, answers, strict=True):
        yield _judge(authority, answer)
    yield from _clocks(authorities, answers)


def _ask(subject: Subject, authority: Authority, trust: Trust) -> Answered | None:
    """Ask a CA; where one wants a client certificate first, shake hands and no more."""
    if authority.provider != _WITH_CERTIFICATE:
        return ask(subject.rules, authority.url, authority.ca_bundle, subject.seconds, subject.clock, trust)
    host, _, port = place_of_url(authority.url).rpartition(":")
    connect(subject.rules, host, int(port), subject.seconds, authority.ca_bundle)
    return None


def _judge(authority: Authority, answer: Answered | Exception | None) -> Finding:
    place, who = place_of_url(authority.url), authority.named
    if isinstance(answer, CertworkerError):
        bundle = f"issuers.{authority.issuers[0].partition('/')[2]}.ca_bundle"
        return hindered(_HERE, who, place, answer, bundle)
    if isinstance(answer, Exception):
        to_do = "Look whether a firewall stands between this machine and it."
        return _HERE.wrong(f"{who}: {place} did not answer in time.", to_do)
    if answer is None:
        return _HERE.fine(f"{who} can be reached ({place}); `certworker issuer test` shows it the client certificate.")
    if answer.status >= _SERVER_ERRORS:
        to_do = "Wait, or look at the CA's status page: it is retried by itself."
        return _HERE.wrong(f"{who}: {place} answers with HTTP status {answer.status}: it is down or being serviced.", to_do)
    if authority.provider == "acme":
        return _judge_directory(authority, place, answer)
    return _HERE.fine(f"{who} can be reached ({place}); `certworker issuer test` looks whether it knows the account.")


def _judge_directory(authority: Authority, place: str, answer: Answered) -> Finding:
    if answer.status != 200:  # noqa: PLR2004
        return _HERE.wrong(f"{authority.named}: {place} answers with HTTP status {answer.status}.", _NO_DIRECTORY)
    try:
        directory = json.loads(answer.body)
    except (ValueError, RecursionError):
        directory = None
    if not isinstance(directory, dict) or not all(isinstance(directory.get(name), str) for name in _RESOURCES):
        return _HERE.wrong(f"{authority.named}: what {place} shows is no ACME directory.", _NO_DIRECTORY)
    return _HERE.fine(f"{authority.named} can be reached, and shows its ACME directory ({place}).")


def _clocks(authorities: Sequence[Authority], answers: Sequence[Answered | Exception | None]) -> Iterator[Finding]:
    told = [
        (place_of_url(authority.url), answer.offset)
        for authority, answer in zip(authorities, answers, strict=True)
        if isinstance(answer, Answered)
    ]
    known = {place: offset for place, offset in told if offset is not None}
    for place, offset in known.items():
        if finding := judge_clock(f"the CA's at {place}", offset):
            yield finding
    well = [place for place, offset in known.items() if abs(offset) <= WARN_AFTER]
    if well:
        yield _CLOCK.fine(f"This clock goes with that of {', '.join(well)}.")
    elif not known:
        yield _CLOCK.note("No CA told its time, so this clock was not compared with one.")


def judge_clock(whose: str, offset: timedelta) -> Finding | None:
    """Judge how far this clock is ahead of another one; none where that is little."""
    if abs(offset) <= WARN_AFTER:
        return None
    way = "ahead of" if offset > timedelta(0) else "behind"
    text = f"This clock is {abs(offset) / timedelta(seconds=1):.0f} s {way} {whose}."
    return _CLOCK.wrong(text, _SET) if abs(offset) > WRONG_AFTER else _CLOCK.warning(text, _SET)
