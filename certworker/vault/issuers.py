"""Issuer records: which CA, reached how, with what account."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import ceil

from certworker.clock import Clock, whole_second
from certworker.errors import BadParameter, CertworkerError, Conflict, IssuerNotFound, Unavailable
from certworker.vault.access import Access, Caller
from certworker.vault.issuance import Account, IssuanceRequest, Provider, Providers
from certworker.vault.keyring import Keyring
from certworker.vault.places import account_place, credential_place
from certworker.vault.policy import SELF, UNKNOWN
from certworker.vault.store import Page, Store
from certworker.vault.vaults import Issuer, SealedAccount, Vault

_RESERVED = (SELF.casefold(), UNKNOWN.casefold())
_NAME = re.compile(r"[0-9a-zA-Z-]{1,127}")


@dataclass(frozen=True, slots=True)
class IssuerParameters:
    """What sets an issuer. `credential`, and `organization` (JSON), replace the stored ones unless they are none."""

    provider: str
    account_id: str | None = None
    credential: str | None = None
    organization: str | None = None
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class IssuerChange:
    """What is to change in an issuer; none leaves it as it is. An empty credential ends the stored one.

    `organization` makes the new JSON out of the known one.
    """

    provider: str | None = None
    account_id: str | None = None
    credential: str | None = None
    organization: Callable[[str | None], str | None] | None = None
    enabled: bool | None = None


class Issuers:
    """Sets, shows and deletes issuer records."""

    def __init__(self, store: Store, keyring: Keyring, access: Access, providers: Providers, clock: Clock) -> None:
        self._store = store
        self._keyring = keyring
        self._access = access
        self._providers = providers
        self._clock = clock

    def set(self, caller: Caller, vault: Vault, name: str, parameters: IssuerParameters) -> Issuer:
        """Set an issuer. Raises BadParameter for a reserved name, or a provider that this deployment does not have."""
        self._access.require(caller, vault, "certificates", "setissuers")
        self._check(name, parameters.provider)
        at = whole_second(self._clock())
        with self._store.reading() as reader:
            known = reader.issuer(vault.id, name)
        issuer = Issuer(
            vault_id=vault.id,
            name=known.name if known else name,
            provider=parameters.provider,
            account_id=parameters.account_id or "",
            sealed_credential=self._seal(vault, name, parameters.credential),
            organization=parameters.organization,
            enabled=parameters.enabled,
            created=known.created if known else at,
            updated=at,
        )
        if known and parameters.credential is None:
            issuer = replace(issuer, sealed_credential=known.sealed_credential)
        if known and parameters.organization is None:
            issuer = replace(issuer, organization=known.organization)
        with self._store.writing() as writer:
            writer.put_issuer(issuer)
        return issuer

    def update(self, caller: Caller, vault: Vault, name: str, change: IssuerChange) -> Issuer:
        """Change what is named of an issuer. Raises IssuerNotFound, and BadParameter as `set` does."""
        self._access.require(caller, vault, "certificates", "setissuers")
        if change.provider is not None:
            self._check(name, change.provider)
        at = whole_second(self._clock())
        sealed = self._seal(vault, name, change.credential)
        with self._store.writing() as writer:
            known = writer.issuer(vault.id, name)
            if known is None:
                raise IssuerNotFound("Issuer not found")
            issuer = replace(_changed(known, change), updated=at)
            if change.credential is not None:
                issuer = replace(issuer, sealed_credential=sealed)
            writer.put_issuer(issuer)
        return issuer

    def get(self, caller: Caller, vault: Vault, name: str) -> Issuer:
        """Show an issuer. Raises IssuerNotFound."""
        self._access.require(caller, vault, "certificates", "getissuers")
        return self.find(vault, name)

    def list_(self, caller: Caller, vault: Vault, after: str | None, limit: int) -> Page[Issuer]:
        """List issuers by name."""
        self._access.require(caller, vault, "certificates", "listissuers")
        with self._store.reading() as reader:
            return reader.issuers(vault.id, after, limit)

    def delete(self, caller: Caller, vault: Vault, name: str) -> Issuer:
        """Delete an issuer and give what was deleted. Raises IssuerNotFound."""
        self._access.require(caller, vault, "certificates", "deleteissuers")
        issuer = self.find(vault, name)
        with self._store.writing() as writer:
            writer.delete_issuer(vault.id, name)
        return issuer

    def credential(self, issuer: Issuer) -> str | None:
        """Open an issuer's credential. For providers only."""
        if issuer.sealed_credential is None:
            return None
        place = credential_place(issuer.vault_id, issuer.name)
        return self._keyring.open(issuer.vault_id, issuer.sealed_credential, place).decode()

    def request(self, issuer: Issuer) -> IssuanceRequest:
        """Make a request to an issuer's CA that has neither CSR nor names. For providers only."""
        credential = self.credential(issuer)
        return IssuanceRequest(
            "", issuer.vault_id, issuer.name, issuer.account_id, credential, b"", (), None, organization=issuer.organization
        )

    def provider_that_can(self, ability: str, issuer: Issuer) -> Provider:
        """Find an issuer's provider for what not all of them can, by the name of the method. Raises Conflict."""
        provider = self._providers.get(issuer.provider.casefold())
        if not issuer.enabled:
            raise Conflict(f"The issuer {issuer.name} is disabled: nothing is asked of it.")
        if provider is None:
            raise Conflict(f"This deployment does not have the provider {issuer.provider} of the issuer {issuer.name}.")
        if not callable(getattr(provider, ability, None)):
            word = ability.replace("_", " ")
            raise Conflict(f"The provider {issuer.provider} of the issuer {issuer.name} has no way to {word}.")
        return provider

    def find(self, vault: Vault, name: str) -> Issuer:
        """Find an issuer, for services that have asked for the permission. Raises IssuerNotFound."""
        with self._store.reading() as reader:
            issuer = reader.issuer(vault.id, name)
        if issuer is None:
            raise IssuerNotFound("Issuer not found")
        return issuer

    def _check(self, name: str, provider: str) -> None:
        if not _NAME.fullmatch(name) or name.casefold() in _RESERVED:
            message = (
                f"The issuer name {name[:140]} is invalid: 1 to 127 of 0-9, a-z, A-Z and '-', and neither Self nor Unknown."
            )
            raise BadParameter(message, "name")
        if provider.casefold() not in self._providers:
            known = ", ".join(sorted(self._providers))
            raise BadParameter(f"provider has the value {provider[:40]!r}; this deployment has {known}.", "provider")

    def _seal(self, vault: Vault, name: str, credential: str | None) -> bytes | None:
        if not credential:
            return None
        return self._keyring.seal(vault.id, credential.encode(), credential_place(vault.id, name))


def _changed(known: Issuer, change: IssuerChange) -> Issuer:
    return replace(
        known,
        provider=known.provider if change.provider is None else change.provider,
        account_id=known.account_id if change.account_id is None else change.account_id,
        organization=change.organization(known.organization) if change.organization else known.organization,
        enabled=known.enabled if change.enabled is None else change.enabled,
    )


def refusal(lead: str, message: str, retry_at: datetime | None, at: datetime) -> CertworkerError:
    """Make the error that says what a CA did not do: Unavailable where it may be asked again, and not before `retry_at`."""
    text = f"{lead} {message}"
    if retry_at is None:
        return Conflict(text)
    return Unavailable(text, timedelta(seconds=ceil((retry_at - at).total_seconds())))


class Accounts:
    """The accounts at CAs, as `issuance.AccountBook`: keys are sealed where they lie."""

    def __init__(self, store: Store, keyring: Keyring) -> None:
        self._store = store
        self._keyring = keyring

    def find(self, vault_id: str, issuer: str, authority: str) -> Account | None:
        """Find an account."""
        with self._store.reading() as reader:
            sealed = reader.account(vault_id, issuer, authority)
        return self._open(vault_id, issuer, authority, sealed) if sealed else None

    def keep(self, vault_id: str, issuer: str, authority: str, account: Account) -> Account:
        """Keep an account; if another process kept one first, that one is given back."""
        sealed = self._seal(vault_id, issuer, authority, account)
        with self._store.writing() as writer:
            kept = writer.keep_account(vault_id, issuer, authority, sealed)
        return self._open(vault_id, issuer, authority, kept)

    def update(self, vault_id: str, issuer: str, authority: str, account: Account) -> None:
        """Record what the CA answered: the account's URL and document. Its key stays the one that is kept."""
        with self._store.writing() as writer:
            writer.update_account(vault_id, issuer, authority, account.url, account.document)

    def promote(self, vault_id: str, issuer: str, authority: str, candidate: str, account: Account) -> None:
        """Give the account of `authority` the key of the candidate, as `issuance.AccountBook` tells."""
        key = self._keyring.seal(vault_id, account.key, account_place(vault_id, issuer, authority))
        with self._store.writing() as writer:
            if writer.delete_account(vault_id, issuer, candidate, account.document):
                writer.set_account_key(vault_id, issuer, authority, key)

    def discard(self, vault_id: str, issuer: str, authority: str, account: Account) -> None:
        """Delete an account that was found, unless it has another document by now."""
        with self._store.writing() as writer:
            writer.delete_account(vault_id, issuer, authority, account.document)

    def _seal(self, vault_id: str, issuer: str, authority: str, account: Account) -> SealedAccount:
        key = self._keyring.seal(vault_id, account.key, account_place(vault_id, issuer, authority))
        return SealedAccount(key, account.url, account.document)

    def _open(self, vault_id: str, issuer: str, authority: str, sealed: SealedAccount) -> Account:
        key = self._keyring.open(vault_id, sealed.sealed_key, account_place(vault_id, issuer, authority))
        return Account(key, sealed.url, sealed.document)
