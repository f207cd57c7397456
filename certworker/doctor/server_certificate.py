"""The server's own certificate: how long it holds, for which names, and whether it is what the port shows."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Final

from certworker.api.server_certificate import certificate_of_files, load_context, server_names
from certworker.crypto.x509 import CertificateFacts, read_certificate, split_pem
from certworker.doctor.finding import Finding, Reporter
from certworker.doctor.master_key import is_sealed
from certworker.doctor.subject import Subject
from certworker.errors import BadParameter, SetupError
from certworker.network.probe import shown_certificate

_HERE: Final = Reporter("server certificate")
LATE: Final = 5
"""It is renewed at two thirds of its time; with less than a fifth left something has gone wrong."""


def look_at_server_certificate(subject: Subject) -> Iterator[Finding]:
    """Look at the certificate that lies there, and at the one that is shown."""
    try:
        der = _of_files(subject) or (subject.records.server_certificate if subject.records else None)
    except (SetupError, BadParameter) as error:
        yield _HERE.wrong(str(error), "Set server.certificate_file and server.key_file to PEM files that go together.")
        return
    if der is None:
        why = f"since {subject.why_no_records}" if subject.why_no_records else "since there is none: the first start makes it"
        yield _HERE.skipped(f"Not looked at, {why}.")
        return
    facts = read_certificate(der)
    yield _time_left(subject, facts)
    if missing := _missing(subject, facts):
        to_do = (
            "Order one with these names." if subject.settings.server.certificate_file else "Restart the service: it makes one."
        )
        yield _HERE.warning(f"It lacks the names {', '.join(missing)}.", to_do)
    if subject.runs:
        yield from _shown(subject, der)


def _of_files(subject: Subject) -> bytes | None:
    server = subject.settings.server
    pem = certificate_of_files(server)
    if pem is None or server.certificate_file is None:
        return None
    load_context(pem)
    return split_pem(server.certificate_file.read_bytes())[0]


def _time_left(subject: Subject, facts: CertificateFacts) -> Finding:
    at, until = subject.clock(), _shown_time(facts.not_after)
    named = subject.settings.server.certificate_file
    to_do = f"Put a new one into {named}." if named else "See that a worker runs, and look at its log."
    if at >= facts.not_after:
        return _HERE.wrong(f"It expired at {until}: no client connects any more.", to_do)
    if at < facts.not_before:
        text = f"It is not valid before {_shown_time(facts.not_before)}."
        return _HERE.wrong(text, "Look at the clock of this machine.")
    left = facts.not_after - at
    if left < min((facts.not_after - facts.not_before) / LATE, timedelta(days=7)):
        return _HERE.warning(f"It expires at {until} already.", to_do)
    return _HERE.fine(f"It holds until {until}, for {', '.join(facts.names.dns_names[:3]) or 'no name'}.")


def _missing(subject: Subject, facts: CertificateFacts) -> list[str]:
    there = {name.casefold() for name in facts.names.dns_names}
    wanted = server_names(subject.settings).dns_names
    above = {f"*.{name.partition('.')[2]}" for name in wanted}
    covered = there | {name for name in wanted if f"*.{name.partition('.')[2]}" in there & above}
    return [name for name in wanted if name.casefold() not in covered]


def _shown(subject: Subject, der: bytes) -> Iterator[Finding]:
    server = subject.settings.server
    address = next((one for one in server.listen if not ip_address(one).is_unspecified), "127.0.0.1")
    try:
        shown = shown_certificate(address, server.port, server.domain, subject.seconds)
    except OSError as error:
        text = f"The operators' port answers, and port {server.port} of {address} does not: {error.strerror or error}."
        yield _HERE.note(text, "Fine for a worker alone; else look at the log of the service.")
        return
    if is_sealed(subject.settings):
        yield _HERE.note(f"Port {server.port} of {address} shows one made for the time until the service is unsealed.")
    elif shown == der:
        yield _HERE.fine(f"Port {server.port} of {address} shows it.")
    else:
        to_do = "Look again in a minute, or restart the service; another program may have the port."
        yield _HERE.warning(f"Port {server.port} of {address} shows another certificate.", to_do)


def _shown_time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}Z"
