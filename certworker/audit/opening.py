"""Opening the audit log of a process by its settings."""

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final

from certworker.audit.draining import Drain
from certworker.audit.files import ChainFiles, Rotation
from certworker.audit.keeper import Keeper
from certworker.audit.log import AuditLog, Durability, Lines
from certworker.audit.notary import Notary
from certworker.audit.outputs import Begin, Copied, StreamLines, SyslogLines
from certworker.audit.statements import Instance
from certworker.clock import Clock
from certworker.errors import AuditUnavailable
from certworker.settings import AuditOutput, AuditSettings
from certworker.vault.keyring import Keyring
from certworker.vault.store import Store

SERVING: Final = frozenset({"api", "worker"})
"""Processes that will have something to record: their chains begin at once, and not in the road of the first request."""

_log = logging.getLogger(__name__)


@contextmanager
def open_audit_log(settings: AuditSettings, store: Store, keyring: Keyring, clock: Clock, role: str) -> Iterator[AuditLog]:
    """Open the log of this process, which was started already; close it at the end. Its chain begins with its first record."""
    each = settings.sync == "each"
    instance = Instance(socket.gethostname(), os.getpid(), role, 0 if each else settings.unsynced_records)
    durability = Durability(each, settings.group_milliseconds / 1000, settings.unsynced_records)
    log = AuditLog(lines_by(settings, instance), Notary(store, keyring, clock), instance, durability, clock)
    owner = f"{instance.host}:{instance.pid}"
    keeper = Keeper(log, Drain(store, log, owner, clock), settings.head_seconds)
    keeper.start()
    try:
        if role in SERVING:
            _begin_now(log)
        yield log
    finally:
        keeper.stop()
        log.close()


def _begin_now(log: AuditLog) -> None:
    try:
        log.open()
    except AuditUnavailable as error:
        _log.error("%s", error)


def lines_by(settings: AuditSettings, instance: Instance) -> Begin:
    """Say where the lines of a chain go. Of several places the first counts, and the others have copies."""
    rotation = Rotation(settings.rotate_bytes, timedelta(hours=settings.rotate_hours))

    def one(output: AuditOutput, chain_id: str, at: datetime) -> Lines:
        match output:
            case AuditOutput.FILES:
                return ChainFiles(settings.folder, chain_id, rotation, at)
            case AuditOutput.STDOUT:
                return StreamLines()
            case AuditOutput.SYSLOG:
                return SyslogLines(settings.syslog, instance.host, instance.pid)

    def begin(chain_id: str, at: datetime) -> Lines:
        first, *copies = settings.outputs
        counts = one(first, chain_id, at)
        return Copied(counts, [one(output, chain_id, at) for output in copies]) if copies else counts

    return begin
