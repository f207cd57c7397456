"""The audit log: whether it can be written, whether records wait, and whether its files have come as far as their heads say."""

import json
import socket
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from certworker.audit.scanning import log_files
from certworker.audit.tails import last_sequence
from certworker.doctor.database import room_for
from certworker.doctor.finding import Finding, Reporter
from certworker.doctor.records import Records
from certworker.doctor.subject import Subject
from certworker.settings import AuditOutput

_HERE: Final = Reporter("audit log")
PATIENCE: Final = timedelta(minutes=1)
"""A record is drained within a second where a service runs."""
_MOST_CHAINS: Final = 20


def look_at_audit_log(subject: Subject) -> Iterator[Finding]:
    """Look at the folder, and hold the newest chains of this machine against the heads in the database."""
    found = list(_look(subject))
    yield from found
    if not found:
        yield _HERE.fine(f"The audit log can be written ({', '.join(subject.settings.audit.outputs)}), and lacks nothing.")


def _look(subject: Subject) -> Iterator[Finding]:
    settings = subject.settings.audit
    if AuditOutput.FILES in settings.outputs:
        if settings.folder.exists() and not settings.folder.is_dir():
            yield _HERE.wrong(
                f"The audit log's folder {settings.folder} is no folder.", "Take away what is there in its place."
            )
        elif settings.folder.is_dir():
            yield from room_for("The audit log", settings.folder, _HERE)
        else:
            yield from room_for("The audit log, which is to be made", settings.folder.parent, _HERE)
    if subject.records is None:
        yield _HERE.skipped(f"Its records and heads: not looked at, since {subject.why_no_records}.")
        return
    yield from _waiting(subject, subject.records)
    if AuditOutput.FILES in settings.outputs and settings.folder.is_dir():
        yield from _behind(subject, subject.records)


def _waiting(subject: Subject, records: Records) -> Iterator[Finding]:
    since = _time_of(records.pending.text) if records.pending else None
    if since is None or subject.clock() - since < PATIENCE:
        return
    yield _HERE.warning(
        f"Records wait since {since:%Y-%m-%dT%H:%M:%SZ} to be written to the log.",
        "Look why no service writes them: its log says so, or none runs.",
    )


def _behind(subject: Subject, records: Records) -> Iterator[Finding]:
    gone = {cut.chain_id: cut.sequence for cut in records.cuts}
    own = [head for head in records.heads if head.host == socket.gethostname() and gone.get(head.chain_id, 0) < head.sequence]
    try:
        files = log_files(subject.settings.audit.folder)
        behind = [head.chain_id for head in own[-_MOST_CHAINS:] if last_sequence(files.get(head.chain_id, ())) < head.sequence]
    except OSError as error:
        yield _HERE.wrong(
            f"The files of the log cannot be read: {error.strerror}.", "Run this as the user that the service has."
        )
        return
    if behind:
        yield _HERE.wrong(
            f"Records are missing at the end of {len(behind)} chains, such as {behind[0]}: their signed heads are further.",
            f"Find out who has changed the files: certworker audit verify{subject.of_config}",
        )


def _time_of(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(json.loads(text)["time"])
    except (ValueError, KeyError, TypeError):
        return None
