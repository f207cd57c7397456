"""What applications show that they are themselves: client secrets, certificates, and tokens of foreign issuers."""

import secrets
from datetime import datetime, timedelta
from string import ascii_letters
from uuid import NAMESPACE_URL, UUID, uuid4, uuid5

from certworker.crypto.tokens import hash_secret
from certworker.crypto.x509 import thumbprint, validity
from certworker.errors import BadParameter
from certworker.vault.identities.records import Application, Credential, CredentialKind
from certworker.vault.identities.rules import check_text, is_guid
from certworker.vault.store import Reader
from certworker.vault.vaults import Principal

SECRET_LIFETIME = timedelta(days=730)
"""So long is a secret good for that nobody gives an end: two years, as the service does."""
MOST_CREDENTIALS = 100
_HINT = 3
_FOREVER = timedelta(days=36500)


def new_client_secret() -> tuple[str, str]:
    """Make a client secret of over 256 random bits, and its hash. None begins with a hyphen: programs take it for an option."""
    secret = f"{secrets.choice(ascii_letters)}{secrets.token_urlsafe(32)}"
    return secret, hash_secret(secret)


def first_secret_id(object_id: str) -> str:
    """Name the secret that a service principal was founded with."""
    return str(uuid5(UUID(object_id) if is_guid(object_id) else NAMESPACE_URL, "first secret"))


def first_secret(principal: Principal | None) -> tuple[Credential, ...]:
    """Give the secret that a service principal was founded with, which has no end; it lies with it."""
    if principal is None or not principal.secret_hash:
        return ()
    key_id, hashed = first_secret_id(principal.object_id), principal.secret_hash
    kind, name = CredentialKind.SECRET, "founded with"
    return (Credential(key_id, principal.client_id, kind, principal.created, None, name, secret_hash=hashed),)


def credentials_of(reader: Reader, client_id: str) -> tuple[Credential, ...]:
    """List what an application may show, what has ended among it."""
    return (*first_secret(reader.principal_by_client(client_id)), *reader.credentials(client_id))


def secret_for(
    application: Application, at: datetime, start: datetime | None, end: datetime | None, display_name: str | None
) -> tuple[Credential, str]:
    """Make a client secret, to be shown this once. Raises BadParameter for times that make no sense."""
    start = start or at
    end = end or start + SECRET_LIFETIME
    _check_times(start, end, at)
    secret, hashed = new_client_secret()
    name = None if display_name is None else check_text(display_name, "displayName")
    kind, hint = CredentialKind.SECRET, secret[:_HINT]
    return Credential(str(uuid4()), application.client_id, kind, start, end, name, secret_hash=hashed, hint=hint), secret


def certificate_for(
    application: Application,
    der: bytes,
    at: datetime,
    start: datetime | None,
    end: datetime | None,
    display_name: str | None,
    key_id: str | None,
) -> Credential:
    """Take a certificate in: its own times hold unless narrower ones are given. Raises BadParameter for what is none."""
    not_before, not_after = validity(der)
    start, end = max(start or not_before, not_before), min(end or not_after, not_after)
    _check_times(start, end, at)
    if key_id is not None and not is_guid(key_id):
        raise BadParameter("keyId is a GUID.", "keyId")
    name = None if display_name is None else check_text(display_name, "displayName")
    return Credential(
        key_id or str(uuid4()),
        application.client_id,
        CredentialKind.CERTIFICATE,
        start,
        end,
        name,
        certificate=der,
        thumbprint=thumbprint(der).hex().upper(),
    )


def _check_times(start: datetime, end: datetime, at: datetime) -> None:
    if end <= start or end <= at or end - at > _FOREVER:
        raise BadParameter("A credential ends after its start, in the future, and within a hundred years.", "endDateTime")
