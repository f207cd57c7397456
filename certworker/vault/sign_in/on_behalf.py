"""On behalf of: an application that a user called calls others for that user (RFC 7523, in Microsoft's form)."""

from dataclasses import dataclass

from certworker.clock import Clock
from certworker.errors import Unauthenticated
from certworker.vault.directory import Directory
from certworker.vault.sign_in.clients import Client, must_be_confidential
from certworker.vault.sign_in.minting import Granted
from certworker.vault.sign_in.refusals import invalid_grant
from certworker.vault.sign_in.scopes import ResourceBook, Wanted
from certworker.vault.sign_in.sessions import Sessions, SignedIn, new_family
from certworker.vault.store import Reader, Store


@dataclass(frozen=True, slots=True)
class OnBehalfOf:
    """Takes a user's token for an application, and gives that application a token for the user.

    The result is the compound identity: the user's object id, through the application in the middle.
    """

    store: Store
    directory: Directory
    sessions: Sessions
    resources: ResourceBook
    clock: Clock

    def redeem(self, client: Client, assertion: str, wanted: Wanted, issuer: str) -> Granted:
        """Give tokens for a user's token. Raises SignInRefused where it is not for this application, or not of a user."""
        must_be_confidential(client)
        with self.store.reading() as reader:
            audiences = self._audiences(reader, client)
        try:
            with self.store.glance() as reader:
                caller = self.directory.caller(reader, assertion, client.tenant_id, issuer, audiences)
        except Unauthenticated as error:
            raise invalid_grant(500131, f"The assertion cannot be used. {error}") from None
        if not caller.scopes:
            raise invalid_grant(50013, "The assertion is of an application, and not of a user.")
        with self.store.reading() as reader:
            user = self.sessions.user(reader, caller.object_id)
        return self.sessions.grant(SignedIn(user, client, self.clock(), new_family()), wanted, issuer)

    def _audiences(self, reader: Reader, client: Client) -> tuple[str, ...]:
        """Name an application in all ways that stand for it: not by a URI that it took and that is the vaults', say."""
        own = client.application.identifier_uris if client.application else ()
        names = (client.client_id, f"api://{client.client_id}", *own, *(f"{uri}/" for uri in own))
        found = {name: self.resources.find(reader, client.tenant_id, name).application for name in names}
        return tuple(name for name, application in found.items() if application and application.client_id == client.client_id)
