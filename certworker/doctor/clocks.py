"""The clock against the database's; against the CAs' it is compared where they are asked."""

from collections.abc import Iterator

from certworker.doctor.authorities import judge_clock
from certworker.doctor.finding import Finding
from certworker.doctor.subject import Subject
from certworker.store.inspection import file_of, inspecting


def look_at_database_clock(subject: Subject) -> Iterator[Finding]:
    """Compare with a PostgreSQL server's clock, by which leases end; SQLite has none of its own."""
    if subject.records and file_of(subject.settings.database_url) is None:
        with inspecting(subject.settings.database_url, subject.clock, subject.seconds) as inspection:
            finding = judge_clock("that of the database's server", inspection.server().offset)
        if finding:
            yield finding
