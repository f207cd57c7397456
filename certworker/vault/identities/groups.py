"""Groups, and who is in them. Their owners may change them, and administrators of the directory."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import uuid4

from certworker.clock import Clock, whole_second
from certworker.errors import BadParameter, Conflict
from certworker.vault.identities.records import Group, Identity
from certworker.vault.identities.rights import missing, require_administrator, require_owner, require_reader
from certworker.vault.identities.rules import check_display_name, check_nickname, check_text
from certworker.vault.rights.caller import Caller
from certworker.vault.rights.roles import PrincipalType
from certworker.vault.store import Reader, Store, Writer

ALREADY = "One or more added object references already exist for the following modified properties: '{}'."


class Groups:
    """The groups of a tenant: the caller's."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def list(self, caller: Caller) -> tuple[Group, ...]:
        """List the groups. Raises Forbidden."""
        with self._store.reading() as reader:
            require_reader(reader, caller)
            return reader.groups(caller.tenant_id)

    def get(self, caller: Caller, group_id: str) -> Group:
        """Find a group. Raises Forbidden, DirectoryObjectNotFound."""
        with self._store.reading() as reader:
            require_reader(reader, caller)
            return find_group(reader, caller.tenant_id, group_id)

    def create(
        self, caller: Caller, properties: Mapping[str, Any], members: tuple[str, ...] = (), owners: tuple[str, ...] = ()
    ) -> Group:
        """Add a group, whoever makes it being its first owner. Raises Forbidden, BadParameter, DirectoryObjectNotFound."""
        at = whole_second(self._clock())
        bare = Group(str(uuid4()), caller.tenant_id, properties["display_name"], at)
        group = _checked(replace(bare, **properties))
        with self._store.writing() as writer:
            require_administrator(writer, caller)
            writer.add_group(group)
            for owner in dict.fromkeys([*([] if caller.is_service else [caller.object_id]), *owners]):
                writer.add_owner(group.object_id, find_owner(writer, caller.tenant_id, owner).object_id)
            for member in dict.fromkeys(members):
                _join(writer, group, find_identity(writer, caller.tenant_id, member))
        return group

    def update(self, caller: Caller, group_id: str, changes: Mapping[str, Any]) -> Group:
        """Change some properties of a group. Raises Forbidden, BadParameter, DirectoryObjectNotFound."""
        with self._store.writing() as writer:
            group = self._owned(writer, caller, group_id)
            changed = _checked(replace(group, **changes))
            writer.replace_group(changed)
        return changed

    def delete(self, caller: Caller, group_id: str) -> None:
        """Delete a group; its members stay. Raises Forbidden, DirectoryObjectNotFound."""
        with self._store.writing() as writer:
            writer.delete_identity(self._owned(writer, caller, group_id).object_id)

    def members(self, caller: Caller, group_id: str, *, transitive: bool = False) -> tuple[Identity, ...]:
        """List who is in a group by itself, or, with `transitive`, also by groups in it. Raises as `get` does."""
        with self._store.reading() as reader:
            require_reader(reader, caller)
            group = find_group(reader, caller.tenant_id, group_id)
            found = _within(reader, group.object_id) if transitive else reader.group_members(group.object_id)
            return tuple(filter(None, map(reader.identity, found)))

    def add_member(self, caller: Caller, group_id: str, member_id: str) -> None:
        """Put somebody, or another group, into a group.

        Raises Forbidden, DirectoryObjectNotFound, Conflict where it is in it already, BadParameter for a circle.
        """
        with self._store.writing() as writer:
            group = self._owned(writer, caller, group_id)
            _join(writer, group, find_identity(writer, caller.tenant_id, member_id))

    def remove_member(self, caller: Caller, group_id: str, member_id: str) -> None:
        """Take somebody out of a group. Raises Forbidden, DirectoryObjectNotFound."""
        with self._store.writing() as writer:
            group = self._owned(writer, caller, group_id)
            if not writer.delete_group_member(group.object_id, member_id.lower()):
                raise missing(member_id)

    def groups_of(self, caller: Caller, object_id: str, *, transitive: bool) -> tuple[Group, ...]:
        """List the groups that somebody, or a group, is in. Raises Forbidden, DirectoryObjectNotFound."""
        with self._store.reading() as reader:
            require_reader(reader, caller)
            who = find_identity(reader, caller.tenant_id, object_id).object_id
            found = sorted(reader.groups_of(who)) if transitive else reader.direct_groups_of(who)
            return tuple(filter(None, map(reader.group, found)))

    def _owned(self, writer: Writer, caller: Caller, group_id: str) -> Group:
        require_reader(writer, caller)
        group = find_group(writer, caller.tenant_id, group_id)
        require_owner(writer, caller, group.object_id)
        return group


def find_group(reader: Reader, tenant_id: str, group_id: str) -> Group:
    """Find a group of a tenant. Raises DirectoryObjectNotFound."""
    found = reader.group(group_id.lower())
    if found is None or found.tenant_id != tenant_id:
        raise missing(group_id)
    return found


def find_identity(reader: Reader, tenant_id: str, object_id: str) -> Identity:
    """Find a user, a group or a service principal of a tenant. Raises DirectoryObjectNotFound."""
    found = reader.identity(object_id.lower())
    if found is None or found.tenant_id != tenant_id:
        raise missing(object_id)
    return found


def find_owner(reader: Reader, tenant_id: str, object_id: str) -> Identity:
    """Find who is to own something: a user or a service principal. Raises DirectoryObjectNotFound, BadParameter."""
    owner = find_identity(reader, tenant_id, object_id)
    if owner.kind is PrincipalType.GROUP:
        raise BadParameter("An owner is a user or a service principal.", "owners")
    return owner


def _join(writer: Writer, group: Group, member: Identity) -> None:
    """Put a member into a group. Raises BadParameter for a circle, which would make everybody in it a member of all."""
    if member.kind is PrincipalType.GROUP and (
        member.object_id == group.object_id or member.object_id in writer.groups_of(group.object_id)
    ):
        message = f"The group '{member.display_name}' cannot be in '{group.display_name}', which is in it."
        raise BadParameter(message, "members")
    try:
        writer.add_group_member(group.object_id, member.object_id)
    except Conflict:
        raise Conflict(ALREADY.format("members")) from None


def _within(reader: Reader, group_id: str) -> tuple[str, ...]:
    """List everybody in a group and in the groups in it, each once."""
    found: dict[str, None] = {}
    waiting = [group_id]
    while waiting:
        new = [one for one in reader.group_members(waiting.pop()) if one not in found]
        found.update(dict.fromkeys(new))
        waiting += new
    return tuple(one for one in found if one != group_id)


def _checked(group: Group) -> Group:
    check_display_name(group.display_name)
    check_nickname(group.mail_nickname)
    check_text(group.description or "", "description")
    return group
