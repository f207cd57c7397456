"""Calls on the management plane in this process, by anybody."""

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx

from certworker.vault.rights.roles import PrincipalType, RoleAssignment
from certworker.vault.vaults import Principal
from tests.api.world import Caller, World

ARM = "https://management.localhost:8443"
AUTHORIZATION = "Microsoft.Authorization"
ROLES, INSIGHTS, STORAGE = "api-version=2022-04-01", "api-version=2021-05-01-preview", "api-version=2023-05-01"


@dataclass(frozen=True)
class Arm:
    """Calls the app at management.DOMAIN, as the administrator unless told otherwise."""

    world: World
    call: Caller

    @property
    def subscription(self) -> str:
        """The resource id of the one subscription."""
        return f"/subscriptions/{self.world.vault.subscription_id}"

    @property
    def group(self) -> str:
        """The resource id of the first resource group."""
        return f"{self.subscription}/resourceGroups/{self.world.vault.resource_group}"

    @property
    def vault(self) -> str:
        """The resource id of the first vault."""
        return f"{self.group}/providers/Microsoft.KeyVault/vaults/{self.world.vault.name}"

    def __call__(
        self,
        method: str,
        path: str,
        json: Any = None,  # noqa: ANN401 - any JSON
        principal: Principal | None = None,
    ) -> httpx.Response:
        """Call with a token; a path alone is one of the management plane."""
        token = self.world.token(principal, ARM)
        return self.call.bare(method, f"{ARM}{path}", json, headers={"Authorization": f"Bearer {token}"})

    def somebody(self, name: str, *roles: tuple[str, str]) -> Principal:
        """Add an application that has roles, each at a scope."""
        principal, _ = self.world.add_principal(name, administrator=False)
        at = self.world.house.clock()
        with self.world.house.store.writing() as writer:
            for role_id, scope in roles:
                kind = PrincipalType.SERVICE_PRINCIPAL
                writer.add_role_assignment(
                    RoleAssignment(str(uuid4()), self.world.tenant, scope, role_id, principal.object_id, kind, at, at)
                )
        return principal


def told(response: httpx.Response) -> tuple[int, str]:
    """Give the status and the code of a refusal."""
    return response.status_code, response.json()["error"]["code"]
