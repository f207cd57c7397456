"""What is asked for the sake of the CAs' advice."""

from sqlalchemy import and_, bindparam, literal_column, select
from sqlalchemy.sql.functions import func

from certworker.store.columns import WatchText
from certworker.store.living import is_live
from certworker.store.tables.objects import HEAD
from certworker.store.tables.operations import OPERATION
from certworker.store.tables.watches import WATCH
from certworker.store.transaction import Transaction
from certworker.vault.policy import SELF, UNKNOWN
from certworker.vault.renewal.advice import Unwatched
from certworker.vault.watches import WatchKind

_MADE = and_(
    OPERATION.c.vault_id == HEAD.c.vault_id,
    OPERATION.c.folded == HEAD.c.folded,
    OPERATION.c.version == HEAD.c.current_version,
)
_OVER_IT = and_(
    WATCH.c.what == bindparam("what", type_=WatchText()),
    WATCH.c.vault_id == HEAD.c.vault_id,
    WATCH.c.folded == HEAD.c.folded,
    WATCH.c.version == HEAD.c.current_version,
)
_UNWATCHED = (
    select(HEAD.c.vault_id, HEAD.c.name, HEAD.c.current_version, OPERATION.c.issuer)
    .select_from(HEAD)
    .join(OPERATION, _MADE)
    .outerjoin(WATCH, _OVER_IT)
    .where(
        HEAD.c.kind == literal_column("'certificate'"),
        HEAD.c.deleted_at.is_(None),
        WATCH.c.number.is_(None),
        is_live(HEAD),
        func.lower(func.coalesce(OPERATION.c.issuer, "")).not_in([SELF.lower(), UNKNOWN.lower()]),
    )
    .order_by(HEAD.c.vault_id, HEAD.c.folded)
)


class AdviceReader(Transaction):
    """What can be asked for the sake of advice."""

    def unwatched(self, kind: WatchKind) -> tuple[Unwatched, ...]:
        """List what no watch of a kind is over; what is known to be self-signed, or signed outside, is left out."""
        rows = self._all(_UNWATCHED, what=kind)
        return tuple(Unwatched(row.vault_id, row.name, row.current_version, row.issuer) for row in rows)
