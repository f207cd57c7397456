"""Where challenge responses lie: in the database, so that any responder can answer."""

from datetime import datetime

from certworker.vault.store import Store


class Challenges:
    """The responses to the challenges of all CAs, as `issuance.ChallengeBoard`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def post(self, token: str, response: str, expires: datetime) -> None:
        """Put a response up until it expires."""
        with self._store.writing() as writer:
            writer.put_challenge(token, response, expires)

    def find(self, token: str) -> str | None:
        """Find the response to a token."""
        with self._store.reading() as reader:
            return reader.challenge(token)

    def take_down(self, token: str) -> None:
        """Take a response down again."""
        with self._store.writing() as writer:
            writer.delete_challenge(token)


def handshake_token(server_name: str) -> str:
    """Name the place of a tls-alpn-01 response, which is asked for by server name (RFC 8737 section 3).

    No token of a CA looks like that. The response there is the identifier, a space, and the key authorization.
    """
    return f"tls-alpn-01:{server_name.lower()}"
