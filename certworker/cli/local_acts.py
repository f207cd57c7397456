"""The records of what is done on the machine itself: by whom, told by the operating system, since there is no token."""

import logging
import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from uuid import uuid4

from certworker.clock import utc_now
from certworker.errors import CertworkerError
from certworker.store.engine import is_there, open_store
from certworker.vault.audit.acts import FAILED, OK
from certworker.vault.audit.record import AuditRecord, Result
from certworker.vault.audit.trail import Trace, tracing

if TYPE_CHECKING:
    from certworker.settings import Settings

_log = logging.getLogger(__name__)


@contextmanager
def recorded(settings: "Settings", operation: str, resource_id: str = "", *, apart: bool = False) -> Iterator[None]:
    """Record what is done in the block: in the first transaction of it, or after it where it commits none.

    One that fails has a record of that. With `apart` the record is written after the block whatever is committed in it, which
    may be in another database.
    """
    correlation_id = str(uuid4())
    trace = Trace(lambda: _record(operation, resource_id, correlation_id, Result.SUCCESS))
    try:
        if apart:
            yield
        else:
            with tracing(trace):
                yield
    except Exception as error:
        _write(settings, _record(operation, resource_id, correlation_id, Result.FAILURE, getattr(error, "code", "error")))
        raise
    if not trace.committed:
        _write(settings, _record(operation, resource_id, correlation_id, Result.SUCCESS))


def _write(settings: "Settings", record: AuditRecord) -> None:
    """Write a record by itself. What it tells of is done: where it cannot be written, that is said and nothing else."""
    try:
        if is_there(settings.database_url):  # else there is no deployment yet, and to open it would make an empty one
            _write_to(settings, record)
    except (CertworkerError, OSError) as error:
        _log.warning("%s is not in the audit log: %s", record.operation, error)


def _write_to(settings: "Settings", record: AuditRecord) -> None:
    store = open_store(settings.database_url, utc_now)
    try:
        with tracing(Trace(lambda: record)), store.writing():
            pass  # the transaction writes the record of what is under way
    finally:
        store.close()


def _record(operation: str, resource_id: str, correlation_id: str, result: Result, description: str = "") -> AuditRecord:
    failed = result is Result.FAILURE
    return AuditRecord(
        id=str(uuid4()),
        at=utc_now(),
        operation=operation,
        resource_id=resource_id,
        result=result,
        status=FAILED if failed else OK,
        description=description,
        correlation_id=correlation_id,
        identity=local_user(),
        client_info="certworker",
    )


def local_user() -> dict[str, str]:
    """Tell who runs this: the operating system's user, and who they were before a `sudo`."""
    uid = os.getuid()
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = str(uid)
    claims = {"localuser": name, "uid": str(uid)}
    if (before := os.environ.get("SUDO_USER", ""))[:32].isprintable() and before:
        claims["sudo_user"] = before[:32]
    return claims
