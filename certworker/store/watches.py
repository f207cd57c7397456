"""Watches: what is asked and what is changed."""

from functools import cache

from sqlalchemy import Executable, bindparam, select

from certworker.errors import LeaseLost
from certworker.store.columns import WatchText
from certworker.store.tables.row import Values
from certworker.store.tables.watches import WATCH, watch_record, watch_values
from certworker.store.transaction import Transaction, insertion
from certworker.vault.objects import fold_name
from certworker.vault.watches import Watch, WatchKind

_WATCH = select(WATCH).where(
    WATCH.c.what == bindparam("what", type_=WatchText()),
    WATCH.c.vault_id == bindparam("vault_id"),
    WATCH.c.folded == bindparam("folded"),
)
_WATCHES = select(WATCH).where(WATCH.c.what == bindparam("what", type_=WatchText())).order_by(WATCH.c.vault_id, WATCH.c.folded)


class WatchReader(Transaction):
    """What can be asked of watches."""

    def watch(self, kind: WatchKind, vault_id: str, name: str) -> Watch | None:
        """Find a watch over a certificate."""
        row = self._one(_WATCH, what=kind, vault_id=vault_id, folded=fold_name(name))
        return watch_record(row) if row else None

    def watches(self, kind: WatchKind) -> tuple[Watch, ...]:
        """List every watch of a kind, those over deleted certificates as well."""
        return tuple(map(watch_record, self._all(_WATCHES, what=kind)))


class WatchWriter(WatchReader):
    """What can be changed in watches."""

    def put_watch(self, watch: Watch) -> None:
        """Add or replace a watch. A lease on it ends, and its fence moves on. The certificate's head must exist."""
        values = watch_values(watch) | {"lease_owner": None, "lease_until": None, "fence": 0}
        self._change(_putting_watch(tuple(values), on_postgresql=self._on_postgresql), **values)

    def set_watch(self, watch: Watch) -> None:
        """Record what was seen, under the fence that the watch was claimed with; the lease ends. Raises LeaseLost."""
        this = _place(watch.kind, watch.vault_id, watch.name) | {"fence": watch.fence}
        values = {"due_at": watch.due_at, "state": watch.state, "lease_owner": None, "lease_until": None}
        if self._update(WATCH, this, values, leased=True) == 0:
            raise LeaseLost(f"The watch over {watch.name} was taken over, or is about another version by now.")

    def delete_watch(self, kind: WatchKind, vault_id: str, name: str) -> None:
        """Delete a watch, if there is one."""
        self._delete(WATCH, _place(kind, vault_id, name))

    def hasten_watches(self, kind: WatchKind, vault_id: str, name: str | None) -> int:
        """Let watches of a vault, or the one over `name`, fall due now; give their count."""
        this = {"what": kind, "vault_id": vault_id} if name is None else _place(kind, vault_id, name)
        return self._update(WATCH, this, {"due_at": self._at()})


def _place(kind: WatchKind, vault_id: str, name: str) -> Values:
    return {"what": kind, "vault_id": vault_id, "folded": fold_name(name)}


@cache
def _putting_watch(columns: tuple[str, ...], *, on_postgresql: bool) -> Executable:
    statement = insertion(WATCH, on_postgresql=on_postgresql)
    changed = {name: statement.excluded[name] for name in columns if name not in ("what", "vault_id", "folded", "fence")}
    return statement.on_conflict_do_update(
        index_elements=["what", "vault_id", "folded"], set_=changed | {"fence": WATCH.c.fence + 1}
    )
