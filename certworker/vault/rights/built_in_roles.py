"""The roles that every tenant has, with the ids and the actions that Azure gives them; `built_in_roles.json` lists them."""

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from certworker.vault.rights.roles import Permission, RoleDefinition

OWNER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
CONTRIBUTOR = "b24988ac-6180-42a0-ab88-20f7382dd24c"
READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
USER_ACCESS_ADMINISTRATOR = "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9"
MONITORING_CONTRIBUTOR = "749f88d5-cbae-40b8-bcfc-e573ddc772fa"
KEY_VAULT_ADMINISTRATOR = "00482a5a-887f-4fb3-b363-3b7fe8e74483"
KEY_VAULT_CONTRIBUTOR = "f25e0fa2-a7c8-4377-a976-54943a77a395"
STORAGE_BLOB_DATA_READER = "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1"


@cache
def built_in_roles() -> Mapping[str, RoleDefinition]:
    """Give the built-in roles by their id."""
    text = files(__package__).joinpath("built_in_roles.json").read_text(encoding="utf-8")
    return MappingProxyType({found["id"]: _role(found) for found in json.loads(text)})


def _role(found: Mapping[str, Any]) -> RoleDefinition:
    names = ("actions", "not_actions", "data_actions", "not_data_actions")
    permission = Permission(*(tuple(found.get(name, ())) for name in names))
    return RoleDefinition(
        found["id"],
        found["name"],
        found["description"],
        (permission,),
        assignable_roles=tuple(found.get("assignable_roles", ())),
    )
