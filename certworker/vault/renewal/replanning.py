"""Planning anew what a whole vault has: it was away, and time went on."""

from datetime import datetime

from certworker.vault.objects import ObjectKind
from certworker.vault.renewal.planning import Planner
from certworker.vault.store import Store
from certworker.vault.vaults import Vault

_PAGE = 100


def replan_vault(store: Store, planner: Planner, vault: Vault, at: datetime) -> None:
    """Plan the renewals of a vault's certificates anew, each in a transaction of its own.

    What this does not come to, because the process ends, has its plan of before, which falls due as it would have.
    """
    after: str | None = None
    while True:
        with store.reading() as reader:
            page = reader.heads(vault.id, ObjectKind.CERTIFICATE, after, _PAGE, deleted=False)
        for head in page.items:
            with store.writing() as writer:
                # its name is held first, as by everybody
                writer.head(head.vault_id, ObjectKind.CERTIFICATE, head.name)
                planner.replan(writer, head.vault_id, head.name, at)
        if page.next is None:
            return
        after = page.next
