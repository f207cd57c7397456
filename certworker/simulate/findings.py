"""What became of a simulation, from the records of both sides: the vault's versions and the CA's own book."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from statistics import median

from certworker.bootstrap import House
from certworker.crypto.keys import public_der
from certworker.crypto.x509 import CertificateFacts, read_certificate
from certworker.errors import CertworkerError
from certworker.simulate.authority import SimulatedAuthority
from certworker.simulate.deployment import Deployment
from certworker.simulate.scenario import Scenario
from certworker.vault.notification.ledger import Notice, NoticeStatus
from certworker.vault.objects import CertificateVersion, KeyVersion, ObjectKind
from certworker.vault.operations import OperationStatus

_PAGE = 500
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Spent:
    """What a run took: seconds of real time and of the processor, and how often the rounds were run and failed."""

    seconds: float
    cpu_seconds: float
    steps: int
    failed_rounds: int


@dataclass(frozen=True, slots=True)
class Lapse:
    """A time in which a certificate was not good, though it was the current one."""

    name: str
    since: datetime
    until: datetime
    why: str


@dataclass(slots=True)
class Findings:
    """What is to be told. A `margin` is the part of the lifetime that was left when a version was replaced, by day."""

    certificates: int = 0
    without_version: int = 0
    lapses: list[Lapse] = field(default_factory=list)
    renewals: int = 0
    renewals_by_day: Counter[int] = field(default_factory=Counter)
    margins: dict[int, list[float]] = field(default_factory=dict)
    issued: int = 0
    revoked: int = 0
    duplicate_orders: int = 0
    lost_keys: int = 0
    half_versions: int = 0
    calls: Mapping[str, int] = field(default_factory=dict)
    calls_by_day: Mapping[int, int] = field(default_factory=dict)
    attempts: Mapping[str, int] = field(default_factory=dict)
    renewed: list[tuple[str, datetime]] = field(default_factory=list)
    notices: int = 0
    notices_by_topic: Mapping[str, int] = field(default_factory=dict)
    notices_by_day: Mapping[int, int] = field(default_factory=dict)
    notices_lost: int = 0
    notices_doubled: int = 0
    spent: Spent = Spent(0, 0, 0, 0)

    @property
    def least_margin(self) -> float:
        """Tell the smallest part of a lifetime that was left at a renewal; less than 0 is a lapse."""
        return min((min(parts) for parts in self.margins.values()), default=1.0)

    @property
    def median_margin(self) -> float:
        """Tell the usual part."""
        return median(part for parts in self.margins.values() for part in parts) if self.margins else 1.0

    @property
    def is_well(self) -> bool:
        """Whether nothing lapsed, was lost, or came twice."""
        bad = (self.duplicate_orders, self.lost_keys, self.half_versions, self.notices_lost, self.notices_doubled)
        return not (self.lapses or self.without_version or any(bad))


@dataclass(slots=True)
class _Book:
    """What the CA remembers: which keys it certified, and since when what is revoked."""

    revoked: dict[str, datetime] = field(default_factory=dict)
    serials: dict[str, str] = field(default_factory=dict)
    keys: Counter[str] = field(default_factory=Counter)


def find(scenario: Scenario, end: datetime, authority: SimulatedAuthority, deployment: Deployment, spent: Spent) -> Findings:
    """Look at everything that the two sides have kept."""
    book = _read_book(authority)
    findings = Findings(issued=len(book.serials), revoked=len(book.revoked), spent=spent)
    findings.calls, findings.calls_by_day = authority.calls.by_kind, authority.calls.by_day
    house, vault_id, used, under_way = deployment.house, deployment.vault.id, set[str](), set[str]()
    for name in _names(house, vault_id):
        findings.certificates += 1
        under_way.update(_key_under_way(house, vault_id, name))
        history = sorted(_versions(house, vault_id, name), key=lambda version: version.attributes.created)
        if not history:
            findings.without_version += 1
            continue
        facts = [read_certificate(version.der) for version in history]
        used.update(fact.serial for fact in facts)
        _look_at_times(findings, scenario, end, book, history, facts)
        _look_at_keys(findings, house, history, facts)
    findings.duplicate_orders = _duplicates(book, used, under_way)
    findings.attempts = _attempts(house)
    _look_at_notices(findings, deployment, end)
    return findings


def _look_at_notices(findings: Findings, deployment: Deployment, end: datetime) -> None:
    """Compare what came with the ledger, and with the renewals that had to be told."""
    mailbox, before = deployment.mailbox, None
    findings.notices, findings.notices_doubled = mailbox.messages, mailbox.doubled
    findings.notices_by_topic, findings.notices_by_day = mailbox.by_topic, mailbox.by_day
    while page := _notices(deployment, before):
        for notice in page:
            wanted = notice.status in (NoticeStatus.SENT, NoticeStatus.DEAD)
            findings.notices_lost += wanted and not mailbox.has(notice.id)
        with deployment.house.store.reading() as reader:
            before = reader.notice_number(page[-1].id)
    findings.notices_lost += sum(1 for version, at in findings.renewed if at < end - _DAY and version not in mailbox.renewed)


def _notices(deployment: Deployment, before: int | None) -> tuple[Notice, ...]:
    with deployment.house.store.reading() as reader:
        return reader.notices(deployment.vault.id, None, before, _PAGE)


def _look_at_times(
    findings: Findings,
    scenario: Scenario,
    end: datetime,
    book: _Book,
    history: list[CertificateVersion],
    facts: list[CertificateFacts],
) -> None:
    grace = timedelta(hours=scenario.revoked_grace_hours)
    replaced = [version.attributes.created for version in history[1:]]
    findings.renewals += len(replaced)
    findings.renewed += [(version.version, version.attributes.created) for version in history[1:]]
    for version, fact, until in zip(history, facts, [*replaced, end], strict=True):
        if fact.not_after < until:
            findings.lapses.append(Lapse(version.name, fact.not_after, until, "expired"))
        bad_from = book.revoked.get(fact.serial, end) + grace
        if bad_from < min(until, fact.not_after):
            findings.lapses.append(Lapse(version.name, bad_from, min(until, fact.not_after), "revoked"))
    for fact, at in zip(facts, replaced, strict=False):
        day = (at - scenario.start) // _DAY
        findings.renewals_by_day[day] += 1
        findings.margins.setdefault(day, []).append((fact.not_after - at) / (fact.not_after - fact.not_before))


def _look_at_keys(findings: Findings, house: House, history: list[CertificateVersion], facts: list[CertificateFacts]) -> None:
    vault_id, name = history[0].vault_id, history[0].name
    keys = {key.version: key for key in _keys(house, vault_id, name)}
    secrets = set(_secrets(house, vault_id, name))
    for version, fact in zip(history, facts, strict=True):
        key = keys.get(version.version)
        if key is None or version.version not in secrets:
            findings.half_versions += 1
        elif not _fits(house, key, fact.public_key):
            findings.lost_keys += 1


def _fits(house: House, key: KeyVersion, public_key: bytes) -> bool:
    try:
        return public_der(house.materials.private(key)) == public_key
    except (CertworkerError, ValueError):
        return False


def _duplicates(book: _Book, used: set[str], under_way: set[str]) -> int:
    """Count what was issued once more for the same key, and what was issued and never used, but for keys under way."""
    twice = sum(count - 1 for count in book.keys.values())
    unused = {key for serial, key in book.serials.items() if serial not in used}
    return twice + sum(1 for key in unused if book.keys[key] == 1 and key not in under_way)


def _read_book(authority: SimulatedAuthority) -> _Book:
    book, after = _Book(), 0
    while page := authority.inside.house.book.certificates(after=after, limit=_PAGE):
        after = page[-1][0]
        for _, certificate in page:
            book.serials[certificate.serial] = certificate.spki_sha256
            book.keys[certificate.spki_sha256] += 1
            if certificate.revoked_at:
                book.revoked[certificate.serial] = certificate.revoked_at
    return book


def _names(house: House, vault_id: str) -> Iterator[str]:
    after: str | None = None
    while True:
        with house.store.reading() as reader:
            page = reader.heads(vault_id, ObjectKind.CERTIFICATE, after, _PAGE, deleted=False)
        yield from (head.name for head in page.items)
        if (after := page.next) is None:
            return


def _versions(house: House, vault_id: str, name: str) -> Iterator[CertificateVersion]:
    after: str | None = None
    while True:
        with house.store.reading() as reader:
            page = reader.certificate_versions(vault_id, name, after, _PAGE)
        yield from page.items
        if (after := page.next) is None:
            return


def _keys(house: House, vault_id: str, name: str) -> Iterator[KeyVersion]:
    after: str | None = None
    while True:
        with house.store.reading() as reader:
            page = reader.key_versions(vault_id, name, after, _PAGE)
        yield from page.items
        if (after := page.next) is None:
            return


def _secrets(house: House, vault_id: str, name: str) -> Iterator[str]:
    after: str | None = None
    while True:
        with house.store.reading() as reader:
            page = reader.secret_versions(vault_id, name, after, _PAGE)
        yield from (secret.version for secret in page.items)
        if (after := page.next) is None:
            return


def _key_under_way(house: House, vault_id: str, name: str) -> Iterator[str]:
    """Give the digest of the key that is being certified, as the CA's book has it."""
    with house.store.reading() as reader:
        operation = reader.operation(vault_id, name)
    if operation and operation.status is OperationStatus.IN_PROGRESS:
        yield sha256(operation.public_key).hexdigest()


def _attempts(house: House) -> dict[str, int]:
    with house.store.reading() as reader:
        tallies = reader.tallies()
    counted: Counter[str] = Counter()
    for (_, _, result), count in tallies.items():
        counted[result] += count
    return dict(sorted(counted.items()))
