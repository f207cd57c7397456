"""Whom the service speaks to beside CAs: the mail relay, webhooks, and others who say who somebody is."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from certworker.doctor.finding import Finding, Reporter
from certworker.doctor.side_by_side import Late, outcomes
from certworker.doctor.subject import Subject
from certworker.doctor.wording import hindered, place_of_url
from certworker.errors import CertworkerError
from certworker.network.authority_keys import ATTESTATION, DiscoveredKeys
from certworker.network.channels import open_relay
from certworker.network.dns import NameServer
from certworker.network.probe import Hindrance, connect, hindrance_of
from certworker.seal.private_files import read_private
from certworker.vault.release_policy import plain_authority

_MAIL: Final = Reporter("mail")
_WEBHOOKS: Final = Reporter("webhooks")
_IDENTITY: Final = Reporter("sign-in")
_DNS: Final = Reporter("dns-01")
_IN_TIME: Final = "Look whether a firewall stands between this machine and it."
_MOST_FAILING: Final = 3


def look_at_mail(subject: Subject) -> Iterator[Finding]:
    """Go with the relay as far as a mail would, and send none."""
    mail = subject.settings.mail
    try:
        relay = open_relay(subject.settings, read_private)
        if relay is None:
            yield _MAIL.note("No relay is set (mail.host), so contacts get no mail.")
            return
        yield _MAIL.fine(f"{relay.greet(subject.seconds)}. No mail was sent.")
    except CertworkerError as error:
        place = f"{mail.host}:{mail.relay_port}"
        if hindrance_of(error) is Hindrance.OTHER:
            yield _MAIL.wrong(f"The relay {error}", _of_relay(str(error)))
        else:
            yield hindered(_MAIL, "The relay", place, error, "mail.ca_bundle")


def _of_relay(said: str) -> str:
    if "refuses the log-in" in said:
        return "Put mail.user and its password right."
    if "STARTTLS" in said:
        return "Set mail.tls to what the relay offers: starttls, tls (from the first byte) or none."
    return "Look at mail.host, mail.port and mail.tls."


def look_at_webhooks(subject: Subject) -> Iterator[Finding]:
    """Connect to every webhook; nothing is told to it."""
    hooks = subject.settings.webhooks
    works: list[Callable[[], None]] = []
    for hook in hooks.values():
        parts = urlsplit(hook.url)
        port = parts.port or (80 if parts.scheme == "http" else 443)
        host, tls = parts.hostname or "", parts.scheme == "https"
        works.append(partial(connect, subject.rules, host, port, subject.seconds, hook.ca_bundle, tls=tls))
    for (name, hook), found in zip(hooks.items(), outcomes(works, subject.seconds + 1), strict=True):
        place = place_of_url(hook.url)
        yield _reached(_WEBHOOKS, f"The webhook {name}", place, found, f"webhooks.{name}.ca_bundle")


def look_at_name_servers(subject: Subject) -> Iterator[Finding]:
    """Connect to the name servers that are updated for dns-01."""
    named = {name: NameServer.read(found.dns_server) for name, found in subject.settings.issuers.items() if found.dns_server}
    works = [partial(connect, subject.rules, one.host, one.port, subject.seconds, tls=False) for one in named.values()]
    for (name, server), found in zip(named.items(), outcomes(works, subject.seconds + 1), strict=True):
        place = f"{server.host}:{server.port}"
        yield _reached(_DNS, f"The name server of issuers.{name}", place, found, "")


def _reached(here: Reporter, who: str, place: str, found: object, bundle: str) -> Finding:
    if isinstance(found, CertworkerError):
        return hindered(here, who, place, found, bundle)
    if isinstance(found, Exception):
        return here.wrong(f"{who}: {place} did not answer in time.", _IN_TIME)
    return here.fine(f"{who} can be reached ({place}); nothing was told to it.")


def look_at_identity(subject: Subject) -> Iterator[Finding]:
    """Ask those who sign tokens and attestations for their keys."""
    settings = subject.settings
    asked: list[tuple[str, str, Path | None, str, str]] = [
        (f"The sign-in of {name}", found.issuer, found.ca_bundle, "issuer", f"identity.issuers.{name}.ca_bundle")
        for name, found in settings.identity.issuers.items()
    ]
    for authority in settings.release.authorities:
        who = f"The attestation authority {place_of_url(authority)}"
        asked.append((who, authority, settings.release.ca_bundle, ATTESTATION, "release.ca_bundle"))
    works = [partial(_ask_for_keys, subject, url, bundle, what) for _, url, bundle, what, _ in asked]
    for (who, url, _, _, setting), found in zip(asked, outcomes(works, subject.seconds + 1), strict=True):
        if isinstance(found, Late):
            yield _IDENTITY.wrong(f"{who}: {place_of_url(url)} did not answer in time.", _IN_TIME)
        elif isinstance(found, CertworkerError):
            yield hindered(_IDENTITY, who, place_of_url(url), found, setting)
        elif isinstance(found, Exception):
            yield _IDENTITY.wrong(f"{who}: its URL is none that can be asked.", "Write it as https://login.example.com/realm.")
        else:
            yield _IDENTITY.fine(f"{who} shows its keys ({place_of_url(url)}).")


def _ask_for_keys(subject: Subject, url: str, bundle: Path | None, what: str) -> None:
    authority = plain_authority(url)
    DiscoveredKeys(subject.rules, bundle, subject.seconds, subject.clock, what).find(authority, "")


def look_at_revocation(subject: Subject) -> Iterator[Finding]:
    """Tell of revocation lists and responders that have not answered for some time."""
    here = Reporter("revocation")
    if subject.records is None:
        yield here.skipped(f"Not looked at, since {subject.why_no_records}.")
        return
    if not subject.settings.revocation.enabled:
        yield here.note("Revocation is not looked at (revocation.enabled).")
        return
    long_ago = subject.clock() - timedelta(hours=1)
    failing = [one for one in subject.records.sources if one.failing_since and one.failing_since < long_ago]
    for one in failing[:_MOST_FAILING]:
        text = (
            f"The {one.kind} at {place_of_url(one.url)} has not answered as it should since {one.failing_since:%Y-%m-%d %H:%M}"
        )
        yield here.warning(f"{text}Z: {one.last_error or 'no reason is known'}", "See whether this machine can reach it.")
    if not failing:
        yield here.fine(
            f"Revocation lists and responders that are known: {len(subject.records.sources)}; none has failed for long."
        )
