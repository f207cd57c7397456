"""Files and folders: what is secret is for its owner only, and nobody else can put another one in its place."""

import os
import pwd
import stat
from collections.abc import Iterator
from pathlib import Path
from shlex import quote
from typing import Final

from certworker.doctor.finding import AS_SERVICE, Finding, Reporter
from certworker.doctor.subject import Subject
from certworker.errors import SetupError
from certworker.seal.master_file import next_of
from certworker.seal.private_files import OPEN_TO_OTHERS
from certworker.settings import AuditOutput, Settings
from certworker.store.inspection import file_of

_HERE: Final = Reporter("files")
_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH
_MOST_LOG_FILES: Final = 5
_OF_DEV: Final = ("administrator.json", "dev.json", "ca_sim.toml")


def look_at_files(subject: Subject) -> Iterator[Finding]:
    """Look at modes and owners of all that is there."""
    found = [*_of_settings(subject), *_of_secrets(subject.settings), *_of_folders(subject.settings)]
    if subject.config:
        found += [finding for name in _OF_DEV for finding in _private(subject.config.parent / name, "The file of the dev home")]
    yield from found
    if not found:
        yield _HERE.fine("Settings, keys, passwords, database and audit log are closed to other users.")


def _of_settings(subject: Subject) -> Iterator[Finding]:
    path = subject.config
    if path is None:
        return
    mode = path.stat().st_mode
    if mode & _OTHERS_WRITE:
        to_do = f"Run: chmod go-w {quote(str(path))}"
        yield _HERE.wrong(f"Others than its owner can change the settings file {path} ({_shown(mode)}).", to_do)
    elif mode & OPEN_TO_OTHERS and (secret := _secret_in(subject.settings)):
        to_do = f"Run: chmod 600 {quote(str(path))}"
        yield _HERE.wrong(f"The settings file {path} holds {secret} and others can read it ({_shown(mode)}).", to_do)


def _secret_in(settings: Settings) -> str:
    """Say what secret stands in the settings themselves; empty where none does."""
    rest = settings.database_url.partition("://")[2]
    if ":" in rest.rpartition("@")[0] or "password=" in rest:
        return "the password of the database"
    return "addresses of webhooks, which may be secrets," if settings.webhooks else ""


def _of_secrets(settings: Settings) -> Iterator[Finding]:
    if not settings.seal.elsewhere:
        yield from _private(settings.seal.master_key_file, "The master key")
        yield from _private(next_of(settings.seal.master_key_file), "The next master key")
    for setting, path in _named(settings):
        if not path.exists():
            yield _HERE.wrong(f"{setting}: there is no file {path}.", "Make it (mode 0600), or take the setting out.")
        yield from _private(path, setting)
    try:
        database = file_of(settings.database_url)
    except SetupError:
        return
    if database:
        for end in ("", "-wal", "-shm"):
            yield from _private(Path(f"{database}{end}"), "The database")


def _named(settings: Settings) -> Iterator[tuple[str, Path]]:
    named = {
        "server.key_file": settings.server.key_file,
        "hsm.pin_file": settings.hsm.pin_file,
        "mail.password_file": settings.mail.password_file,
        **{f"issuers.{name}.tsig_secret_file": found.tsig_secret_file for name, found in settings.issuers.items()},
        **{f"webhooks.{name}.secret_file": found.secret_file for name, found in settings.webhooks.items()},
        **{f"identity.managed.{name}.header_file": found.header_file for name, found in settings.identity.managed.items()},
    }
    yield from ((setting, path) for setting, path in named.items() if path)


def _private(path: Path, what: str) -> Iterator[Finding]:
    """Look at a file that is for its owner only, if it is there."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return
    except OSError as error:
        yield _HERE.wrong(f"{what}: {path} cannot be looked at: {error.strerror}.", AS_SERVICE)
        return
    if not stat.S_ISREG(found.st_mode):
        yield _HERE.wrong(f"{what}: {path} is no ordinary file.", "Put a file there, or name another one in the settings.")
        return
    if found.st_mode & OPEN_TO_OTHERS:
        to_do = f"Run: chmod 600 {quote(str(path))}"
        yield _HERE.wrong(f"{what}: {path} is open to others than its owner ({_shown(found.st_mode)}).", to_do)
    if not os.access(path, os.R_OK):
        yield _HERE.wrong(f"{what}: {path} cannot be read by this user; it belongs to {_user(found.st_uid)}.", AS_SERVICE)
    elif found.st_uid not in (os.geteuid(), 0) and os.geteuid() != 0:
        to_do = f"Give it to the service's own user: chown {_user(os.geteuid())} {quote(str(path))}"
        yield _HERE.warning(f"{what}: {path} belongs to {_user(found.st_uid)}, who can change it.", to_do)


def _of_folders(settings: Settings) -> Iterator[Finding]:
    if AuditOutput.FILES in settings.audit.outputs and settings.audit.folder.is_dir():
        folder = settings.audit.folder
        mode = folder.stat().st_mode
        if mode & OPEN_TO_OTHERS:
            yield _HERE.wrong(
                f"The audit log's folder {folder} is open to others than its owner ({_shown(mode)}).",
                f"Run: chmod 700 {quote(str(folder))}",
            )
        if os.access(folder, os.R_OK | os.X_OK):
            newest = sorted(folder.glob("*.jsonl"), reverse=True)[:_MOST_LOG_FILES]
            yield from (finding for file in newest for finding in _private(file, "The audit log"))
    for folder in sorted(_holding_secrets(settings)):
        if folder.is_dir() and folder.stat().st_mode & _OTHERS_WRITE and not folder.stat().st_mode & stat.S_ISVTX:
            yield _HERE.wrong(
                f"Others than its owner can put files of their own into {folder} ({_shown(folder.stat().st_mode)}).",
                f"Run: chmod go-w {quote(str(folder))}",
            )


def _holding_secrets(settings: Settings) -> set[Path]:
    folders = {path.parent for _, path in _named(settings)}
    if not settings.seal.elsewhere:
        folders.add(settings.seal.master_key_file.parent)
    try:
        database = file_of(settings.database_url)
    except SetupError:
        return folders
    return folders | ({database.parent} if database else set())


def _shown(mode: int) -> str:
    return f"mode {stat.S_IMODE(mode):04o}"


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)
