"""The database: whether it answers, whose schema it has, and whether it is whole."""

import os
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from shlex import quote
from typing import Final

from certworker.doctor.finding import AS_SERVICE, Finding, Reporter
from certworker.doctor.records import Records, read_records
from certworker.doctor.subject import Subject
from certworker.errors import CertworkerError, SetupError
from certworker.store.inspection import Inspection, Server, file_of, inspecting, is_current, is_write_ahead, place_of

_HERE: Final = Reporter("database")
LEAST_FREE_BYTES, LITTLE_FREE_BYTES = 64 << 20, 1 << 30
SLOW: Final = timedelta(milliseconds=100)
UNREADABLE: Final = "the database cannot be read"
_OLDEST_SERVER: Final = 12
_MOST_WORDS: Final = 160
_NETWORK: Final = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "ceph", "glusterfs", "lustre", "afs", "fuse.sshfs", "9p"})


def read_database(subject: Subject) -> tuple[Records | None, str, list[Finding]]:
    """Read what the other checks need; give it, or since what there is nothing, with what was found on the way."""
    where = "The database"
    try:
        where = place_of(subject.settings.database_url)
        file = file_of(subject.settings.database_url)
        if file and not file.is_file() and file.exists():
            to_do = "Name the file of the database in database_url."
            return None, UNREADABLE, [_HERE.wrong(f"The database {file} is no ordinary file.", to_do)]
        if file and not file.exists():
            to_do = f"Set the deployment up: certworker init{subject.of_config}"
            return None, "there is no database yet", [_HERE.wrong(f"There is no database {file} yet.", to_do)]
        with inspecting(subject.settings.database_url, subject.clock, subject.seconds) as inspection:
            return _read(subject, inspection, where)
    except CertworkerError as error:
        return None, UNREADABLE, [_failure(subject, where, error)]
    except OSError as error:
        return None, UNREADABLE, [_HERE.wrong(f"{where} cannot be looked at: {error.strerror}.", AS_SERVICE)]


def _failure(subject: Subject, where: str, error: CertworkerError) -> Finding:
    file = _file(subject)
    if isinstance(error, SetupError):
        # a schema of a newer release, or a URL that is none: the sentence says what to do
        return _HERE.wrong(str(error), "")
    if file is None:
        to_do = "See that the server runs, and that database_url names it, its user and its password as they are."
        return _HERE.wrong(f"{where} does not answer: {error}", to_do)
    return _HERE.wrong(f"{where} cannot be read: {error}", _mend(file, subject))


def _file(subject: Subject) -> Path | None:
    """Give the file of a SQLite database, if it is one at all."""
    try:
        return file_of(subject.settings.database_url)
    except SetupError:
        return None


def _read(subject: Subject, inspection: Inspection, where: str) -> tuple[Records | None, str, list[Finding]]:
    revision = inspection.revision()
    if revision is None:
        to_do = f"Set the deployment up: certworker init{subject.of_config}"
        return None, "the database is empty", [_HERE.wrong(f"{where} is empty.", to_do)]
    if not is_current(revision):
        text = f"{where} has the schema {revision} of an older release: the next start brings it up to date."
        to_do = f"Make a backup before it: certworker backup create{subject.of_config}"
        return None, "the database has the schema of an older release", [_HERE.note(text, to_do)]
    with inspection.reading() as reader:
        records = read_records(reader)
    if records.wrapped_key is None:
        to_do = f"Set the deployment up: certworker init{subject.of_config}"
        return records, "", [_HERE.wrong(f"{where} has the schema of this release, and no deployment in it.", to_do)]
    return records, "", [_HERE.fine(f"{where} can be read, and its schema {revision} is the one of this release.")]


def look_at_database(subject: Subject) -> Iterator[Finding]:
    """Look whether it is whole and has room, or what its server says of itself."""
    file = _file(subject)
    if file is not None:
        yield from room_for("The database", file.parent, _HERE)
    if subject.why_no_records == UNREADABLE or (file is not None and not file.exists()):
        return  # it was told already where the records were read
    with inspecting(subject.settings.database_url, subject.clock, subject.seconds) as inspection:
        yield from _look_at_file(subject, file, inspection) if file else _look_at_server(inspection.server())


def _look_at_file(subject: Subject, file: Path, inspection: Inspection) -> Iterator[Finding]:
    if kind := network_filesystem(file.parent):
        yield _HERE.warning(
            f"The database is on a network filesystem ({kind}), on which SQLite's locks and its log may not hold.",
            "Keep it on a disk of this machine, or use PostgreSQL.",
        )
    if not is_write_ahead(file):
        yield _HERE.note("The database has no write-ahead log; the next start of the service turns it on.")
    damages = inspection.damages(subject.seconds)
    if damages is None:
        text = f"The database is too large to look through all of it in {subject.seconds:.0f} s; what was seen is whole."
        yield _HERE.note(text)
    elif damages:
        yield _HERE.wrong(f"The database is damaged: {damages[0][:_MOST_WORDS]}", _mend(file, subject))
    else:
        yield _HERE.fine("The database's pages are whole.")


def _look_at_server(server: Server) -> Iterator[Finding]:
    if server.is_standby:
        yield _HERE.wrong("The server is a standby, which only reads.", "Point database_url at the primary server.")
    elif not server.may_create:
        yield _HERE.wrong(
            "The user of the database may not make tables, which an update of this release needs.",
            "Run as the database's owner: GRANT CREATE ON SCHEMA public TO the user of database_url",
        )
    if server.encoding != "UTF8":
        yield _HERE.wrong(f"The database's encoding is {server.encoding}.", "Make the database anew with ENCODING 'UTF8'.")
    major = server.version.partition(".")[0]
    if major.isdecimal() and int(major) < _OLDEST_SERVER:
        yield _HERE.warning(f"PostgreSQL {server.version} is old.", f"Use {_OLDEST_SERVER} or newer.")
    shown = f"PostgreSQL {server.version} answers in {server.latency / timedelta(milliseconds=1):.1f} ms"
    if server.latency > SLOW:
        yield _HERE.warning(f"{shown}, and every request waits for it several times.", "Bring the database closer.")
    else:
        yield _HERE.fine(f"{shown}.")


def room_for(what: str, folder: Path, here: Reporter) -> Iterator[Finding]:
    """Look how much room a folder's disk has."""
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        yield here.wrong(f"{what}: the folder {folder} cannot be looked at: {error.strerror}.", "Make it, for this user.")
        return
    to_do = f"Make room on the disk of {folder}: without it nothing is written, and nothing is answered that must be recorded."
    if free < LEAST_FREE_BYTES:
        yield here.wrong(f"{what}: the disk of {folder} is full ({free >> 20} MiB are free).", to_do)
    elif free < LITTLE_FREE_BYTES:
        yield here.warning(f"{what}: the disk of {folder} is nearly full ({free >> 20} MiB are free).", to_do)
    if not os.access(folder, os.W_OK | os.X_OK):
        yield here.wrong(
            f"{what}: this user cannot write to the folder {folder}.",
            f"Run this as the service's user, or: chown {os.geteuid()} {quote(str(folder))}",
        )


def network_filesystem(folder: Path, mounts: Path = Path("/proc/self/mounts")) -> str:
    """Name the network filesystem that a folder is on; empty where it is on none, or it cannot be told."""
    try:
        lines = [line.split() for line in mounts.read_text().splitlines()]
    except OSError:
        return ""
    target = folder.resolve()
    places = [(Path(_plain(entry[1])), entry[2]) for entry in lines if len(entry) > 2]  # noqa: PLR2004
    above = (target, *target.parents)
    # what was mounted later lies above what was mounted there before
    found = [(len(place.parts), number, kind) for number, (place, kind) in enumerate(places) if place in above]
    kind = max(found, default=(0, 0, ""))[2]
    return kind if kind in _NETWORK else ""


def _plain(place: str) -> str:
    return place.replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")


def _mend(file: Path, subject: Subject) -> str:
    beside = [Path(f"{file}{end}") for end in ("", "-wal", "-shm")]
    if any(path.exists() and not os.access(path, os.R_OK) for path in beside):
        return AS_SERVICE
    return f"Stop the service, keep the file aside, and restore a backup: certworker backup restore{subject.of_config}"
