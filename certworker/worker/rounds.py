"""The rounds: whatever is due, done. Nothing that is due lives in memory."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from time import monotonic
from typing import TypeVar

from certworker.bootstrap import House
from certworker.clock import whole_second
from certworker.errors import CertworkerError, LeaseLost
from certworker.vault.deletions import Deletions
from certworker.vault.objects import ObjectHead
from certworker.vault.operations import Certificate, Operation
from certworker.vault.progression import LEASE
from certworker.vault.rotation_policy import KeyRotation
from certworker.vault.vaults import Heartbeat
from certworker.worker.owner import is_gone, own_name

MOST_A_ROUND = 100
"""A round is cut here, so that a long one starves nobody; the next follows at once."""
UPKEEP_INTERVAL = timedelta(minutes=1)
BEAT_INTERVAL = timedelta(seconds=15)
"""How often an idle worker writes that it is alive: a commit costs a disk's flush."""

T = TypeVar("T")
_log = logging.getLogger(__name__)


class Rounds:
    """Looks at the database for what is due, claims it, and does it. Any number of processes can do so side by side."""

    def __init__(self, house: House, owner: str | None = None) -> None:
        self._house = house
        self._owner = owner or own_name()
        self._upkeep_at: datetime | None = None
        self._beat_at: datetime | None = None

    def take_over(self) -> None:
        """End the leases of processes of this machine that are gone, so that what they had begun goes on now."""
        with self._house.store.writing() as writer:
            for owner in writer.lease_owners():
                if is_gone(owner):
                    writer.release_leases(owner)

    def run_due(self, at: datetime) -> datetime | None:
        """Do all that is due at `at`; tell when something falls due next, none where nothing is planned."""
        begun, at = monotonic(), whole_second(at)
        done = 0
        try:
            if (due := self._next_due()) is not None and due <= at:
                done += self.renew(at)
                done += self.advance(at)
                # before the notices: of a key that was rotated in time nobody has to hear
                done += self.rotate(at)
                done += self._house.notices.tell_due(at)
            if _is_time(self._upkeep_at, at, UPKEEP_INTERVAL):
                self._upkeep_at = at
                done += self.keep_up(at)
        except CertworkerError:
            self._beat(at, monotonic() - begun, failed=True)
            raise
        if done or _is_time(self._beat_at, at, BEAT_INTERVAL):
            self._beat(at, monotonic() - begun, failed=False)
        return self._next_due()

    def renew(self, at: datetime) -> int:
        """Begin the renewals that are due; give their count."""
        return self._each(lambda: self._claim_renewal(self._present(at)), self._renew)

    def advance(self, at: datetime) -> int:
        """Take the operations that are due as far as they go; give their count."""
        return self._each(lambda: self._claim_operation(self._present(at)), self._advance)

    def rotate(self, at: datetime) -> int:
        """Rotate the keys that are due; give their count."""
        return self._each(lambda: self._claim_rotation(self._present(at)), self._rotate)

    def keep_up(self, at: datetime) -> int:
        """Take down stale challenge responses and assertions, purge what is due, destroy unused keys in the token; count."""
        with self._house.store.writing() as writer:
            stale = writer.delete_expired_challenges(at) + writer.delete_expired_assertions(at)
            purgeable = writer.purgeable(at, MOST_A_ROUND)
        purged = sum(self._purge(head, at) for head in purgeable)
        # what was purged may have had a key in the token, which is destroyed outside of the transaction
        return stale + purged + self._house.materials.destroy_unused(at, MOST_A_ROUND)

    def _purge(self, listed: ObjectHead, at: datetime) -> bool:
        """Purge what is due; say whether it still was: it may have been recovered since it was listed."""
        with self._house.store.writing() as writer:
            head, vault = writer.head(listed.vault_id, listed.kind, listed.name), writer.vault(listed.vault_id)
            if vault is None or head is None or head.deletion is None or head.deletion.purge_at > at:
                return False
            Deletions().purge_due(writer, vault, head, at)
        return True

    def _each(self, claim: Callable[[], T | None], work: Callable[[T], None]) -> int:
        count = 0
        while count < MOST_A_ROUND and (item := claim()) is not None:
            count += 1
            work(item)
        return count

    def _present(self, at: datetime) -> datetime:
        # a round can take longer than a lease: each lease runs from its own claim, not from the round's beginning
        return max(at, whole_second(self._house.clock()))

    def _claim_operation(self, at: datetime) -> Operation | None:
        with self._house.store.writing() as writer:
            return writer.claim_operation(self._owner, at, LEASE)

    def _claim_renewal(self, at: datetime) -> Certificate | None:
        with self._house.store.writing() as writer:
            return writer.claim_renewal(self._owner, at, LEASE)

    def _claim_rotation(self, at: datetime) -> KeyRotation | None:
        with self._house.store.writing() as writer:
            return writer.claim_rotation(self._owner, at, LEASE)

    def _advance(self, operation: Operation) -> None:
        progression = self._house.progression
        _guard(operation.name, lambda: progression.advance(operation), lambda text: progression.postpone(operation, text))

    def _renew(self, certificate: Certificate) -> None:
        renewals = self._house.renewals
        _guard(certificate.name, lambda: renewals.begin(certificate), lambda text: renewals.put_off(certificate, text))

    def _rotate(self, rotation: KeyRotation) -> None:
        rotations = self._house.key_life.rotations
        _guard(rotation.name, lambda: rotations.carry_out(rotation), lambda text: rotations.put_off(rotation, text))

    def _next_due(self) -> datetime | None:
        with self._house.store.reading() as reader:
            return reader.next_due()

    def _beat(self, at: datetime, seconds: float, *, failed: bool) -> None:
        self._beat_at = at
        with self._house.store.writing() as writer:
            writer.beat(Heartbeat("rounds", at, seconds, failed))


def _guard(name: str, work: Callable[[], object], put_off: Callable[[str], None]) -> None:
    """Keep one broken object from stopping the round: what went wrong is logged, recorded, and tried again later."""
    try:
        _attempt(name, work, put_off)
    except LeaseLost as lost:
        _log.info("%s: %s", name, lost)
    except CertworkerError as error:
        # not even the failure could be recorded: the lease runs out, and the work is taken up again
        _log.error("%s: %s", name, error)


def _attempt(name: str, work: Callable[[], object], put_off: Callable[[str], None]) -> None:
    try:
        work()
    except LeaseLost:
        raise
    except CertworkerError as error:
        _log.error("%s: %s", name, error)  # the message says it all
        put_off(str(error))
    except Exception as error:  # noqa: BLE001  # a provider is somebody else's code, and one certificate must not stop all
        # the text of a foreign exception may hold anything: only its kind and place are told
        _log.error("%s: unexpected %s at %s", name, type(error).__name__, _place(error))
        put_off(f"An unexpected {type(error).__name__} came up; the log tells where.")


def _place(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else "an unknown place"


def _is_time(last: datetime | None, at: datetime, interval: timedelta) -> bool:
    return last is None or not timedelta(0) <= at - last < interval
