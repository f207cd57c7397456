"""A client of the management plane: logs in as the vault's client does, and asks for a token of the other audience."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from certworker import errors
from certworker.cli.client import ANYWHERE, WAIT_SECONDS
from certworker.cli.logins import find_login
from certworker.cli.plane_client import PlaneClient
from certworker.network.http import build_client

SUBSCRIPTIONS_VERSION = "2022-12-01"


@contextmanager
def open_management(vault_url: str | None, wait_seconds: float = WAIT_SECONDS) -> Iterator["ManagementClient"]:
    """Open the management plane of the deployment that the vault is in. Raises Unauthenticated where none is known."""
    login = find_login(vault_url)
    with build_client(ANYWHERE, login.ca_bundle or None, wait_seconds) as http:
        yield ManagementClient(http, login)


class ManagementClient(PlaneClient):
    """Asks the management plane. Raises the errors of the house with the service's own words."""

    plane = "management"

    def get(self, path: str, api_version: str, **query: str) -> Any:  # noqa: ANN401  # the wire's JSON
        """Ask for one thing, and give the JSON of the answer."""
        return self.do("GET", path, api_version, None, **query)

    def do(self, method: str, path: str, api_version: str, body: object, **query: str) -> Any:  # noqa: ANN401
        """Have something done, and give the JSON of the answer, if there is any."""
        if not self._token:
            self.log_in()
        return self._ask(method, self._url + path, body, {"api-version": api_version, **query})

    def subscription(self) -> str:
        """Find the one subscription that the caller sees. Raises NotFound, BadParameter where there are several."""
        found = [str(item["subscriptionId"]) for item in self.get("/subscriptions", SUBSCRIPTIONS_VERSION)["value"]]
        if not found:
            raise errors.NotFound("You see no subscription: name the store that you may read, with --store ID.")
        if len(found) > 1:
            raise errors.BadParameter(f"There are several subscriptions; name one with --subscription: {', '.join(found)}")
        return found[0]
