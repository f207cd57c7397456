"""How a vault stands, at a glance: what needs somebody, what lies ahead, and whether anybody is at work."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from certworker.clock import Clock, whole_second
from certworker.errors import Forbidden
from certworker.vault.access import Access, Caller
from certworker.vault.management.vaults import READ
from certworker.vault.notification.ledger import NoticeStatus
from certworker.vault.objects import ObjectKind
from certworker.vault.operations import OperationStatus
from certworker.vault.renewal.outlook import NextStep, Outlook, Outlooks
from certworker.vault.resilience.gates import Gate
from certworker.vault.rights.scopes import vault_scope
from certworker.vault.store import HotReader, Reader, Store
from certworker.vault.summary.attention import Finding, Group, Trouble, finding_of
from certworker.vault.summary.records import Member, State
from certworker.vault.vaults import SYSTEM_VAULT, Heartbeat, Vault

DAYS_AHEAD: Final = 90
MOST_PROBLEMS: Final = 100
"""Of so many is told what is wrong in words; how many there are besides is counted."""
MOST_DEAD_NOTICES: Final = 100
_RECENT: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Problem:
    """One certificate that needs somebody: what is wrong, why in whole sentences, and the command that goes on from there."""

    member: Member
    finding: Finding
    why: str
    to_do: str


@dataclass(frozen=True, slots=True)
class Day:
    """How many certificates are renewed, and how many expire unless they are, on the day that begins then."""

    begins: datetime
    renewals: int
    expiries: int


@dataclass(frozen=True, slots=True)
class VaultStatus:
    """How a vault stands at `at`. `needy` counts all that need somebody, of whom `problems` are the most urgent.

    `last_run` is the last one of a worker's job in this deployment, `has_failed` whether a recent one failed. `dead_notices`
    counts what was given up; there may be more where it is MOST_DEAD_NOTICES. `behind` counts changes that are not in it yet.
    """

    at: datetime
    groups: tuple[Group, ...]
    problems: tuple[Problem, ...]
    ahead: tuple[Day, ...]
    gates: tuple[Gate, ...]
    last_run: Heartbeat | None
    has_failed: bool
    dead_notices: int
    behind: int

    @property
    def number(self) -> int:
        """Count the live certificates."""
        return sum(group.number for group in self.groups)

    @property
    def needy(self) -> int:
        """Count those that need somebody."""
        return sum(group.needy for group in self.groups)

    @property
    def states(self) -> Mapping[str, int]:
        """Count them by how they stand; what has expired is counted as that, if nothing worse is to be said of it."""
        found: Counter[str] = Counter()
        for group in self.groups:
            expired = 0 if group.state is State.REVOKED else group.expired
            found["expired"] += expired
            found[group.state.value] += group.number - expired
        return MappingProxyType({word: number for word, number in found.items() if number})


@dataclass(frozen=True, slots=True)
class KnownVault:
    """A vault of which a caller may know that it is there, and whether its status is told to them."""

    vault: Vault
    is_told: bool


class VaultStatuses:
    """Tells how a vault stands. It reads the summary of the fleet, so that the size of a vault hardly matters."""

    def __init__(self, store: Store, access: Access, outlooks: Outlooks, clock: Clock) -> None:
        self._store = store
        self._access = access
        self._outlooks = outlooks
        self._clock = clock

    def show(self, caller: Caller, vault: Vault, most: int = MOST_PROBLEMS) -> VaultStatus:
        """Tell how it stands now, with `most` of its problems. Raises Forbidden."""
        self._access.require(caller, vault, "certificates", "list")
        at = whole_second(self._clock())
        with self._store.reading() as reader:
            needy = reader.needy(vault.id, at, min(most, MOST_PROBLEMS))
            heartbeats = reader.heartbeats()
            return VaultStatus(
                at=at,
                groups=reader.standing_groups(vault, at),
                problems=tuple(filter(None, (self._problem(reader, member, at) for member in needy))),
                ahead=_ahead(reader, vault, at),
                gates=tuple(gate for gate in reader.gates() if gate.vault_id == vault.id and gate.is_closed(at)),
                last_run=max(heartbeats, key=lambda beat: beat.at, default=None),
                has_failed=any(beat.failed and at - beat.at <= _RECENT for beat in heartbeats),
                dead_notices=len(reader.notices(vault.id, NoticeStatus.DEAD, None, MOST_DEAD_NOTICES)),
                behind=reader.count_changes(),
            )

    def known(self, caller: Caller) -> tuple[KnownVault, ...]:
        """List the vaults of the caller's tenant by name: whose status is told to them, and those that they may read of.

        Nobody is refused. Each vault decides anew when it is asked, by its network rules too.
        """
        with self._store.reading() as reader:
            vaults = [one for one in reader.vaults() if one.tenant_id == caller.tenant_id and one.name != SYSTEM_VAULT]
        with self._store.glance() as glance:
            found = [KnownVault(vault, self._is_told(caller, vault, glance)) for vault in vaults]
            return tuple(one for one in found if one.is_told or self._access.may(caller, vault_scope(one.vault), READ, glance))

    def _is_told(self, caller: Caller, vault: Vault, glance: HotReader) -> bool:
        try:
            self._access.require(caller, vault, "certificates", "list", glance)
        except Forbidden:
            return False
        return True

    def _problem(self, reader: Reader, member: Member, at: datetime) -> Problem | None:
        """Tell of a member that is still there what is wrong with it."""
        finding = finding_of(member, at)
        head = reader.head(member.place.vault_id, ObjectKind.CERTIFICATE, member.name)
        if finding is None or head is None or head.deletion:
            return None
        outlook = self._outlooks.look(reader, head, at)
        why = outlook.why
        if finding.trouble is Trouble.FAILED:
            last = reader.operation(member.place.vault_id, member.name)
            failed = last is not None and last.status is OperationStatus.FAILED
            why = (last.error_message or "") if last and failed else why
        return Problem(member, finding, why, _to_do(finding.trouble, outlook))


def _ahead(reader: Reader, vault: Vault, at: datetime) -> tuple[Day, ...]:
    start = at.replace(hour=0, minute=0, second=0)
    renewals = reader.renewals_ahead(vault, at, DAYS_AHEAD)
    expiries = reader.expiries_ahead(vault, at, DAYS_AHEAD)
    days = range(DAYS_AHEAD)
    return tuple(Day(start + timedelta(days=day), renewals.get(day, 0), expiries.get(day, 0)) for day in days)


def _to_do(trouble: Trouble, outlook: Outlook) -> str:
    """Name the command that goes on from here."""
    name, issuer = outlook.certificate.name, outlook.certificate.policy.issuer.name
    if trouble is Trouble.REVOCATION_UNKNOWN:  # however it is renewed
        return f"certworker revocation check {name}"
    if outlook.step is NextStep.PERSON:
        return (
            f"certworker csr merge {name} FILE" if trouble is Trouble.WAITS_FOR_SIGNATURE else f"certworker csr create {name}"
        )
    commands = {
        NextStep.PAUSED: f"certworker certificate resume {name}",
        NextStep.ISSUER: f"certworker issuer test {issuer}",
        NextStep.OPERATION: f"certworker certificate show {name}",
    }
    usual = "show" if trouble is Trouble.FAILED else "renew"
    return commands.get(outlook.step, f"certworker certificate {usual} {name}")
