"""A client of another plane of the deployment that a vault is in."""

from typing import ClassVar
from urllib.parse import urlsplit

from certworker.cli.client import VaultClient
from certworker.cli.logins import Login
from certworker.network.http import EgressClient


class PlaneClient(VaultClient):
    """Logs in as the vault's client does, and asks for a token of the plane. Raises errors in the service's own words."""

    plane: ClassVar[str]
    """The host's first label."""

    def __init__(self, http: EgressClient, login: Login) -> None:
        super().__init__(http, login)
        netloc = urlsplit(login.vault_url).netloc
        _, found, domain = netloc.partition(".vault.")
        self._url = f"https://{self.plane}.{domain if found else netloc}"

    def log_in(self) -> Login:
        """Get a token for the plane, from whoever the vault says gives its tokens."""
        known = super().log_in()
        self._token = self._fetch_token(known.authority, known.tenant_id, self._url)
        return known
