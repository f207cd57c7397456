"""Who may look into the directory, and who may change it: apart from the roles at scopes, which let nobody in here."""

from certworker.errors import BadParameter, DirectoryObjectNotFound, Forbidden
from certworker.vault.identities.port import IdentityReader
from certworker.vault.identities.records import User
from certworker.vault.rights.caller import Caller
from certworker.vault.store import Reader
from certworker.vault.vaults import Principal

DENIED = "Insufficient privileges to complete the operation."


def require_reader(reader: IdentityReader, caller: Caller) -> None:
    """Let everybody who is in the tenant's directory read it. Raises Forbidden."""
    if not caller.is_service and reader.identity(caller.object_id) is None:
        raise Forbidden(f"{DENIED} The caller is not in the directory of this tenant.")


def is_administrator(reader: IdentityReader, caller: Caller) -> bool:
    """Tell whether somebody administers the directory."""
    found = None if caller.is_service else reader.identity(caller.object_id)
    return caller.is_service or (found is not None and found.tenant_id == caller.tenant_id and found.administrator)


def require_administrator(reader: IdentityReader, caller: Caller) -> None:
    """Let administrators of the directory change it. Raises Forbidden."""
    if not is_administrator(reader, caller):
        raise Forbidden(f"{DENIED} It takes an administrator of the directory.")


def require_owner(reader: IdentityReader, caller: Caller, *object_ids: str) -> None:
    """Let owners change what is theirs, if by any of its object ids, and administrators. Raises Forbidden."""
    owners = {owner for object_id in object_ids for owner in reader.owners(object_id)}
    if not is_administrator(reader, caller) and caller.object_id not in owners:
        raise Forbidden(f"{DENIED} It takes an owner of the object, or an administrator of the directory.")


def keep_an_administrator(reader: Reader, tenant_id: str) -> None:
    """Refuse what would leave a tenant without anybody who can administer it. Raises BadParameter."""
    everybody: tuple[User | Principal, ...] = (*reader.users(tenant_id), *reader.principals())
    if not any(one.administrator and one.enabled and one.tenant_id == tenant_id for one in everybody):
        raise BadParameter(
            "The last administrator of the directory cannot be deleted, disabled or relieved: make another one first."
        )


def missing(object_id: str) -> DirectoryObjectNotFound:
    """Tell that there is no such object."""
    shown = object_id[:120]
    return DirectoryObjectNotFound(f"Resource '{shown}' does not exist, or not in this directory.")
