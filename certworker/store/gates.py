"""What a gate keeps back of what is due, and how one goes through it alone."""

from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Select,
    Update,
    and_,
    bindparam,
    case,
    exists,
    func,
    literal_column,
    or_,
    select,
    update,
)

from certworker.store.columns import UnixTime
from certworker.store.tables.resilience import GATE
from certworker.vault.resilience.gates import GateReason

_IN_TROUBLE: Final = GATE.c.reason.in_([GateReason.OUTAGE, GateReason.THROTTLED])
_BUDGET: ColumnElement[str] = literal_column("'budget'")
_AT: Final = bindparam("at", type_=UnixTime())


def asked_issuer(table: FromClause) -> ColumnElement[str]:
    """Tell the folded name of the issuer that a certificate's next renewal, or an operation, asks."""
    # a certificate may be sent elsewhere; that issuer names are ASCII makes the database's folding the house's
    issuer = func.coalesce(table.c.route, table.c.issuer) if "route" in table.c else table.c.issuer
    return func.upper(issuer)


def gate_of(table: FromClause) -> ColumnElement[bool]:
    """Find the gate that a certificate or an operation stands before."""
    return and_(GATE.c.vault_id == table.c.vault_id, GATE.c.folded == asked_issuer(table))


def keeps_back(table: FromClause) -> ColumnElement[bool]:
    """Whether the gate, while it is closed, keeps back what stands before it.

    A probe goes through. So does an operation that its owner cancels; and a budget is no matter of what was begun already.
    """
    others = or_(GATE.c.probe.is_(None), GATE.c.probe != table.c.folded)
    if "cancellation_requested" in table.c:
        return and_(others, table.c.cancellation_requested.is_(False), GATE.c.reason != _BUDGET)
    return others


def let_through(table: FromClause) -> ColumnElement[bool]:
    """Tell what no closed gate keeps back at the time of a claim."""
    return ~exists().where(gate_of(table), GATE.c.closed_until > _AT, keeps_back(table))


def opens(table: FromClause, due: ColumnElement[datetime]) -> ColumnElement[datetime]:
    """Tell when what is due before a gate can be claimed; to be joined by `gate_of`."""
    return case((and_(GATE.c.closed_until > due, keeps_back(table)), GATE.c.closed_until), else_=due)


def probing() -> Update:
    """Make the statement by which one claim becomes the probe, and the gate is closed behind it."""
    this = and_(GATE.c.vault_id == bindparam("of_vault"), GATE.c.folded == bindparam("of_issuer"))
    changed = {"probe": bindparam("of_name"), "closed_until": bindparam("until", type_=UnixTime())}
    return update(GATE).where(this, _IN_TROUBLE, GATE.c.closed_until <= _AT).values(changed)


def is_shut() -> Select[Any]:
    """Make the statement that finds the gate in trouble that is closed by now to all but another probe."""
    this = and_(GATE.c.vault_id == bindparam("of_vault"), GATE.c.folded == bindparam("of_issuer"))
    others = or_(GATE.c.probe.is_(None), GATE.c.probe != bindparam("of_name"))
    return select(GATE.c.folded).where(this, _IN_TROUBLE, GATE.c.closed_until > _AT, others)
