"""The rounds of issuance: renewals are begun when they fall due, and operations go on as far as they can."""

from datetime import datetime
from uuid import uuid4

from certworker.bootstrap import House
from certworker.correlation import correlating
from certworker.vault.operations import Certificate, Operation, working_on
from certworker.vault.progression import LEASE
from certworker.worker.round import Group, Round, each, guarded, lost_by, present


def renewals(house: House, owner: str) -> Round:
    """Begin the renewals that are due, the most urgent first."""

    def claim(at: datetime) -> Certificate | None:
        with house.store.writing() as writer:
            return writer.claim_renewal(owner, present(at, house.clock()), LEASE)

    def renew(certificate: Certificate) -> None:
        services, lost = house.renewals, lost_by(house.measures, "renewals")
        with correlating(str(uuid4())):
            guarded(
                certificate.name, lambda: services.begin(certificate), lambda text: services.put_off(certificate, text), lost
            )

    return Round("renewals", Group.ISSUANCE, lambda at: each(lambda: claim(at), renew), lambda reader: reader.next_renewal())


def operations(house: House, owner: str) -> Round:
    """Take the operations that are due as far as they go, the most urgent first."""

    def claim(at: datetime) -> Operation | None:
        with house.store.writing() as writer:
            return writer.claim_operation(owner, present(at, house.clock()), LEASE)

    def advance(operation: Operation) -> None:
        progression, lost = house.progression, lost_by(house.measures, "operations")
        with working_on(operation):
            guarded(
                operation.name, lambda: progression.advance(operation), lambda text: progression.postpone(operation, text), lost
            )

    return Round(
        "operations", Group.ISSUANCE, lambda at: each(lambda: claim(at), advance), lambda reader: reader.next_operation()
    )
