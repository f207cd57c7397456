"""The service on this machine: whether it answers, whether its ports are free for it, and whether its worker works."""

import errno
from collections.abc import Iterator
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Final

from certworker.doctor.finding import Finding, Reporter
from certworker.doctor.master_key import is_sealed
from certworker.doctor.records import Records
from certworker.doctor.subject import Subject
from certworker.errors import CertworkerError
from certworker.network.egress import EgressRules
from certworker.network.probe import Answered, Hindrance, ask, cannot_listen, hindrance_of
from certworker.settings import Settings
from certworker.vault.notification.ledger import NoticeStatus

_HERE: Final = Reporter("service")
_PORTS: Final = Reporter("ports")
_WORKER: Final = Reporter("worker")
_NOTICES: Final = Reporter("notices")
SILENT: Final = timedelta(minutes=2)
"""An idle worker writes every quarter of a minute that it is alive."""
OVERDUE: Final = timedelta(minutes=5)
_OK: Final = 200


def answers_here(subject: Subject) -> bool:
    """Whether a service answers at the operators' port of the settings."""
    try:
        return _ask(subject, "/healthz").body.strip() == b"ok"
    except CertworkerError:
        return False


def look_at_service(subject: Subject) -> Iterator[Finding]:
    """Ask the operators' port; where nobody answers, look whether the ports are free."""
    metrics = subject.settings.metrics
    where = f"{metrics.listen}:{metrics.port}"
    if not subject.runs:
        yield from _not_running(subject, where)
        return
    yield _HERE.fine(f"It runs: the operators' port {where} answers.")
    try:
        ready = _ask(subject, "/readyz")
        said = ready.body.decode("utf-8", "replace").strip().removeprefix("not ready:").strip()[:200]
        if ready.status != _OK:
            to_do = "Do what that says; the log of the service says more, as do the lines on database and audit log here."
            if is_sealed(subject.settings):
                to_do = f"Open it: certworker seal unseal{subject.of_config}"
            yield _HERE.wrong(f"It is not ready: {said}", to_do)
        scraped = _ask(subject, "/metrics", whole=False)
        if scraped.status == _OK:
            yield _HERE.fine(f"Metrics can be fetched at http://{where}/metrics.")
        else:
            yield _HERE.warning(f"Metrics cannot be fetched (HTTP status {scraped.status}).", "Look at the log of the service.")
    except CertworkerError as error:
        yield _HERE.warning(f"The operators' port answers slowly, or not in full: {error}", "Look at the log of the service.")


def _not_running(subject: Subject, where: str) -> Iterator[Finding]:
    try:
        _ask(subject, "/healthz")
    except CertworkerError as error:
        if hindrance_of(error) is Hindrance.REFUSED:
            yield _HERE.note(f"It does not run on this machine: nothing answers at {where}.", f"Start it: {subject.start}")
        else:
            yield _HERE.warning(
                f"What listens at {where} does not answer as the service does.", "See which program it is: ss -ltnp"
            )
    else:
        yield _HERE.wrong(f"Another program answers at {where}.", "Stop it, or choose another metrics.port.")
    found = [finding for setting, addresses, port in _wanted(subject.settings) for finding in _free(setting, addresses, port)]
    yield from found
    if not found:
        yield _PORTS.fine("The ports of the service are free for it.")


def _ask(subject: Subject, path: str, *, whole: bool = True) -> Answered:
    metrics = subject.settings.metrics
    listen = metrics.listen
    if listen != "localhost" and ip_address(listen).is_unspecified:
        listen = "::1" if ":" in listen else "127.0.0.1"
    host = f"[{listen}]" if ":" in listen else listen
    # where the service listens is not what the egress rules are about
    rules = EgressRules((listen,))
    return ask(rules, f"http://{host}:{metrics.port}{path}", None, subject.seconds, subject.clock, whole=whole)


def _wanted(settings: Settings) -> Iterator[tuple[str, tuple[str, ...], int]]:
    yield "server.port", settings.server.listen, settings.server.port
    yield "metrics.port", (settings.metrics.listen,), settings.metrics.port
    challenges = settings.challenges
    yield "challenges.http01_port", challenges.http01_listen, challenges.http01_port
    yield "challenges.tlsalpn01_port", challenges.tlsalpn01_listen, challenges.tlsalpn01_port
    for name, found in settings.identity.managed.items():
        yield f"identity.managed.{name}.port", (found.listen,), found.port


def _free(setting: str, addresses: tuple[str, ...], port: int) -> Iterator[Finding]:
    if not port:
        return  # the system chooses one, or there is none
    for address in addresses:
        error = cannot_listen(address, port)
        if error is None:
            continue
        if error.errno == errno.EADDRINUSE:
            to_do = f"Stop what has it (ss -ltnp shows it), or choose another {setting}."
            yield _PORTS.wrong(f"{setting}: port {port} of {address} is in use by another program.", to_do)
            return
        if error.errno in (errno.EACCES, errno.EPERM):
            to_do = "Give the service AmbientCapabilities=CAP_NET_BIND_SERVICE in its unit, or choose a port above 1023."
            yield _PORTS.wrong(f"{setting}: this user may not listen on port {port}.", to_do)
            return


def look_at_worker(subject: Subject) -> Iterator[Finding]:
    """Tell whether a worker was alive lately, and whether anything waits for one."""
    records = subject.records
    if records is None:
        yield _WORKER.skipped(f"Not looked at, since {subject.why_no_records}.")
        return
    at, last = subject.clock(), max((beat.at for beat in records.heartbeats), default=None)
    silent = last is None or at - last > SILENT
    seen = f"was alive last at {_shown(last)}" if last else "has never been alive"
    overdue = records.due_at if records.due_at and at - records.due_at > OVERDUE else None
    if overdue and silent:
        text = f"No worker has done what is due since {_shown(overdue)}; one {seen}."
        yield _WORKER.wrong(text, f"Start one: {subject.start}")
    elif overdue:
        yield _WORKER.warning(
            f"A worker is alive, and has not begun what is due since {_shown(overdue)}.",
            "Look at its log; worker.parallel may be too small for what there is to do.",
        )
    elif silent and subject.runs:
        to_do = "Look at the log of the service; fine where the worker is on a machine that does not run now."
        yield _WORKER.warning(f"The service answers here, and its worker {seen}.", to_do)
    elif silent:
        yield _WORKER.note(f"No worker runs: one {seen}, and nothing is due.")
    else:
        yield _WORKER.fine(f"A worker {seen}.")
    yield from _failing(records)


def _failing(records: Records) -> Iterator[Finding]:
    for beat in records.heartbeats:
        if beat.failed:
            text = f"The last round of `{beat.job}` failed, at {_shown(beat.at)}."
            yield _WORKER.warning(text, "Look at the log of the worker; it tries again by itself.")


def look_at_notices(subject: Subject) -> Iterator[Finding]:
    """Tell of notices that were given up."""
    if subject.records is None:
        yield _NOTICES.skipped(f"Not looked at, since {subject.why_no_records}.")
        return
    dead = {channel: n for (channel, status), n in subject.records.notices.items() if status is NoticeStatus.DEAD and n}
    for channel, count in sorted(dead.items()):
        yield _NOTICES.warning(
            f"Notices by {channel} that were given up: {count}.",
            "Find out why with `certworker notify list --status dead`, and send them again with `certworker notify replay`.",
        )
    if not dead:
        yield _NOTICES.fine("No notice was given up.")


def _shown(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}Z"
