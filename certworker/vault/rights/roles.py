"""Roles: what they permit, and to whom they are assigned (Azure RBAC)."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from itertools import pairwise
from typing import Final

READ_ASSIGNMENTS: Final = "Microsoft.Authorization/roleAssignments/read"
WRITE_ASSIGNMENTS: Final = "Microsoft.Authorization/roleAssignments/write"
DELETE_ASSIGNMENTS: Final = "Microsoft.Authorization/roleAssignments/delete"


class PrincipalType(StrEnum):
    """What a principal is, in the words of role assignments."""

    USER = "User"
    GROUP = "Group"
    SERVICE_PRINCIPAL = "ServicePrincipal"


@dataclass(frozen=True, slots=True)
class Permission:
    """Some of what a role permits. An action is permitted by a pattern in `actions` unless one in `not_actions` takes it out.

    A pattern is an action with `*` for any characters, slashes among them. Data actions likewise, apart from actions.
    """

    actions: tuple[str, ...] = ()
    not_actions: tuple[str, ...] = ()
    data_actions: tuple[str, ...] = ()
    not_data_actions: tuple[str, ...] = ()

    def permits(self, action: str, *, data: bool) -> bool:
        """Tell whether an action is permitted here."""
        wanted, unwanted = (self.data_actions, self.not_data_actions) if data else (self.actions, self.not_actions)
        return _matches_any(wanted, action) and not _matches_any(unwanted, action)


@dataclass(frozen=True, slots=True)
class RoleDefinition:
    """A role. `id` is a GUID. What one role takes out, another one can grant."""

    id: str
    name: str
    description: str
    permissions: tuple[Permission, ...]
    assignable_scopes: tuple[str, ...] = ("/",)
    tenant_id: str = ""
    built_in: bool = True
    created: datetime | None = None
    updated: datetime | None = None
    created_by: str = ""
    updated_by: str = ""
    assignable_roles: tuple[str, ...] = ()
    """GUIDs of the only roles that whoever has this one may assign; none: any."""

    def permits(self, action: str, *, data: bool = False) -> bool:
        """Tell whether the role permits an action, or a data action."""
        return any(permission.permits(action, data=data) for permission in self.permissions)


@dataclass(frozen=True, slots=True)
class RoleAssignment:
    """A role that a principal has at a scope, and below it."""

    id: str
    tenant_id: str
    scope: str
    role_id: str
    principal_id: str
    principal_type: PrincipalType
    created: datetime
    updated: datetime
    created_by: str = ""
    updated_by: str = ""
    description: str | None = field(default=None)


def matches(pattern: str, action: str) -> bool:
    """Tell whether a pattern covers an action; case does not matter.

    A star that is a whole segment stands for none as well: Key Vault Reader, with `vaults/*/read`, reads the vault itself.
    """
    return _compiled(pattern).fullmatch(action) is not None


def _matches_any(patterns: Iterable[str], action: str) -> bool:
    return any(matches(pattern, action) for pattern in patterns)


@lru_cache(4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    """Each piece is taken at its first place and kept there: no pattern costs more than its length times the action's."""
    pieces = pattern.split("*")
    optional = [before.endswith("/") and after.startswith("/") for before, after in pairwise(pieces)]
    # the slash before such a star goes with it; wherever the star begins is one, be it the next piece's
    words = [
        re.escape(piece.removesuffix("/")) + "(?=/)" if leads else re.escape(piece)
        for piece, leads in zip(pieces, [*optional, False], strict=True)
    ]
    found = words[0]
    for number, (star, word) in enumerate(zip(optional, words[1:], strict=True), 2):
        part = ("(?:/.*?)??" if star else ".*?") + word
        found += part if number == len(words) else f"(?>{part})"
    return re.compile(found, re.IGNORECASE | re.DOTALL)
