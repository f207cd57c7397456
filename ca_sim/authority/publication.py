"""What an authority tells of what it issued: revocations, CRLs, the responder and the log, which belong together."""

from dataclasses import dataclass
from pathlib import Path

from ca_sim.authority.crls import Crls
from ca_sim.authority.hierarchy import Authority
from ca_sim.authority.links import Links
from ca_sim.authority.ocsp import OcspResponder
from ca_sim.authority.revocations import Revocations
from ca_sim.authority.settings import AuthoritySettings
from ca_sim.authority.signers import Safe
from ca_sim.authority.transparency import Log
from ca_sim.book import Book
from ca_sim.clock import Clock


@dataclass(frozen=True, slots=True)
class Publication:
    """The services behind the public server. Made with `publish`."""

    revocations: Revocations
    crls: Crls
    responder: OcspResponder
    log: Log | None


def publish(
    book: Book, authority: Authority, settings: AuthoritySettings, base: str, clock: Clock, *, directory: Path | None
) -> Publication:
    """Wire them; `base` is the URL of the public server, `directory` where the log's key is kept. Raises StateError."""
    revocations = Revocations(book, authority, clock)
    return Publication(
        revocations,
        Crls(book, authority, revocations, settings, Links(base), clock),
        OcspResponder(book, authority, revocations, settings, clock),
        Log(book, Safe(directory).log_key(), authority.line, clock) if settings.ct_log else None,
    )
