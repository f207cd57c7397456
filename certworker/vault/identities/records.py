"""Who there is: users, groups, applications, and what applications show that they are themselves.

A service principal, which is what an application is in a tenant, is `vaults.Principal`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from certworker.vault.rights.roles import PrincipalType

EVERY_PLATFORM = ("web", "spa", "publicClient")
"""Where an application runs, as far as its redirect URIs tell: a server, a browser, or a machine of the user's."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What every request needs to know of whoever sends it, be it a user, a group or a service principal.

    Only service principals have a `client_id`, only users a `user_name`. A group cannot sign in.
    """

    object_id: str
    kind: PrincipalType
    tenant_id: str
    display_name: str
    enabled: bool = True
    administrator: bool = False
    client_id: str = ""
    user_name: str = ""


@dataclass(frozen=True, slots=True)
class User:
    """A person. `user_name` is the user principal name, compared without regard to case and unique in the tenant.

    `password_hash` is of a slow hash; without one nobody signs in by a password. An `administrator` administers the directory.
    """

    object_id: str
    tenant_id: str
    user_name: str
    display_name: str
    created: datetime
    password_hash: str | None = field(default=None, repr=False)
    enabled: bool = True
    administrator: bool = False
    must_change_password: bool = False
    mail: str | None = None
    mail_nickname: str = ""
    given_name: str | None = None
    surname: str | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """A group. Its members are principals and other groups (`group_members`); only a security group can be given rights."""

    object_id: str
    tenant_id: str
    display_name: str
    created: datetime
    description: str | None = None
    mail_nickname: str = ""
    mail_enabled: bool = False
    security_enabled: bool = True


@dataclass(frozen=True, slots=True)
class Application:
    """What an application is wherever it runs. `client_id` (Microsoft's appId) is the one of its service principal.

    `redirect_uris` are by platform. `public_client` lets it ask for tokens without a credential of its own. `manifest` holds
    what else an application says of itself, as Graph writes it: scopes, roles, and what it needs of others.
    """

    object_id: str
    client_id: str
    tenant_id: str
    display_name: str
    created: datetime
    identifier_uris: tuple[str, ...] = ()
    redirect_uris: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    public_client: bool = False
    manifest: Mapping[str, Any] = field(default_factory=dict)


class CredentialKind(StrEnum):
    """What an application shows."""

    SECRET = "secret"  # noqa: S105 - a word
    CERTIFICATE = "certificate"


@dataclass(frozen=True, slots=True)
class Credential:
    """A client secret or a certificate of an application, valid from `start` until `end`.

    A secret lies here as a salted hash, with its first letters as a hint; a certificate in DER form, with its SHA-1 thumbprint
    in upper-case hexadecimal, by which client assertions name it (RFC 7515 section 4.1.7).
    """

    key_id: str
    client_id: str
    kind: CredentialKind
    start: datetime
    end: datetime | None
    display_name: str | None = None
    secret_hash: str | None = field(default=None, repr=False)
    hint: str = ""
    certificate: bytes | None = field(default=None, repr=False)
    thumbprint: str = ""

    def is_valid(self, at: datetime) -> bool:
        """Tell whether it may be shown at a time."""
        return self.start <= at and (self.end is None or at < self.end)


@dataclass(frozen=True, slots=True)
class FederatedCredential:
    """A foreign issuer's token that an application may show (workload identity federation): whose, of whom, and for whom."""

    id: str
    client_id: str
    name: str
    issuer: str
    subject: str
    audiences: tuple[str, ...]
    description: str | None = None


def fold_user_name(name: str) -> str:
    """Give the form of a user principal name that is compared."""
    return name.casefold()
