"""How a command gets at the directory: by its API as whoever is logged in, or on the machine itself as the operator."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qs, quote, urlsplit

from certworker import errors
from certworker.cli.client import ANYWHERE
from certworker.cli.local_acts import recorded
from certworker.cli.logins import find_login
from certworker.cli.options import Wire
from certworker.cli.plane_client import PlaneClient
from certworker.network.http import build_client
from certworker.vault.identities.rules import is_guid

_USER, _PRINCIPAL, _GROUP = "/users", "/servicePrincipals", "/groups"
_PAGE = "999"


class Asking(Protocol):
    """Asks the directory."""

    def call(self, method: str, path: str, body: object = None, **query: str) -> Any:  # noqa: ANN401 - the wire's JSON
        """Ask for one thing, and give the JSON of the answer; none where it has no body."""


class DirectoryClient(PlaneClient):
    """Asks by the API. Raises the errors of the house with the service's own words."""

    plane = "graph"

    def call(self, method: str, path: str, body: object = None, **query: str) -> Any:  # noqa: ANN401 - the wire's JSON
        """Ask for one thing, and give the JSON of the answer."""
        if not self._token:
            self.log_in()
        return self._ask(method, f"{self._url}/v1.0{quote(path, safe='/$@')}", body, query or None)


@contextmanager
def open_directory(config: Path | None, vault_url: str | None) -> Iterator["People"]:
    """Open the directory: with a settings file that of this machine, else the one of the login. Raises Unauthenticated."""
    if config is not None:
        with _open_local(config) as people:
            yield people
        return
    login = find_login(vault_url)
    with build_client(ANYWHERE, login.ca_bundle or None) as http:
        yield People(DirectoryClient(http, login))


@contextmanager
def _open_local(config: Path) -> Iterator["People"]:
    from certworker.api.graph.local import LocalDirectory  # noqa: PLC0415  # the API's way starts without it
    from certworker.bootstrap import open_house  # noqa: PLC0415
    from certworker.cli.seal_opening import opened_source  # noqa: PLC0415
    from certworker.settings import load_settings  # noqa: PLC0415
    from certworker.vault.rights.caller import SERVICE  # noqa: PLC0415

    settings = load_settings(config)

    def recording(operation: str) -> AbstractContextManager[None]:
        return recorded(settings, operation)

    with open_house(settings, source=opened_source(settings), migrating=False) as house:
        system = house.founding.system_vault()
        if system is None:
            raise errors.SetupError("This deployment has not been set up: run `certworker init` first.")
        directory = LocalDirectory(house, replace(SERVICE, tenant_id=system.tenant_id), recording)
        try:
            yield People(directory)
        finally:
            directory.close()


class People:
    """What commands ask of the directory."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    def call(self, method: str, path: str, body: object = None, **query: str) -> Any:  # noqa: ANN401 - the wire's JSON
        """Ask for one thing, and give the JSON of the answer; none where it has no body."""
        return self._asking.call(method, path, body, **query)

    def all(self, path: str) -> list[Wire]:
        """List everything, page after page."""
        found: list[Wire] = []
        token: dict[str, str] = {}
        while True:
            page = self.call("GET", path, **{"$top": _PAGE}, **token)
            found += page["value"]
            link = page.get("@odata.nextLink")
            if not link:
                return found
            token = {"$skiptoken": parse_qs(urlsplit(link).query)["$skiptoken"][0]}

    def group(self, name: str) -> Wire:
        """Find a group by object id or display name. Raises NotFound, BadParameter where several have the name."""
        return self._named(_GROUP, name, "displayName", "group")

    def application(self, name: str) -> Wire:
        """Find an application by object id, client id or display name likewise."""
        return self._named("/applications", name, "displayName", "application")

    def principal(self, name: str) -> Wire:
        """Find a service principal by object id, client id or display name likewise."""
        return self._named(_PRINCIPAL, name, "displayName", "service principal")

    def somebody(self, name: str) -> str:
        """Find the object id of a user by name, of a group or an application by display name, or give an id as it is."""
        if is_guid(name):
            return name
        if "@" in name:
            return str(self.call("GET", f"{_USER}/{name}")["id"])
        found = [one for kind in (_GROUP, _PRINCIPAL) for one in self._find(kind, "displayName", name)]
        return str(_only(found, name, "group or application")["id"])

    def _named(self, kind: str, name: str, field: str, what: str) -> Wire:
        if is_guid(name):
            found: Wire = self.call("GET", f"{kind}/{name}")
            return found
        return _only(self._find(kind, field, name), name, what)

    def _find(self, kind: str, field: str, name: str) -> list[Wire]:
        doubled = name.replace("'", "''")
        page = self.call("GET", kind, **{"$filter": f"{field} eq '{doubled}'"})
        return list(page["value"])


def _only(found: list[Wire], name: str, what: str) -> Wire:
    if not found:
        raise errors.NotFound(f"There is no {what} '{name}'.")
    if len(found) > 1:
        ids = ", ".join(str(one["id"]) for one in found)
        raise errors.BadParameter(f"There are several with the name '{name}'; say which by its id: {ids}")
    return found[0]
