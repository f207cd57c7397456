"""Pruning: files whose time is over are deleted, and up to where is signed first, so that nobody takes it for a theft."""

import logging
from datetime import datetime, timedelta
from pathlib import Path

from certworker.audit.lines import NO_HASH
from certworker.audit.notary import Notary
from certworker.audit.scanning import LogFile, Scan, log_files
from certworker.audit.statements import signed_head
from certworker.crypto.audit_signatures import is_signed
from certworker.vault.audit.port import AuditKey, ChainCut, ChainHead
from certworker.vault.store import Store

_log = logging.getLogger(__name__)


def prune(folder: Path, store: Store, notary: Notary, at: datetime, keep: timedelta) -> int:
    """Delete files that were written to last before the time that is kept; count.

    Only what a signed head covers, and what is whole: a file that somebody changed is evidence, and stays.
    """
    if not folder.is_dir():
        return 0
    with store.reading() as reader:
        heads = {head.chain_id: head for head in reader.chain_heads() if _holds(head, reader.audit_keys())}
        cuts = {cut.chain_id: cut for cut in reader.chain_cuts()}
    count = 0
    for chain_id, files in log_files(folder).items():
        if head := heads.get(chain_id):
            count += _prune(files, head, cuts.get(chain_id), notary, at, at - keep)
    return count


def _holds(head: ChainHead, keys: tuple[AuditKey, ...]) -> bool:
    public = next((key.public_key for key in keys if key.id == head.key_id), None)
    return public is not None and is_signed(public, head.signature, signed_head(head))


def _prune(
    files: tuple[LogFile, ...], head: ChainHead, cut: ChainCut | None, notary: Notary, at: datetime, before: datetime
) -> int:
    count, start = 0, (cut.sequence, bytes.fromhex(cut.hash)) if cut else (0, NO_HASH)
    # a process may still write to the last one, unless it said that it was done
    for file in files if head.closed else files[:-1]:
        if file.path.stat().st_mtime >= before.timestamp():
            break
        scan = Scan(file.chain_id, start)
        scan.read(file)
        scan.end()
        if scan.last > start[0] or not scan.records:
            if scan.findings or not scan.records or scan.last > head.sequence:
                _log.error("The audit log's file %s is not as it was written, and is not deleted.", file.path.name)
                break
            start = (scan.last, scan.last_hash)
            notary.put_cut(file.chain_id, at, scan.last, scan.last_hash.hex())
        # where it was signed before, and the process was killed then, only the file is left over
        file.path.unlink()
        count += 1
    return count
