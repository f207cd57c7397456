"""Clients: the applications that ask for tokens, and how they show that they are themselves."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final
from urllib.parse import SplitResult, urlsplit

from certworker.clock import Clock
from certworker.crypto.foreign_tokens import UnprovenToken, names_certificate, prove_by_certificate, read_token, texts_of
from certworker.errors import IdentityDisabled, Unauthenticated
from certworker.vault.directory import Directory
from certworker.vault.identities.records import Application, CredentialKind
from certworker.vault.sign_in.foreign import ForeignTokens
from certworker.vault.sign_in.known_clients import KNOWN_CLIENTS
from certworker.vault.sign_in.refusals import SignInRefused, invalid_client, invalid_request
from certworker.vault.sign_in.times import check_span
from certworker.vault.store import Store
from certworker.vault.vaults import Principal

LONGEST_ASSERTION: Final = timedelta(days=1)
SKEW: Final = timedelta(minutes=5)
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
_NATIVE: Final = MappingProxyType({"publicClient": ("http://localhost",)})


class Proof(StrEnum):
    """How a client showed that it is itself, as `appidacr` tells it."""

    NONE = "0"
    SECRET = "1"  # noqa: S105  # a kind, not one
    CERTIFICATE = "2"


@dataclass(frozen=True, slots=True)
class Client:
    """An application that asks for tokens. Only a confidential one has a principal of its own to act as."""

    client_id: str
    tenant_id: str
    name: str
    is_public: bool
    redirect_uris: Mapping[str, tuple[str, ...]]
    application: Application | None = None
    proof: Proof = Proof.NONE
    principal: Principal | None = None

    def platform_of(self, redirect_uri: str) -> str | None:
        """Tell for which platform a redirect URI is registered, exactly as it is; none where it is for none.

        The port of loopback does not matter to native applications (RFC 8252 section 7.3).
        """
        for platform, uris in self.redirect_uris.items():
            native = platform == "publicClient"
            if redirect_uri in uris or (native and any(_is_same_loopback(redirect_uri, uri) for uri in uris)):
                return platform
        return None


@dataclass(frozen=True, slots=True)
class Shown:
    """What a client sent to show that it is itself. Its `repr` never tells."""

    client_id: str
    secret: str | None = field(default=None, repr=False)
    assertion: str | None = field(default=None, repr=False)


class Clients:
    """Finds clients, and checks what they show."""

    def __init__(self, store: Store, directory: Directory, foreign: ForeignTokens, clock: Clock) -> None:
        self._store = store
        self._directory = directory
        self._foreign = foreign
        self._clock = clock

    def find(self, tenant_id: str, client_id: str) -> Client:
        """Find a client, whoever it is. Raises SignInRefused."""
        client_id = client_id.lower()
        if name := KNOWN_CLIENTS.get(client_id):
            return Client(client_id, tenant_id, name, is_public=True, redirect_uris=_NATIVE)
        application = self._directory.application(client_id)
        if application is None or application.tenant_id != tenant_id:
            text = f"Application with identifier '{client_id[:64]}' was not found in the directory '{tenant_id}'."
            raise SignInRefused("unauthorized_client", 700016, text)
        with self._store.reading() as reader:
            principal = reader.principal_by_client(client_id)
        if principal is not None and not principal.enabled:
            raise SignInRefused("unauthorized_client", 7000112, f"Application '{client_id}' is disabled.")
        return Client(
            client_id,
            tenant_id,
            application.display_name,
            application.public_client,
            application.redirect_uris,
            application,
            principal=principal,
        )

    def authenticate(self, tenant_id: str, shown: Shown, audiences: tuple[str, ...]) -> Client:
        """Check what a client shows; one that shows nothing is public. `audiences` are what an assertion may be for.

        Raises SignInRefused.
        """
        client = self.find(tenant_id, shown.client_id)
        if shown.assertion is not None:
            self._check_assertion(client, shown.assertion, audiences)
            return _proven(client, Proof.CERTIFICATE)
        if shown.secret is not None:
            self._check_secret(client, shown.secret)
            return _proven(client, Proof.SECRET)
        return client

    def _check_secret(self, client: Client, secret: str) -> None:
        if client.client_id in KNOWN_CLIENTS:
            raise invalid_client(700025, "The client is public, so neither client_assertion nor client_secret belong there.")
        try:
            self._directory.authenticate(client.tenant_id, client.client_id, secret)
        except IdentityDisabled as error:
            raise SignInRefused("unauthorized_client", 7000112, str(error)) from None
        except Unauthenticated:
            text = f"Invalid client secret provided for app '{client.client_id}': it is wrong, or has expired."
            raise invalid_client(7000215, text) from None

    def _check_assertion(self, client: Client, assertion: str, audiences: tuple[str, ...]) -> None:
        """Check a client assertion (RFC 7523 section 3): signed by a certificate of the client, or by a foreign issuer."""
        try:
            unproven = read_token(assertion)
            if unproven.issuer == client.client_id:
                self._check_signed(client, assertion, unproven, audiences)
            else:
                self._check_federated(client, assertion, unproven)
        except Unauthenticated as error:
            raise invalid_client(700027, f"The client assertion cannot be used. {error}") from None

    def _check_signed(self, client: Client, assertion: str, unproven: UnprovenToken, audiences: tuple[str, ...]) -> None:
        at = self._clock()
        named = [
            found.certificate
            for found in self._directory.credentials(client.client_id)
            if found.kind is CredentialKind.CERTIFICATE
            and found.certificate
            and found.is_valid(at)
            and names_certificate(unproven, found.certificate)
        ]
        if not named:
            raise Unauthenticated("Its x5t is of no certificate that the application has and that is valid now.")
        claims = prove_by_certificate(assertion, unproven, named[0])
        if claims.get("sub") != client.client_id:
            raise Unauthenticated("Its sub is not the client id.")
        if not set(texts_of(claims.get("aud"))) & set(audiences):
            raise Unauthenticated("Its aud is not this token endpoint.")
        # MSAL shows one assertion again and again for as long as it holds, so that a jti cannot count once
        if not isinstance(claims.get("jti"), str):
            raise Unauthenticated("It has no jti.")
        check_span(claims, at, SKEW, LONGEST_ASSERTION)

    def _check_federated(self, client: Client, assertion: str, unproven: UnprovenToken) -> None:
        subject, audiences = unproven.claims.get("sub"), set(texts_of(unproven.claims.get("aud")))
        with self._store.reading() as reader:
            known = reader.federated_credentials(client.client_id)
        issuer = unproven.issuer.rstrip("/")
        ours = [found for found in known if found.issuer.rstrip("/") == issuer and found.subject == subject]
        if not any(audiences & set(found.audiences) for found in ours):
            text = (
                f"No matching federated identity record found for presented assertion issuer '{unproven.issuer[:200]}', "
                f"subject '{str(subject)[:200]}' and its audience."
            )
            raise invalid_client(700213 if not ours else 700212, text)
        check_span(self._foreign.prove(assertion, unproven), self._clock(), SKEW, LONGEST_ASSERTION)


def must_be_confidential(client: Client) -> Principal:
    """Give the principal that a client acts as. Raises SignInRefused where it showed nothing, or has none."""
    if client.proof is Proof.NONE:
        text = "The request body must contain the following parameter: 'client_assertion' or 'client_secret'."
        raise invalid_client(7000218, text)
    if client.principal is None:
        raise SignInRefused("unauthorized_client", 7000229, "The application has no service principal in this tenant.")
    return client.principal


def must_fit(client: Client) -> None:
    """Refuse a confidential client that showed nothing. Raises SignInRefused."""
    if client.proof is Proof.NONE and not client.is_public:
        text = "The request body must contain the following parameter: 'client_assertion' or 'client_secret'."
        raise invalid_client(7000218, text)


def check_redirect(client: Client, redirect_uri: str) -> str:
    """Give the platform of a redirect URI. Raises SignInRefused where it is not registered, exactly as it is."""
    platform = client.platform_of(redirect_uri)
    if platform is None:
        text = f"The redirect URI '{redirect_uri[:200]}' is none of the application '{client.client_id}'."
        raise invalid_request(50011, text)
    return platform


def _proven(client: Client, proof: Proof) -> Client:
    return replace(client, proof=proof)


def _is_same_loopback(asked: str, registered: str) -> bool:
    one, other = _split(asked), _split(registered)
    if one is None or other is None or one.hostname not in _LOOPBACK or one.username is not None:
        return False
    parts = [(found.scheme, found.hostname, found.path.rstrip("/"), found.query, found.fragment) for found in (one, other)]
    return one.scheme == "http" and parts[0] == parts[1]


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts if url.isascii() and url.isprintable() and " " not in url and "\\" not in url else None
