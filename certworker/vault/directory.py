"""The directory and its tokens: who there is, and how they show it."""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from certworker.clock import Clock, whole_second
from certworker.crypto.keys import generate_key, public_der
from certworker.crypto.passwords import password_matches
from certworker.crypto.tokens import (
    check_times,
    key_set,
    key_thumbprint,
    secret_matches,
    sign_token,
    token_key_id,
    verify_token,
)
from certworker.errors import IdentityDisabled, Unauthenticated, WrongTokenAudience, WrongTokenIssuer
from certworker.vault.access import Caller
from certworker.vault.identities.credentials import credentials_of, new_client_secret
from certworker.vault.identities.records import Application, Credential, CredentialKind, Identity, User
from certworker.vault.keyring import Keyring
from certworker.vault.places import signing_place
from certworker.vault.rights.roles import PrincipalType
from certworker.vault.sign_in.foreign import ForeignTokens
from certworker.vault.sign_in.known_clients import KNOWN_CLIENTS
from certworker.vault.store import HotReader, Store, Writer
from certworker.vault.vaults import SYSTEM_VAULT, Principal, SigningKey
from certworker.vault.verified import VerifiedTokens

_SIGNING_KEY_BITS = 2048


class Directory:
    """Knows the tenant's applications, gives them tokens, and tells from a token who calls."""

    def __init__(self, store: Store, keyring: Keyring, clock: Clock, foreign: ForeignTokens | None = None) -> None:
        self._store = store
        self._keyring = keyring
        self._clock = clock
        self._foreign = foreign
        self._verified = VerifiedTokens()

    def authenticate(self, tenant_id: str, client_id: str, client_secret: str) -> Principal:
        """Check a client secret.

        Raises Unauthenticated, with the same words whether the client or the secret is wrong; IdentityDisabled where
        both are right and the account is disabled.
        """
        with self._store.reading() as reader:
            principal = reader.principal_by_client(client_id)
            shown = credentials_of(reader, client_id)
        at = self._clock()
        hashes = [one.secret_hash for one in shown if one.kind is CredentialKind.SECRET and one.is_valid(at)]
        right = [secret_matches(client_secret, hashed) for hashed in hashes or [None]]
        if not any(right) or principal is None or principal.tenant_id != tenant_id:
            raise Unauthenticated("The client id or the client secret is wrong.")
        if not principal.enabled:
            raise IdentityDisabled(f"The service principal '{principal.display_name}' is disabled.")
        return principal

    def check_password(self, tenant_id: str, user_name: str, password: str) -> User:
        """Check a user's password.

        Raises Unauthenticated, with the same words whether the name or the password is wrong; IdentityDisabled where
        both are right and the account is disabled.
        """
        user = self.user_by_name(tenant_id, user_name)
        if not password_matches(password, user.password_hash if user else None) or user is None:
            raise Unauthenticated("The user name or the password is wrong.")
        if not user.enabled:
            raise IdentityDisabled(f"The account of {user.user_name} is disabled.")
        return user

    def user_by_name(self, tenant_id: str, user_name: str) -> User | None:
        """Find a user by the user principal name, without regard to case."""
        with self._store.reading() as reader:
            return reader.user_by_name(tenant_id, user_name)

    def application(self, client_id: str) -> Application | None:
        """Find an application by its client id."""
        with self._store.reading() as reader:
            return reader.application(client_id)

    def credentials(self, client_id: str) -> tuple[Credential, ...]:
        """List what an application may show, what has ended among it (`Credential.is_valid`)."""
        with self._store.reading() as reader:
            return credentials_of(reader, client_id)

    def principal(self, object_id: str) -> Principal | None:
        """Find a service principal by its object id."""
        with self._store.reading() as reader:
            return reader.principal(object_id)

    def identity(self, object_id: str) -> Identity | None:
        """Find a user, a group or a service principal by its object id."""
        with self._store.reading() as reader:
            return reader.identity(object_id)

    def sign(self, tenant_id: str, claims: Mapping[str, Any]) -> str:
        """Sign claims with the key of a tenant's tokens. What tells no time by which it ends lets nobody in: it is no token."""
        signing = self._signing_key(tenant_id)
        private = self._keyring.open(self._system_vault_id(), signing.sealed_key, signing_place(signing.id))
        return sign_token(private, signing.id, claims)

    def caller(self, reader: HotReader, token: str, tenant_id: str, issuer: str, audiences: tuple[str, ...]) -> Caller:
        """Tell from a bearer token who calls; `reader` is a glance.

        Raises Unauthenticated where signature, issuer, audience or time is wrong, and at once where whoever calls was disabled
        or deleted, or the application that sends the token was disabled. Raises Unavailable where a foreign issuer does not
        show the token's key.
        """
        known, at = self._verified.find(token), self._clock()
        if known is None and self._foreign and (foreigner := self._foreign.caller(reader, token, tenant_id, audiences)):
            return foreigner
        key_id, claims = known or (token_key_id(token), None)
        key = next((key for key in reader.signing_keys(tenant_id) if key.id == key_id), None)
        if key is None or (key.retires and key.retires <= at):
            raise Unauthenticated("The bearer token is signed by a key that this tenant does not have.")
        if claims is None:
            claims = verify_token(token, key.public_key, at)
            self._verified.keep(token, key_id, claims)
        check_times(claims, at)
        _check_claims(claims, tenant_id, issuer, audiences)
        client_id = str(claims.get("appid", ""))
        who = _known(reader, str(claims.get("oid", "")), client_id, tenant_id)
        scopes = frozenset(str(claims.get("scp", "")).split())
        return Caller(who.object_id, client_id, tenant_id, issuer=issuer, user_name=who.user_name, scopes=scopes)

    def key_set(self, tenant_id: str) -> dict[str, Any]:
        """Show the public keys that a tenant's tokens are checked by, as a JWK set."""
        with self._store.reading() as reader:
            keys, at = reader.signing_keys(tenant_id), self._clock()
        return key_set({key.id: key.public_key for key in keys if not key.retires or key.retires > at})

    def new_signing_key(self, tenant_id: str, system_vault_id: str) -> SigningKey:
        """Make a key that signs tokens, sealed; the caller adds it."""
        private = generate_key("RSA", _SIGNING_KEY_BITS, None)
        public = public_der(private)
        key_id = key_thumbprint(public)
        sealed = self._keyring.seal(system_vault_id, private, signing_place(key_id))
        return SigningKey(key_id, tenant_id, public, sealed, whole_second(self._clock()))

    def add_application(
        self, writer: Writer, tenant_id: str, display_name: str, *, administrator: bool
    ) -> tuple[Principal, str]:
        """Add an application and give its client secret, which is not kept and cannot be shown again."""
        secret, secret_hash = new_client_secret()
        principal = Principal(
            object_id=str(uuid4()),
            client_id=str(uuid4()),
            tenant_id=tenant_id,
            display_name=display_name,
            secret_hash=secret_hash,
            administrator=administrator,
            created=whole_second(self._clock()),
        )
        writer.add_principal(principal)
        writer.add_application(
            Application(str(uuid4()), principal.client_id, tenant_id, display_name, whole_second(self._clock()))
        )
        return principal, secret

    def _signing_key(self, tenant_id: str) -> SigningKey:
        with self._store.reading() as reader:
            return reader.signing_keys(tenant_id)[-1]

    def _system_vault_id(self) -> str:
        with self._store.reading() as reader:
            vault = reader.vault_by_name(SYSTEM_VAULT)
        if vault is None:
            raise Unauthenticated("This deployment has no identity provider yet.")
        return vault.id


def _known(reader: HotReader, object_id: str, client_id: str, tenant_id: str) -> Identity:
    """Find who calls. A token is good for an hour; whoever is disabled or deleted is refused at once."""
    found = reader.identity(object_id)
    if found is None or found.tenant_id != tenant_id or found.kind is PrincipalType.GROUP:
        raise Unauthenticated("The bearer token is of somebody who is not in this directory, or is no longer.")
    sender = reader.client_identity(client_id) if found.user_name else found
    if sender is None and client_id not in KNOWN_CLIENTS:
        raise Unauthenticated("The bearer token was given to an application that is no longer in this directory.")
    for one in (found, sender):
        if one and not one.enabled:
            raise IdentityDisabled(f"'{one.display_name}' is disabled in this directory.")
    return found


def _check_claims(claims: Mapping[str, Any], tenant_id: str, issuer: str, audiences: tuple[str, ...]) -> None:
    if claims.get("iss") != issuer or claims.get("tid") != tenant_id:
        raise WrongTokenIssuer(f"AKV10032: Invalid issuer. Expected one of {issuer}, found {claims.get('iss')}.")
    if claims.get("aud") not in audiences:
        raise WrongTokenAudience(f"AKV10022: Invalid audience. Expected {audiences[0]}, found: {claims.get('aud')}.")
