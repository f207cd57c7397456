"""Who calls: the bearer challenge, and the token that answers it (RFC 6750, in Key Vault's form)."""

from contextlib import AbstractContextManager
from typing import NamedTuple

from certworker.api.hosts import Place, Plane
from certworker.bootstrap import House
from certworker.errors import Unauthenticated, VaultNotFound
from certworker.settings import Settings
from certworker.vault.access import Caller
from certworker.vault.sign_in.scopes import IMPERSONATION, ResourceKind
from certworker.vault.store import HotReader
from certworker.vault.vaults import SYSTEM_VAULT, Vault

NO_TOKEN = "AKV10000: Request is missing a Bearer or PoP token."  # noqa: S105  # a text
_SCHEME = "bearer "


class Challenged(Unauthenticated):
    """The caller has to bring a token, or another one. `challenge` is the WWW-Authenticate header."""

    def __init__(self, message: str, challenge: str) -> None:
        super().__init__(message)
        self.challenge = challenge


class Admission(NamedTuple):
    """A request that was let in: who calls, and which vault. `glance` is what both were looked up by."""

    caller: Caller
    vault: Vault
    glance: AbstractContextManager[HotReader]


def authenticate(house: House, token: str, plane: ResourceKind) -> Caller:
    """Tell who calls with a bearer token for a plane. Raises Unauthenticated, or a kind of it."""
    with house.store.glance() as reader:
        system = reader.vault_by_name(SYSTEM_VAULT)
        if system is None:
            raise Unauthenticated("This deployment has no identity provider yet.")
        tenant = system.tenant_id
        audiences = house.sign_in.resources.audiences(plane)
        return house.directory.caller(reader, token, tenant, issuer_of(house.settings, tenant), audiences)


def bearer_of(authorization: str | None) -> str | None:
    """Read the bearer token out of an Authorization header; none where it is missing or of another scheme."""
    if authorization is None or authorization[: len(_SCHEME)].lower() != _SCHEME:
        return None
    return authorization[len(_SCHEME) :].strip()


def admit(house: House, place: Place, token: str | None) -> Admission:
    """Find the vault and tell who calls with a bearer token. Raises VaultNotFound, Challenged."""
    glance = house.store.glance()
    with glance as reader:
        vault = find_vault(house, place, reader)
        if token is None:
            raise Challenged(NO_TOKEN, challenge_of(house.settings, place, vault))
        settings, tenant = house.settings, vault.tenant_id
        audiences = house.sign_in.resources.audiences(ResourceKind.VAULTS)
        try:
            caller = house.directory.caller(reader, token, tenant, issuer_of(settings, tenant), audiences)
        except Unauthenticated as error:
            raise Challenged(str(error), challenge_of(settings, place, vault, refused=True)) from None
    if caller.scopes and IMPERSONATION not in caller.scopes:
        text = f"The bearer token's scp does not have {IMPERSONATION}, without which an application does nothing for its user."
        raise Challenged(text, challenge_of(settings, place, vault, refused=True))
    return Admission(caller, vault, glance)


def find_vault(house: House, place: Place, reader: HotReader) -> Vault:
    """Find the vault that a host stands for; the bare domain stands for the first one that was made.

    The service's own vault is not served. Raises VaultNotFound, which says which host would be right.
    """
    if place.plane is Plane.BARE:
        found = _first_vault(house)
    else:
        found = reader.vault_by_name(place.vault_name) if place.plane is Plane.VAULT else None
    if found is None or found.name == SYSTEM_VAULT:
        suffix = house.settings.vault_suffix
        here = place.vault_name or place.netloc or "this host"
        raise VaultNotFound(
            f"There is no vault at {here}. A vault is at https://NAME.{suffix}, with NAME for the vault's name."
        )
    return found


def _first_vault(house: House) -> Vault | None:
    with house.store.reading() as reader:
        vaults = [vault for vault in reader.every_vault() if vault.name != SYSTEM_VAULT]
    first = min(vaults, key=lambda vault: vault.created, default=None)
    return None if first and first.deleted else first  # whoever means a vault that was deleted means no other one


def challenge_of(settings: Settings, place: Place, vault: Vault, *, refused: bool = False) -> str:
    """Write the challenge.

    Only the tenant may stand in the path of `authorization`, and no value may hold a comma or an equals sign: clients split
    there. A client of the bare domain may not resolve login.DOMAIN, so it is sent to the host that it called.
    """
    authority = place.url if place.plane is Plane.BARE else settings.authority
    challenge = f'Bearer authorization="{authority}/{vault.tenant_id}", resource="{settings.resource}"'
    return f'{challenge}, error="invalid_token"' if refused else challenge


def issuer_of(settings: Settings, tenant_id: str) -> str:
    """Name a tenant's token issuer: the same whichever host the token was asked from."""
    return f"{settings.authority}/{tenant_id}/v2.0"
