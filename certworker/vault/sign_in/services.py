"""Everything that the identity provider's door calls."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from certworker.clock import Clock
from certworker.settings.identity import IdentitySettings
from certworker.vault.directory import Directory
from certworker.vault.sign_in.clients import Clients
from certworker.vault.sign_in.foreign import ForeignTokens
from certworker.vault.sign_in.minting import Mint
from certworker.vault.sign_in.on_behalf import OnBehalfOf
from certworker.vault.sign_in.pages import AuthorizationCodes, DeviceCodes
from certworker.vault.sign_in.passwords import PasswordCheck
from certworker.vault.sign_in.scopes import ResourceBook, ResourceKind
from certworker.vault.sign_in.sessions import Sessions
from certworker.vault.sign_in.signing_keys import SigningKeys
from certworker.vault.store import Store


@dataclass(frozen=True, slots=True)
class SignIn:
    """Signing in, in all its ways."""

    resources: ResourceBook
    foreign: ForeignTokens
    clients: Clients
    passwords: PasswordCheck
    mint: Mint
    sessions: Sessions
    codes: AuthorizationCodes
    devices: DeviceCodes
    on_behalf: OnBehalfOf
    signing_keys: SigningKeys


def sign_in_services(
    store: Store,
    directory: Directory,
    foreign: ForeignTokens,
    settings: IdentitySettings,
    known: Mapping[ResourceKind, tuple[str, ...]],
    clock: Clock,
) -> SignIn:
    """Wire them together. `known` are the names of what tokens can be for, the first of each the service's own."""
    lifetime, age = timedelta(seconds=settings.token_seconds), timedelta(days=settings.signing_key_days)
    resources, mint = ResourceBook(known), Mint(store, directory, lifetime, clock)
    sessions = Sessions(store, mint, resources, settings, clock)
    return SignIn(
        resources,
        foreign,
        Clients(store, directory, foreign, clock),
        PasswordCheck(store, directory, settings, clock),
        mint,
        sessions,
        AuthorizationCodes(store, sessions, settings, clock),
        DeviceCodes(store, sessions, settings, clock),
        OnBehalfOf(store, directory, sessions, resources, clock),
        SigningKeys(store, directory, lifetime, age, clock),
    )
