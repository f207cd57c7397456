"""A whole issuer replaced: what a mass revocation would ask for, in what order, and in what time within the CA's limits."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from certworker.clock import Clock, whole_second
from certworker.crypto.x509 import read_certificate
from certworker.errors import Conflict
from certworker.settings.rates import Rate
from certworker.vault.access import Access, Caller
from certworker.vault.issuers import Issuers
from certworker.vault.objects import ObjectKind
from certworker.vault.operations import Operation, OperationReason
from certworker.vault.policy import names_to_validate
from certworker.vault.renewal.advice import Known
from certworker.vault.renewal.outlook import NextStep, Outlook, Outlooks
from certworker.vault.renewal.planning import Planner
from certworker.vault.resilience.budgets import Budget, Budgets
from certworker.vault.resilience.ports import Bucket
from certworker.vault.store import Reader, Store
from certworker.vault.vaults import Issuer, Vault
from certworker.vault.watches import WatchKind

PAGE: Final = 200
PLACEHOLDER: Final = "example.com"
"""A name to ask for the limits by, which are the same for all names."""
_KNOWN_TO_BE_BAD: Final = (OperationReason.REVOKED, OperationReason.KEY_COMPROMISED)
_HELD: Final = (NextStep.PERSON, NextStep.PAUSED, NextStep.DISABLED, NextStep.NOTHING)


@dataclass(frozen=True, slots=True)
class Affected:
    """A certificate that the issuer signed, and what happens to it next without any incident.

    `advised` says that its CA tells when it wants it renewed, and so can pull that in; `opened` that it wants it renewed now.
    """

    outlook: Outlook
    advised: bool = False
    opened: bool = False

    @property
    def is_held(self) -> bool:
        """Whether it is not replaced by itself, for the reason that the outlook tells."""
        return self.outlook.step in _HELD

    @property
    def is_under_way(self) -> bool:
        """Whether its replacement has begun already."""
        return self.outlook.step is NextStep.OPERATION


@dataclass(frozen=True, slots=True)
class Turn:
    """When the replacement of a certificate can begin: as it is, and if the CA counted every renewal against its limits."""

    affected: Affected
    at: datetime
    counted_at: datetime


@dataclass(frozen=True, slots=True)
class MassReplacement:
    """How a whole issuer would be replaced as of `at`: who goes when, what is under way, and who is not replaced by itself."""

    issuer: Issuer
    at: datetime
    turns: tuple[Turn, ...]
    under_way: tuple[Affected, ...]
    held: tuple[Affected, ...]
    budgets: tuple[Budget, ...]

    @property
    def last_at(self) -> datetime:
        """Tell when the last replacement can begin."""
        return max((turn.at for turn in self.turns), default=self.at)

    @property
    def last_counted_at(self) -> datetime:
        """Tell when the last replacement can begin if none is exempt from the CA's limits."""
        return max((turn.counted_at for turn in self.turns), default=self.at)


class MassReplacements:
    """Drills the replacement of all that an issuer of a vault has signed, and asks for it."""

    def __init__(
        self,
        store: Store,
        access: Access,
        issuers: Issuers,
        outlooks: Outlooks,
        planner: Planner,
        budgets: Budgets,
        clock: Clock,
    ) -> None:
        self._store = store
        self._access = access
        self._issuers = issuers
        self._outlooks = outlooks
        self._planner = planner
        self._budgets = budgets
        self._clock = clock

    def drill(self, caller: Caller, vault: Vault, issuer: str) -> MassReplacement:
        """Tell how all would be replaced, were the CA to pull its windows in now. Nothing changes. Raises IssuerNotFound."""
        self._access.require(caller, vault, "certificates", "list")
        return self._draw_up(caller, vault, issuer, announced=True)

    def replace(self, caller: Caller, vault: Vault, issuer: str) -> MassReplacement:
        """Ask for the renewal of all, each when its turn comes; give the turns. Raises IssuerNotFound, Conflict.

        What fails is tried again until it worked, as everything that somebody asked for.
        """
        self._access.require(caller, vault, "certificates", "create")
        found = self._draw_up(caller, vault, issuer, announced=False)
        if not found.issuer.enabled:
            raise Conflict(f"The issuer {found.issuer.name} is disabled: nothing is asked of it.")
        asked = tuple(turn for turn in found.turns if self._ask(turn))
        return replace(found, turns=asked)

    def _draw_up(self, caller: Caller, vault: Vault, issuer: str, *, announced: bool) -> MassReplacement:
        found, at = self._issuers.find(vault, issuer), whole_second(self._clock())
        affected = sorted(self._affected(caller, vault, found), key=_urgency)
        going = [one for one in affected if not one.is_held and not one.is_under_way]
        with self._store.reading() as reader:
            turns = tuple(self._turns(reader, found, going, at, announced=announced))
        return MassReplacement(
            issuer=found,
            at=at,
            turns=turns,
            under_way=tuple(one for one in affected if one.is_under_way),
            held=tuple(one for one in affected if one.is_held),
            budgets=tuple(self._budgets.budgets(found, (PLACEHOLDER,))),
        )

    def _affected(self, caller: Caller, vault: Vault, issuer: Issuer) -> list[Affected]:
        """List what the issuer signed: what it was asked for, and what else bears the name of the same authority."""
        signed, strange, authorities = list[Affected](), list[tuple[str, Outlook]](), set[str]()
        for outlook in self._outlooks_of(caller, vault):
            with self._store.reading() as reader:
                name, version = outlook.certificate.name, outlook.version or ""
                current = reader.certificate_version(vault.id, name, version)
                made = reader.operation_of_version(vault.id, name, version)
                if current is None or (made and made.policy.is_self_signed):
                    continue
                if made and made.policy.issuer.name.casefold() == issuer.name.casefold():
                    authorities.add(read_certificate(current.der).issuer)
                    signed.append(self._advised(reader, outlook, issuer))
                elif _is_strange(made):
                    strange.append((read_certificate(current.der).issuer, outlook))
        return [*signed, *(Affected(outlook) for authority, outlook in strange if authority in authorities)]

    def _outlooks_of(self, caller: Caller, vault: Vault) -> Iterator[Outlook]:
        after: str | None = None
        while True:
            page = self._outlooks.list_(caller, vault, after, PAGE)
            yield from page.items
            if page.next is None:
                return
            after = page.next

    def _advised(self, reader: Reader, outlook: Outlook, issuer: Issuer) -> Affected:
        watch = reader.watch(WatchKind.ADVICE, issuer.vault_id, outlook.certificate.name)
        known = Known.read(watch.state) if watch and watch.version == outlook.version else None
        # who renews elsewhere replaces nothing of this CA's
        same = outlook.certificate.policy.issuer.name.casefold() == issuer.name.casefold()
        if known is None or known.window is None or not same:
            return Affected(outlook)
        return Affected(outlook, advised=True, opened=known.window.start <= self._clock())

    def _turns(
        self, reader: Reader, issuer: Issuer, going: Iterable[Affected], at: datetime, *, announced: bool
    ) -> Iterator[Turn]:
        """Give everybody a turn. What renews inside a window that its CA has opened does not count against the limits."""
        real, counted = _Pace(reader, at), _Pace(reader, at)
        for affected in going:
            policy = affected.outlook.certificate.policy
            asked = reader.issuer(issuer.vault_id, policy.issuer.name) or issuer
            budgets = tuple(self._budgets.budgets(asked, names_to_validate(policy))) if policy.is_integrated else ()
            is_exempt = affected.advised if announced else affected.opened
            yield Turn(affected, at if is_exempt else real.next(budgets), counted.next(budgets))

    def _ask(self, turn: Turn) -> bool:
        certificate = turn.affected.outlook.certificate
        vault_id, name, at = certificate.vault_id, certificate.name, whole_second(self._clock())
        with self._store.writing() as writer:
            head, known = writer.head(vault_id, ObjectKind.CERTIFICATE, name), writer.certificate(vault_id, name)
            if head is None or head.deletion or known is None or head.current_version != turn.affected.outlook.version:
                return False  # it has been replaced since, or is gone
            requested_at = min(turn.at, known.renewal.requested_at or turn.at)
            writer.set_renewal(vault_id, name, None, replace(known.renewal, requested_at=requested_at))
            self._planner.replan(writer, vault_id, name, at, afresh=True)
        return True


class _Pace:
    """Spends budgets in thought, from what is left of them now on."""

    def __init__(self, reader: Reader, at: datetime) -> None:
        self._reader = reader
        self._at = at
        self._full_at: dict[Bucket, datetime] = {}

    def next(self, budgets: Iterable[Budget]) -> datetime:
        """Take the next token of each, and tell when there is one of all."""
        return max((self._take(budget.bucket, budget.rate) for budget in budgets), default=self._at)

    def _take(self, bucket: Bucket, rate: Rate) -> datetime:
        if bucket not in self._full_at:
            # of a bucket that was never used, its own time is given back
            self._full_at[bucket] = self._reader.token_at(bucket, rate, self._at - rate.slack) + rate.slack
        full_at = max(self._full_at[bucket], self._at)
        self._full_at[bucket] = full_at + rate.interval
        return max(full_at - rate.slack, self._at)


def _is_strange(made: Operation | None) -> bool:
    """Whether nobody recorded which CA signed: imported, or signed outside of the vault."""
    return made is None or made.policy.is_manual


def _urgency(affected: Affected) -> tuple[bool, float, str]:
    outlook = affected.outlook
    expires = outlook.not_after.timestamp() if outlook.not_after else 0.0
    return outlook.reason not in _KNOWN_TO_BE_BAD, expires, outlook.certificate.name.casefold()
