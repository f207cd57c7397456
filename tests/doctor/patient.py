"""A deployment to be examined: real files and a real database, set up, which no service runs on."""

from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from certworker.clock import Clock
from certworker.doctor import Examination, Finding, Verdict, examine
from certworker.doctor.database import read_database
from certworker.doctor.finding import Findings
from certworker.doctor.subject import Subject
from certworker.settings import load_settings
from certworker.store.engine import open_store
from certworker.vault.store import Store, Writer
from certworker.vault.vaults import Issuer
from tests.support.clock import START, FakeClock
from tests.support.ports import free_ports
from tests.support.templates import put_deployment

SECONDS = 5.0


@dataclass
class Patient:
    """A deployment in `folder`. `sections` are added to its settings file each time that it is looked at."""

    folder: Path
    clock: Clock = field(default_factory=lambda: FakeClock(START))
    sections: str = ""
    database_url: str = "sqlite:///certworker.db"
    ports: list[int] = field(default_factory=lambda: free_ports(2))
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def config(self) -> Path:
        """Write the settings, and say where."""
        path = self.folder / "certworker.toml"
        head = f'database_url = "{self.database_url}"\n[server]\nport = {self.ports[0]}\n[metrics]\nport = {self.ports[1]}\n'
        if not path.exists() or path.read_text() != head + self.sections:
            path.touch(mode=0o600)
            path.write_text(head + self.sections)
        return path

    def subject(self, *, runs: bool = False, seconds: float = SECONDS) -> Subject:
        """See it as the checks do."""
        settings = load_settings(self.config, self.environment)
        bare = Subject(self.config, settings, runs=runs, environment=self.environment, clock=self.clock, seconds=seconds)
        records, why, _ = read_database(bare)
        return Subject(self.config, settings, records, why, runs, self.environment, self.clock, seconds)

    def examined(self) -> list[Finding]:
        """Examine all of it."""
        return examine(Examination(self.config, self.environment, self.clock, SECONDS))

    @contextmanager
    def store(self) -> Iterator[Store]:
        """Open its database as a service does."""
        with closing(open_store(load_settings(self.config, {}).database_url, self.clock)) as store:
            yield store

    @contextmanager
    def writing(self) -> Iterator[Writer]:
        """Change its database."""
        with self.store() as store, store.writing() as writer:
            yield writer

    def add_issuer(self, account_id: str, provider: str = "Acme", name: str = "ca", *, enabled: bool = True) -> None:
        """Add an issuer to the vault that was made with it."""
        with self.writing() as writer:
            vault = writer.vault_by_name("contoso")
            assert vault is not None
            writer.put_issuer(
                Issuer(vault.id, name, provider, account_id, None, None, enabled=enabled, created=START, updated=START)
            )


def new_patient(folder: Path) -> Patient:
    """Make one that is well."""
    clock = FakeClock(START)
    put_deployment(folder, clock)
    folder.chmod(0o700)
    return Patient(folder, clock)


def only(findings: Findings) -> Finding:
    """Give the one finding that there is."""
    (found,) = findings
    return found


def worst(findings: Iterable[Finding]) -> list[Finding]:
    """Give what is wrong, and what is warned of."""
    return [one for one in findings if one.verdict in (Verdict.WRONG, Verdict.WARNING)]
