"""The examination: every check, in an order that a person can read. None stops another, and all of it has an end."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Final

from certworker.clock import Clock, utc_now
from certworker.doctor.audit_log import look_at_audit_log
from certworker.doctor.authorities import look_at_authorities
from certworker.doctor.clocks import look_at_database_clock
from certworker.doctor.configuration import look_at_named_files, read_configuration
from certworker.doctor.contacts import (
    look_at_identity,
    look_at_mail,
    look_at_name_servers,
    look_at_revocation,
    look_at_webhooks,
)
from certworker.doctor.database import UNREADABLE, look_at_database, read_database
from certworker.doctor.files import look_at_files
from certworker.doctor.finding import Finding, Findings, Reporter
from certworker.doctor.machine import look_at_machine
from certworker.doctor.master_key import look_at_master_key
from certworker.doctor.names import look_at_names
from certworker.doctor.server_certificate import look_at_server_certificate
from certworker.doctor.service import answers_here, look_at_notices, look_at_service, look_at_worker
from certworker.doctor.side_by_side import Late, outcomes
from certworker.doctor.subject import PROBE_SECONDS, Subject
from certworker.errors import CertworkerError

Check = Callable[[Subject], Findings]

CHECKS: Final[Mapping[str, Check]] = MappingProxyType(
    {
        "configuration": look_at_named_files,
        "files": look_at_files,
        "database": look_at_database,
        "master key": look_at_master_key,
        "audit log": look_at_audit_log,
        "names": look_at_names,
        "CAs": look_at_authorities,
        "clock": look_at_database_clock,
        "mail": look_at_mail,
        "webhooks": look_at_webhooks,
        "sign-in": look_at_identity,
        "dns-01": look_at_name_servers,
        "revocation": look_at_revocation,
        "server certificate": look_at_server_certificate,
        "service": look_at_service,
        "worker": look_at_worker,
        "notices": look_at_notices,
        "machine": look_at_machine,
    }
)
MARGIN_SECONDS: Final = 3.0


@dataclass(frozen=True, slots=True)
class Examination:
    """What is examined, and by what clock. Each look at another machine takes `seconds` at the most."""

    config: Path | None
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)
    clock: Clock = utc_now
    seconds: float = PROBE_SECONDS


def examine(examination: Examination) -> list[Finding]:
    """Examine a deployment. Nothing is raised: what goes wrong is a finding."""
    settings, found = read_configuration(examination.config, examination.environment)
    if settings is None:
        return [*found, Reporter("all else").skipped("Not looked at, since the settings cannot be used.")]
    subject = Subject(
        examination.config,
        settings,
        environment=examination.environment,
        clock=examination.clock,
        seconds=examination.seconds,
    )
    subject, of_database = _with_records(subject)
    works = [partial(_carry_out, name, check, subject) for name, check in CHECKS.items()]
    results = outcomes(works, examination.seconds + MARGIN_SECONDS)
    for name, result in zip(CHECKS, results, strict=True):
        found += of_database if name == "database" else ()
        found += _late(name, examination.seconds) if isinstance(result, Exception) else result
    return _in_order(found)


def _with_records(subject: Subject) -> tuple[Subject, list[Finding]]:
    """Read the database and ask the service first: what they say, the other checks go by."""
    reading = partial(read_database, subject)
    answering = partial(answers_here, subject)
    works: list[Callable[[], object]] = [reading, answering]
    read, runs = outcomes(works, subject.seconds + MARGIN_SECONDS)
    if isinstance(read, tuple):
        records, why, found = read
        return replace(subject, records=records, why_no_records=why, runs=runs is True), found
    # the words of what nobody has foreseen may hold anything, the password in the URL among it
    told = "it did not answer in time" if isinstance(read, Late) else f"this failed ({type(read).__name__})"
    to_do = "See that it runs, and that database_url names it."
    found = [Reporter("database").wrong(f"The database cannot be read: {told}", to_do)]
    return replace(subject, why_no_records=UNREADABLE, runs=runs is True), found


def _carry_out(name: str, check: Check, subject: Subject) -> list[Finding]:
    found: list[Finding] = []
    try:
        found.extend(check(subject))
    except CertworkerError as error:
        found.append(Reporter(name).wrong(str(error), ""))
    except Exception as error:  # noqa: BLE001  # one check must not stop the others; its words may hold anything
        to_do = "Tell whoever develops certworker, with the version that you have."
        found.append(Reporter(name).warning(f"This check itself failed ({type(error).__name__}).", to_do))
    return found


def _late(name: str, seconds: float) -> list[Finding]:
    here = Reporter(name)
    return [here.warning(f"Not all of this came to an end in {seconds:.0f} s.", "Run it again; the network may be slow.")]


def _in_order(found: list[Finding]) -> list[Finding]:
    """Bring together what belongs together, in the order of the checks."""
    names = [*CHECKS, "ports"]
    rank = {name: number for number, name in enumerate(names)}
    rank["ports"] = rank["service"]
    return sorted(found, key=lambda finding: rank.get(finding.check, len(rank)))
