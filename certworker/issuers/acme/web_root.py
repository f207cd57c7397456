"""http-01 by files: the response lies below the root of a web server that answers for the names (RFC 8555 section 8.3)."""

import os
from datetime import datetime
from pathlib import Path

from certworker.issuers.acme.client import TOKEN
from certworker.issuers.acme.solvers import BATCH, HTTP_01, Proof, Unsolved

FOLDER = Path(".well-known", "acme-challenge")
READABLE, ENTERABLE = 0o644, 0o755
"""A web server runs as another user."""


class WebRootSolver:
    """Writes responses below a folder, which must be there; what is below it is made."""

    kind = HTTP_01
    batch = BATCH
    waits = False
    patience_seconds = 0

    def __init__(self, root: Path) -> None:
        self._root = root

    def place(self, identifier: str) -> str:  # noqa: ARG002
        """Name no place: the token is the file's name."""
        return ""

    def present(self, proof: Proof, expires: datetime, *, insist: bool) -> None:  # noqa: ARG002
        """Write the file, whole or not at all: it is read as soon as it has its name."""
        path = self._path(proof)
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            self._make_folders()
            temporary.unlink(missing_ok=True)
            with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, READABLE), "w") as file:  # noqa: PTH123
                os.fchmod(file.fileno(), READABLE)  # whatever the umask
                file.write(proof.response)
            temporary.replace(path)
        except OSError as error:
            raise Unsolved(f"The response cannot be written below web_root {self._root}: {error.strerror}.") from error

    def unseen(self, proof: Proof) -> str | None:  # noqa: ARG002
        """Say nothing: the file is there."""
        return None

    def clean_up(self, proof: Proof) -> None:
        """Remove the file."""
        try:
            self._path(proof).unlink(missing_ok=True)
        except NotADirectoryError:
            return
        except OSError as error:
            raise Unsolved(f"The response below web_root {self._root} cannot be removed: {error.strerror}.") from error

    def _path(self, proof: Proof) -> Path:
        # the CA chose it, and it must not lead anywhere else
        if not TOKEN.fullmatch(proof.token):
            raise Unsolved("The CA sent a token that is no file name: letters, digits, - and _ are what a token has.")
        return self._root / FOLDER / proof.token

    def _make_folders(self) -> None:
        folder = self._root
        for part in FOLDER.parts:
            folder /= part
            if not folder.is_dir():
                folder.mkdir(exist_ok=True)
                folder.chmod(ENTERABLE)
