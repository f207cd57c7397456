"""What users, groups, applications and service principals have in common: owners, and being found by their ids."""

from collections.abc import Iterable

from certworker.errors import Conflict
from certworker.vault.identities.groups import ALREADY, find_identity, find_owner
from certworker.vault.identities.records import Identity
from certworker.vault.identities.rights import missing, require_administrator, require_owner, require_reader
from certworker.vault.rights.caller import Caller
from certworker.vault.rights.roles import PrincipalType
from certworker.vault.store import Reader, Store


class DirectoryObjects:
    """The objects of a tenant's directory: the caller's."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def get(self, caller: Caller, object_id: str) -> Identity:
        """Find a user, a group or a service principal. Raises Forbidden, DirectoryObjectNotFound."""
        with self._store.reading() as reader:
            require_reader(reader, caller)
            return find_identity(reader, caller.tenant_id, object_id)

    def find(self, caller: Caller, object_ids: Iterable[str]) -> tuple[Identity, ...]:
        """Find those of some that there are. Raises Forbidden."""
        with self._store.reading() as reader:
            require_reader(reader, caller)
            found = (reader.identity(object_id.lower()) for object_id in dict.fromkeys(object_ids))
            return tuple(one for one in found if one and one.tenant_id == caller.tenant_id)

    def owners(self, caller: Caller, object_id: str) -> tuple[Identity, ...]:
        """List who owns a group, an application or a service principal. Raises Forbidden, DirectoryObjectNotFound."""
        with self._store.reading() as reader:
            require_reader(reader, caller)
            found = map(reader.identity, reader.owners(_owned_id(reader, caller.tenant_id, object_id)))
            return tuple(filter(None, found))

    def owned_by(self, caller: Caller, owner_id: str) -> tuple[str, ...]:
        """List the object ids of what somebody owns. Raises Forbidden, DirectoryObjectNotFound."""
        with self._store.reading() as reader:
            require_reader(reader, caller)
            return reader.owned_by(find_identity(reader, caller.tenant_id, owner_id).object_id)

    def add_owner(self, caller: Caller, object_id: str, owner_id: str) -> None:
        """Give an object another owner: a user or a service principal. Raises Forbidden, BadParameter, Conflict."""
        with self._store.writing() as writer:
            require_reader(writer, caller)
            which = _owned_id(writer, caller.tenant_id, object_id)
            _require_owner(writer, caller, which)
            owner = find_owner(writer, caller.tenant_id, owner_id)
            try:
                writer.add_owner(which, owner.object_id)
            except Conflict:
                raise Conflict(ALREADY.format("owners")) from None

    def remove_owner(self, caller: Caller, object_id: str, owner_id: str) -> None:
        """Take an owner away. Raises Forbidden, DirectoryObjectNotFound."""
        with self._store.writing() as writer:
            require_reader(writer, caller)
            which = _owned_id(writer, caller.tenant_id, object_id)
            _require_owner(writer, caller, which)
            if not writer.delete_owner(which, owner_id.lower()):
                raise missing(owner_id)


def _require_owner(reader: Reader, caller: Caller, object_id: str) -> None:
    """Let owners change owners; but those of what administers the directory only administrators. Raises Forbidden."""
    application = reader.application_by_object(object_id)
    acting = reader.principal_by_client(application.client_id) if application else reader.principal(object_id)
    if acting and acting.administrator:
        require_administrator(reader, caller)
    else:
        require_owner(reader, caller, object_id)


def _owned_id(reader: Reader, tenant_id: str, object_id: str) -> str:
    """Find an object that can be owned; users cannot. Raises DirectoryObjectNotFound."""
    wanted = object_id.lower()
    application = reader.application_by_object(wanted)
    if application and application.tenant_id == tenant_id:
        return application.object_id
    found = find_identity(reader, tenant_id, wanted)
    if found.kind is PrincipalType.USER:
        raise missing(object_id)
    return found.object_id
