"""What revocation adds to the port to the database."""

from datetime import datetime
from typing import Protocol

from certworker.vault.objects import CertificateVersion
from certworker.vault.revocation.compromised import CompromisedKeyReader, CompromisedKeyWriter
from certworker.vault.revocation.sources import SourceReader, SourceWriter
from certworker.vault.watches import WatchKind


class RevocationReader(SourceReader, CompromisedKeyReader, Protocol):
    """What can be asked."""

    def versions_without_watch(self, kind: WatchKind, limit: int) -> tuple[CertificateVersion, ...]:
        """List current versions of live certificates that no watch of a kind is about."""


class RevocationWriter(RevocationReader, SourceWriter, CompromisedKeyWriter, Protocol):
    """What can be changed, inside one transaction."""

    def pull_watches_in(self, kind: WatchKind, at: datetime, latest: datetime) -> int:
        """Let those watches of a kind fall due at `at` that are due after `latest`: the clock has gone back."""
