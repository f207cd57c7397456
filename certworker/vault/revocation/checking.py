"""The look at one certificate: its leaf and its intermediates, by what they name. No transaction is open meanwhile."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

from certworker.crypto.revocation import Judgement, Points, Result, RevocationList, judge_by_lists, points_of, unknown
from certworker.crypto.x509 import order_chain, read_certificate
from certworker.errors import BadParameter
from certworker.vault.objects import CertificateVersion
from certworker.vault.revocation.authorities import MOST_URLS, Authorities
from certworker.vault.revocation.lists import Lists
from certworker.vault.revocation.responders import Responders
from certworker.vault.revocation.sources import LEEWAY
from certworker.vault.revocation.standing import Standing

MOST_ASKED: Final = 8
"""So many URLs are asked in one look: each may take seconds, and a look is shorter than its lease."""
MOST_CERTIFICATES: Final = 6
MOST_POINTS: Final = 4
MOST_PLACES: Final = 4
"""So many URLs of one distribution point are tried."""
MOST_DELTAS: Final = 8
LONGEST_URL: Final = 2048


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a look has found: see `Status`. `urls` are those that it rests on, or would."""

    standing: Standing
    why: str
    reason: str | None = None
    revoked_at: datetime | None = None
    about: str = ""
    source: str = ""
    host: str = ""
    fresh_until: datetime | None = None
    serials: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()


@dataclass(slots=True)
class Look:
    """One look as it goes on: what may still be asked, and which URLs were of use."""

    at: datetime
    anew: bool = False
    asked: int = 0
    urls: list[str] = field(default_factory=list)

    def may_ask(self) -> bool:
        """Count one question; tell whether it may be asked."""
        self.asked += 1
        return self.asked <= MOST_ASKED


@dataclass(frozen=True, slots=True)
class Link:
    """A certificate of the path, with who issued it where that is known. `about` is empty for the leaf."""

    der: bytes
    issuer: bytes | None
    points: Points
    about: str
    serial: str


class Checks:
    """Looks at certificates."""

    def __init__(self, lists: Lists, responders: Responders, authorities: Authorities) -> None:
        self._lists = lists
        self._responders = responders
        self._authorities = authorities

    def check(self, version: CertificateVersion, at: datetime, *, anew: bool = False) -> Verdict:
        """Find out what became of a version. `anew` asks for lists that are at hand as well."""
        try:
            links = links_of(version)
        except BadParameter as error:
            return Verdict(Standing.UNCHECKED, str(error))
        look = Look(at, anew)
        found = [(link, *self._judge(link, links, look)) for link in links if is_checkable(link)]
        serials, urls = tuple(link.serial for link, *_ in found), tuple(dict.fromkeys(look.urls))
        if not found:
            return Verdict(Standing.UNCHECKED, why_not(links))
        for result, standing in ((Result.REVOKED, Standing.REVOKED), (Result.UNKNOWN, Standing.UNKNOWN)):
            for link, judged, host in found:
                if judged.result is result:
                    return _verdict(standing, link, judged, host, serials, urls)
        link, judged, host = found[0]
        ends = [one.fresh_until for _, one, _ in found if one.fresh_until]
        standing, why = Standing.GOOD, judged.why
        if link is not links[0] and not links[0].points.needs_none:
            # that nothing above it is revoked says nothing of itself
            standing, why = Standing.UNCHECKED, f"{why_not(links)} What is above it: {judged.why}"
        return Verdict(standing, why, None, None, link.about, judged.source, host, min(ends, default=None), serials, urls)

    def _judge(self, link: Link, links: tuple[Link, ...], look: Look) -> tuple[Judgement, str]:
        issuer = link.issuer or self._authorities.find(link.der, link.points.ca_issuer_urls, look.at, look.may_ask)
        look.urls += link.points.ca_issuer_urls[:MOST_URLS]
        if issuer is None:
            return unknown("The certificate of its issuer is not in the chain, and cannot be had from where it says."), ""
        # one list serves all that are below an authority, a responder answers for one certificate at a time
        ways = (self._by_lists, self._by_responders) if link.about else (self._by_responders, self._by_lists)
        wrong: list[str] = []
        judged, host = unknown("It names nothing that tells."), ""
        for way in ways:
            for judged, host in way(link, issuer, links, look):
                if judged.result is not Result.UNKNOWN:
                    return judged, host
                wrong.append(judged.why)
        return unknown(" ".join(dict.fromkeys(wrong)), judged.source), host

    def _by_responders(
        self, link: Link, issuer: bytes, _links: tuple[Link, ...], look: Look
    ) -> Iterator[tuple[Judgement, str]]:
        for url in link.points.ocsp_urls[:MOST_POINTS]:
            if len(url) <= LONGEST_URL:
                look.urls.append(url)
                yield self._responders.judge(url, link.der, issuer, look.at, look.may_ask), host_of(url)

    def _by_lists(self, link: Link, issuer: bytes, links: tuple[Link, ...], look: Look) -> Iterator[tuple[Judgement, str]]:
        if not link.points.crl_urls:
            return
        lists: list[RevocationList] = []
        wrong: list[str] = []
        host = ""
        for group in link.points.crl_urls[:MOST_POINTS]:
            for url in group[:MOST_PLACES]:
                one, why = self._find(url, issuer, look)
                if why:
                    wrong.append(why)
                if one is not None:
                    lists.append(one)
                    host = host or host_of(url)
                    break
        deltas = dict.fromkeys((*link.points.delta_urls, *(url for one in lists for url in one.delta_urls)))
        for url in tuple(deltas)[:MOST_DELTAS]:
            one, _ = self._find(url, issuer, look)
            lists += [] if one is None else [one]
        host = host or host_of(link.points.crl_urls[0][0])
        if not lists:
            yield unknown(" ".join(wrong), "crl"), host
            return
        above = [other.der for other in links if other.about]
        judged = judge_by_lists(link.der, issuer, lists, look.at, other_certificates=above, leeway=LEEWAY)
        if judged.result is Result.UNKNOWN and wrong:
            judged = unknown(f"{judged.why} {' '.join(wrong)}", "crl")
        yield judged, host

    def _find(self, url: str, issuer: bytes, look: Look) -> tuple[RevocationList | None, str]:
        if len(url) > LONGEST_URL:
            return None, f"It names a URL of {len(url)} characters."
        look.urls.append(url)
        found = self._lists.find(url, issuer, look.at, look.may_ask, anew=look.anew)
        return found.list, found.why


def links_of(version: CertificateVersion) -> tuple[Link, ...]:
    """Put the certificates of a version in order, its leaf first, without roots. Raises BadParameter."""
    path = (version.der, *order_chain(version.der, version.chain))[:MOST_CERTIFICATES]
    links = []
    for place, der in enumerate(path):
        facts = read_certificate(der)
        if facts.subject == facts.issuer:
            break
        above = path[place + 1] if place + 1 < len(path) else None
        links.append(Link(der, above, points_of(der), facts.subject if place else "", facts.serial))
    return tuple(links)


def is_checkable(link: Link) -> bool:
    """Whether a certificate names something that tells of its revocation, and needs it."""
    return not link.points.needs_none and bool(link.points.crl_urls or link.points.ocsp_urls)


def why_not(links: tuple[Link, ...]) -> str:
    """Say why nothing can be learned of a certificate."""
    if not links:
        return "It is self-signed: nobody could revoke it."
    if links[0].points.needs_none:
        return "It lives so shortly, or its issuer says so, that nothing tells of its revocation."
    return "It names no revocation list and no OCSP responder that can be asked over HTTP."


def host_of(url: str) -> str:
    """Name the host of a URL, with its port."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2][:260]
    except ValueError:
        return ""


def _verdict(
    standing: Standing, link: Link, judged: Judgement, host: str, serials: tuple[str, ...], urls: tuple[str, ...]
) -> Verdict:
    why = f"The certificate above it, {link.about}: {judged.why}" if link.about else judged.why
    return Verdict(
        standing, why, judged.reason, judged.revoked_at, link.about, judged.source, host, judged.fresh_until, serials, urls
    )
