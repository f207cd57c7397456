"""What became of a certificate's latest operation, and what is planned next."""

from dataclasses import dataclass

from certworker.errors import OperationNotFound
from certworker.vault.access import Access, Caller
from certworker.vault.objects import ObjectKind, check_name
from certworker.vault.operations import JournalEntry, Operation, Renewal
from certworker.vault.store import Store
from certworker.vault.vaults import Vault


@dataclass(frozen=True, slots=True)
class History:
    """An operation with its journal, and the renewal to come."""

    operation: Operation
    journal: tuple[JournalEntry, ...]
    renewal: Renewal


class Histories:
    """Tells the history of certificates."""

    def __init__(self, store: Store, access: Access) -> None:
        self._store = store
        self._access = access

    def latest(self, caller: Caller, vault: Vault, name: str) -> History:
        """Tell of a certificate's latest operation. Raises OperationNotFound."""
        self._access.require(caller, vault, "certificates", "get", name=name)
        check_name(name)
        with self._store.reading() as reader:
            head = reader.head(vault.id, ObjectKind.CERTIFICATE, name)
            certificate = reader.certificate(vault.id, name) if head and not head.deletion else None
            operation = reader.operation(vault.id, name) if certificate else None
            if certificate is None or operation is None:
                raise OperationNotFound(f"Pending certificate not found: {name}")
            return History(operation, reader.journal(operation.id), certificate.renewal)
