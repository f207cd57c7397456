"""What the identity provider's pages and endpoints have in common: the house, and which tenant is meant."""

from typing import Final

from starlette.requests import Request

from certworker.api.identity.refusals import OAuthError
from certworker.api.threads import Threads
from certworker.bootstrap import House

PLACE: Final = "certworker.place"
"""Where the host that was called lies in the ASGI scope."""
_ANY: Final = ("common", "organizations")
"""What clients say that do not know their tenant: there is one."""


class Door:
    """Answers requests for the identity provider."""

    def __init__(self, house: House, threads: Threads) -> None:
        self.house = house
        self.threads = threads

    async def tenant(self, request: Request) -> str:
        """Give the id of the tenant that a path names. Raises OAuthError where it is nobody's here."""
        return await self.threads.run(self._tenant, request.path_params.get("tenant", _ANY[0]).lower())

    def _tenant(self, named: str) -> str:
        system = self.house.founding.system_vault()
        own = system.tenant_id if system else ""
        if not own or named not in (own, *_ANY):
            text = f"Tenant '{named[:64]}' not found. Check that it is the tenant id of this deployment."
            raise OAuthError("invalid_tenant", 90002, text)
        return own
