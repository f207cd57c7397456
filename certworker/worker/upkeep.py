"""The rounds of upkeep: keys are rotated, what was deleted is purged, and what has run out is taken down."""

from datetime import datetime, timedelta

from certworker.bootstrap import House
from certworker.vault.deletions import Deletions
from certworker.vault.objects import ObjectHead
from certworker.vault.progression import LEASE
from certworker.vault.rotation_policy import KeyRotation
from certworker.worker.round import MOST_A_ROUND, Group, Round, each, guarded, lost_by, present

UPKEEP_INTERVAL = timedelta(minutes=1)
REFILL_INTERVAL = timedelta(seconds=15)


def rotations(house: House, owner: str) -> Round:
    """Rotate the keys whose policies say so."""
    service, lost = house.key_life.rotations, lost_by(house.measures, "rotations")

    def claim(at: datetime) -> KeyRotation | None:
        with house.store.writing() as writer:
            return writer.claim_rotation(owner, present(at, house.clock()), LEASE)

    def rotate(rotation: KeyRotation) -> None:
        guarded(rotation.name, lambda: service.carry_out(rotation), lambda text: service.put_off(rotation, text), lost)

    return Round("rotations", Group.UPKEEP, lambda at: each(lambda: claim(at), rotate), lambda reader: reader.next_rotation())


def expiries(house: House, _owner: str) -> Round:
    """Tell of keys and secrets that are near their end, or have come to it."""
    return Round("expiries", Group.UPKEEP, house.expiries.tell_due, lambda reader: reader.next_notice())


def spare_keys(house: House, _owner: str) -> Round:
    """Make keys ahead of need."""
    return Round("spare-keys", Group.UPKEEP, house.lifecycle.key_pool.refill, interval=REFILL_INTERVAL)


def vault_purges(house: House, _owner: str) -> Round:
    """Purge deleted vaults whose retention is over."""
    service = house.resources.deleted_vaults

    def run(at: datetime) -> int:
        return service.purge_due(at, MOST_A_ROUND)

    return Round("vault-purges", Group.UPKEEP, run, lambda reader: reader.next_vault_purge())


def signing_keys(house: House, _owner: str) -> Round:
    """Put new keys in the place of those that have signed tokens for long enough, and delete those that have retired."""
    return Round("signing-keys", Group.UPKEEP, house.sign_in.signing_keys.tend, interval=UPKEEP_INTERVAL)


def clearance(house: House, _owner: str) -> Round:
    """Take down stale challenge responses, assertions and budgets, purge what is due, and destroy unused keys in the token."""

    def purge(listed: ObjectHead, at: datetime) -> bool:
        # it may have been recovered since it was listed
        with house.store.writing() as writer:
            head, vault = writer.head(listed.vault_id, listed.kind, listed.name), writer.vault(listed.vault_id)
            if vault is None or head is None or head.deletion is None or head.deletion.purge_at > at:
                return False
            Deletions().purge_due(writer, vault, head, at)
        return True

    def clear(at: datetime) -> int:
        with house.store.writing() as writer:
            stale = writer.delete_expired_challenges(at) + writer.delete_expired_assertions(at) + writer.forget_spent(at)
            stale += writer.delete_expired_grants(at)
            purgeable = writer.purgeable(at, MOST_A_ROUND)
        purged = sum(purge(head, at) for head in purgeable)
        # what was purged may have had a key in the token, which is destroyed outside of the transaction
        return stale + purged + house.materials.destroy_unused(at, MOST_A_ROUND)

    return Round("clearance", Group.UPKEEP, clear, interval=UPKEEP_INTERVAL)
