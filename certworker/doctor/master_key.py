"""The master key: whether it is there, whether it is the database's, and whether what it wrapped opens."""

import errno
import os
from collections.abc import Iterator
from typing import Final

from certworker.bootstrap import open_source
from certworker.crypto.sealing import key_id
from certworker.doctor.finding import AS_SERVICE, Finding, Reporter
from certworker.doctor.subject import Subject
from certworker.errors import CertworkerError, Forbidden, SealBroken, Sealed, SetupError, Unavailable
from certworker.seal.channel import ask
from certworker.seal.master_file import MasterFile, next_of
from certworker.seal.sources import MakingSource, MasterKeySource
from certworker.settings import SealKind, Settings
from certworker.vault.keyring import MasterKey, SoftwareMasterKey, wrap_place

_HERE: Final = Reporter("master key")
_ADVICE: Final = ("run:", "Run:", "init", "Put ", "Start ", "Bring ")
_DENIED: Final = os.strerror(errno.EACCES)


def look_at_master_key(subject: Subject) -> Iterator[Finding]:
    """Look at it where it is. What a rotation has left half done is not finished here."""
    settings = subject.settings
    if settings.hsm.module and _has_seen_wrong_pins(settings):
        label = settings.hsm.token_label
        text = f"The hardware token {label} has seen wrong PINs; its PIN is not tried here, since it may lock itself."
        yield _HERE.warning(text, "Look which PIN is right, and log in with it once by the token's own tool.")
        if settings.seal.master_key_label:
            return
    elif settings.hsm.module and not settings.seal.master_key_label:
        yield from _look_at_token(subject)
    wanted = subject.records.master_key_id if subject.records else None
    try:
        with open_source(subject.settings) as source:
            if isinstance(source, MasterFile) and source.kind is not SealKind.NONE:
                yield from _look_at_wrapped(subject, source, wanted)
            else:
                yield from _compare(subject, source, _read(source, wanted), wanted)
    except CertworkerError as error:
        yield _HERE.wrong(str(error), _to_do(error))


def _to_do(error: CertworkerError) -> str:
    """Say what to do, unless the error says so itself."""
    if isinstance(error, SetupError) and any(word in str(error) for word in _ADVICE):
        return ""
    return AS_SERVICE if _DENIED in str(error) else "Bring the key back that belongs to the database."


def _read(source: MasterKeySource, wanted: str | None) -> MasterKey:
    """Read the key as it lies there: a file's own `read` would finish a rotation that was broken off."""
    if isinstance(source, MasterFile):
        return SoftwareMasterKey(source.key_at(source.path, wanted))
    return source.read(wanted if isinstance(source, MakingSource) else None)


def _compare(subject: Subject, source: MasterKeySource, key: MasterKey, wanted: str | None) -> Iterator[Finding]:
    if wanted is None:
        yield _HERE.skipped(f"The master key {key.id} is there ({source}); whether it is the database's: {_since(subject)}.")
        return
    if key.id != wanted:
        yield _other(source, key.id, wanted)
        return
    wrapped = subject.records.wrapped_key if subject.records else None
    if wrapped and wrapped.master_key_id == key.id:
        try:
            key.unwrap(wrapped.wrapped, wrap_place(wrapped.vault_id, wrapped.term))
        except SealBroken:
            yield _HERE.wrong(
                f"The master key {key.id} is the database's, and a vault key in it does not open: it was altered.",
                f"Restore a backup of the database: certworker backup restore{subject.of_config}",
            )
            return
    yield _HERE.fine(f"The master key {key.id} is there ({source}), and opens what the database holds.")


def _other(source: MasterKeySource, present: str, wanted: str) -> Finding:
    if isinstance(source, MasterFile) and _next_id(source) == wanted:
        return _HERE.warning(
            f"A rotation was broken off: the database wants the master key {wanted}, which lies beside the old one.",
            "Start the service, or run `certworker seal rotate-master` again: either finishes it.",
        )
    return _HERE.wrong(
        f"The database was sealed under the master key {wanted}, and this one is {present} ({source}).",
        "Put the master key there that belongs to the database; without it nothing in the vaults opens.",
    )


def _next_id(source: MasterFile) -> str:
    path = next_of(source.path)
    try:
        return key_id(source.key_at(path)) if path.exists() else ""
    except CertworkerError:
        return ""


def _look_at_wrapped(subject: Subject, source: MasterFile, wanted: str | None) -> Iterator[Finding]:
    wrapped = source.wrapped()
    if wanted and wrapped.id != wanted:
        yield _other(source, wrapped.id, wanted)
        return
    to_do = f"Open it: certworker seal unseal{subject.of_config}"
    try:
        state = ask(subject.settings.seal.socket, {"ask": "status"})
    except (Unavailable, Forbidden):
        yield _HERE.note(
            f"The master key {wrapped.id} is there, wrapped by a {source.kind} seal; no service has opened it here."
        )
        return
    if state.get("sealed"):
        yield _HERE.warning("The service runs, and is sealed: it answers nothing yet.", to_do)
        return
    try:
        yield from _compare(subject, source, SoftwareMasterKey(source.key_at(source.path, wanted)), wanted)
    except Sealed as error:
        yield _HERE.warning(f"The service was sealed while this looked: {error}", to_do)


def is_sealed(settings: Settings) -> bool:
    """Whether the service that runs here waits for its seal to be opened."""
    try:
        return settings.seal.kind is not SealKind.NONE and bool(ask(settings.seal.socket, {"ask": "status"}).get("sealed"))
    except CertworkerError:
        return False


def _has_seen_wrong_pins(settings: Settings) -> bool:
    from certworker.hsm.token import has_seen_wrong_pins  # noqa: PLC0415  # only who has a token needs it

    return has_seen_wrong_pins(settings.hsm)


def _look_at_token(subject: Subject) -> Iterator[Finding]:
    from certworker.bootstrap.ground import open_token  # noqa: PLC0415  # only who has a token needs it

    try:
        with open_token(subject.settings):
            yield _HERE.fine(f"The hardware token {subject.settings.hsm.token_label} is there, and takes the PIN.")
    except CertworkerError as error:
        yield _HERE.wrong(str(error), "")


def _since(subject: Subject) -> str:
    return f"not looked at, since {subject.why_no_records}" if subject.why_no_records else "the database names none yet"
