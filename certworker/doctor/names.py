"""Names: whether this machine resolves its own and those of others, and whether the addresses to listen on are its own."""

from collections.abc import Iterator
from functools import partial
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from certworker.doctor.authorities import authorities_of
from certworker.doctor.finding import Finding, Reporter
from certworker.doctor.side_by_side import outcomes
from certworker.doctor.subject import Subject
from certworker.network.probe import cannot_listen, resolve
from certworker.settings import Settings
from certworker.vault.vaults import SYSTEM_VAULT

_HERE: Final = Reporter("names")


def look_at_names(subject: Subject) -> Iterator[Finding]:
    """Resolve everything that the settings and the issuers name."""
    others, own = sorted(_others(subject)), _own(subject)
    names = (*others, *own)
    answers = outcomes([partial(resolve, name) for name in names], subject.seconds)
    # one that fails or comes too late has found nothing
    addresses = {name: () if isinstance(found, Exception) else found for name, found in zip(names, answers, strict=True)}
    for name in others:
        if not addresses[name]:
            to_do = f"Look with `getent hosts {name}`, then at /etc/resolv.conf and the name itself."
            yield _HERE.wrong(f"{name} does not resolve on this machine.", to_do)
    if missing := [name for name in own if not addresses[name]]:
        yield _HERE.warning(f"This machine does not resolve its own names: {', '.join(missing)}.", _mend(subject, missing))
    count = sum(bool(found) for found in addresses.values())
    if count:
        yield _HERE.fine(f"Names that resolve: {count} of {len(addresses)}.")
    yield from _addresses(subject.settings)


def _mend(subject: Subject, missing: list[str]) -> str:
    if subject.settings.server.domain == "localhost":
        return f"As root: apt-get install libnss-myhostname, or: echo '127.0.0.1 {' '.join(missing)}' >> /etc/hosts"
    return f"Add *.{subject.settings.server.domain} and *.vault.{subject.settings.server.domain} to the DNS."


def _own(subject: Subject) -> list[str]:
    domain = subject.settings.server.domain
    vaults = subject.records.vaults if subject.records else ()
    named = [vault.name for vault in vaults if vault.name != SYSTEM_VAULT][:1] or ["any"]
    return [f"{plane}.{domain}" for plane in ("login", "management", "graph", f"{named[0]}.vault")]


def _others(subject: Subject) -> set[str]:
    settings = subject.settings
    urls = [authority.url for authority in authorities_of(subject)]
    urls += [webhook.url for webhook in settings.webhooks.values()]
    urls += [found.issuer for found in settings.identity.issuers.values()]
    urls += settings.release.authorities
    hosts = {_host(url) for url in urls} | {settings.mail.host or ""}
    return {host for host in hosts if host and not _is_address(host) and not _is_localhost(host)}


def _addresses(settings: Settings) -> Iterator[Finding]:
    asked = {
        "server.listen": settings.server.listen,
        "metrics.listen": (settings.metrics.listen,),
        "challenges.http01_listen": settings.challenges.http01_listen if settings.challenges.http01_port else (),
        "challenges.tlsalpn01_listen": settings.challenges.tlsalpn01_listen if settings.challenges.tlsalpn01_port else (),
    }
    for setting, addresses in asked.items():
        refused = [address for address in addresses if cannot_listen(address, 0)]
        if refused and len(refused) == len(addresses):
            to_do = f"Put an address of this machine into {setting}; `ip address` lists them."
            yield _HERE.wrong(f"{setting}: {', '.join(refused)} is not an address of this machine.", to_do)
        elif refused:
            yield _HERE.note(f"{setting}: {', '.join(refused)} is not an address of this machine, and is left out.")


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _is_localhost(host: str) -> bool:
    # what leads to loopback by definition is not asked for (RFC 6761 section 6.3)
    return host == "localhost" or host.endswith(".localhost")


def _is_address(host: str) -> bool:
    try:
        return bool(ip_address(host))
    except ValueError:
        return False
