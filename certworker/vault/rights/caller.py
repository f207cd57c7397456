"""Who calls: an identity that was checked."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody whose identity was checked. The service itself acts with `is_service` set, which no token can do.

    `object_id` is the user, or the service principal where an application acts for itself; `client_id` is the application that
    sent the token. For a user both together are the compound identity. `groups` are those that a foreign issuer's token tells
    of; those of our own directory are looked up, so that whoever was removed from one is refused at once.
    """

    object_id: str
    client_id: str
    tenant_id: str
    is_service: bool = False
    groups: frozenset[str] = frozenset()
    issuer: str = ""
    user_name: str = ""
    """The user principal name; none for an application."""
    scopes: frozenset[str] = frozenset()
    """What a user has let the application do (`scp`); none for an application."""

    @property
    def is_user(self) -> bool:
        """Tell whether this is a user, who acts through an application, and not an application that acts for itself."""
        return bool(self.user_name or self.scopes)


SERVICE = Caller("certworker", "certworker", "", is_service=True)
"""The worker, acting on its own behalf."""
