"""The token endpoint: what each grant is exchanged for."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from certworker.api.identity.forms import Form, needed
from certworker.api.identity.refusals import OAuthError
from certworker.bootstrap import House
from certworker.clock import whole_second
from certworker.vault.sign_in.clients import Client, Shown, must_be_confidential, must_fit
from certworker.vault.sign_in.minting import AccessToken, Granted
from certworker.vault.sign_in.scopes import DEFAULT, Wanted, read_scope
from certworker.vault.sign_in.sessions import SignedIn, new_family

JWT_BEARER: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
DEVICE_CODE: Final = "urn:ietf:params:oauth:grant-type:device_code"

Answer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """A request for a token: to which tenant, by whom, and what it holds. With `v1` it names a resource instead of a scope."""

    house: House
    tenant_id: str
    issuer: str
    form: Form
    shown: Shown
    audiences: tuple[str, ...]
    v1: bool = False

    def wanted(self, *, needs_scope: bool = True) -> Wanted:
        """Read for which resource the token is wanted. Raises SignInRefused."""
        if self.v1 and self.form.get("resource"):
            openid = read_scope(self.form.get("scope", "")).openid
            return Wanted(self.form["resource"], (DEFAULT,), openid | {"openid", "offline_access"})
        return read_scope(needed(self.form, "scope") if needs_scope else self.form.get("scope", ""))


def exchange(asked: TokenRequest) -> Answer:
    """Exchange a grant for tokens. Raises SignInRefused, Unavailable."""
    kind = needed(asked.form, "grant_type")
    carry_out = GRANTS.get(kind)
    if carry_out is None or (kind == "password" and not asked.house.settings.identity.password_grant):
        allowed = [name for name in GRANTS if name != "password" or asked.house.settings.identity.password_grant]
        raise OAuthError("unsupported_grant_type", 70003, f"The grant_type is one of {', '.join(allowed)}.")
    client = asked.house.sign_in.clients.authenticate(asked.tenant_id, asked.shown, asked.audiences)
    return carry_out(asked, client)


def _client_credentials(asked: TokenRequest, client: Client) -> Answer:
    principal, sign_in, wanted = must_be_confidential(client), asked.house.sign_in, asked.wanted()
    if not asked.v1 and (wanted.openid or wanted.names != (DEFAULT,)):
        raise OAuthError("invalid_scope", 70011, f"The scope is RESOURCE/{DEFAULT}, for one resource.")
    with asked.house.store.reading() as reader:
        resource = sign_in.resources.find(reader, asked.tenant_id, wanted.audience)
    token = sign_in.mint.for_application(principal, resource, asked.issuer, client.proof)
    return _access(asked, token, resource.audience)


def _password(asked: TokenRequest, client: Client) -> Answer:
    must_fit(client)
    wanted, sign_in = asked.wanted(), asked.house.sign_in
    user = sign_in.passwords.check(asked.tenant_id, needed(asked.form, "username"), needed(asked.form, "password"))
    signed_in = SignedIn(user, client, whole_second(asked.house.clock()), new_family())
    return _granted(asked, sign_in.sessions.grant(signed_in, wanted, asked.issuer))


def _refresh_token(asked: TokenRequest, client: Client) -> Answer:
    must_fit(client)
    wanted = asked.wanted(needs_scope=False)
    granted = asked.house.sign_in.sessions.refresh(client, needed(asked.form, "refresh_token"), wanted, asked.issuer)
    return _granted(asked, granted)


def _authorization_code(asked: TokenRequest, client: Client) -> Answer:
    form = asked.form
    wanted = asked.wanted(needs_scope=False)
    redirect_uri, verifier = needed(form, "redirect_uri"), form.get("code_verifier", "")
    codes = asked.house.sign_in.codes
    return _granted(asked, codes.redeem(client, needed(form, "code"), redirect_uri, verifier, wanted, asked.issuer))


def _device_code(asked: TokenRequest, client: Client) -> Answer:
    code = asked.form.get("device_code") or needed(asked.form, "code")
    return _granted(asked, asked.house.sign_in.devices.redeem(client, code, asked.issuer))


def _on_behalf_of(asked: TokenRequest, client: Client) -> Answer:
    if asked.form.get("requested_token_use") != "on_behalf_of":
        raise OAuthError("invalid_request", 900144, "requested_token_use must be on_behalf_of.")
    wanted = asked.wanted()
    granted = asked.house.sign_in.on_behalf.redeem(client, needed(asked.form, "assertion"), wanted, asked.issuer)
    return _granted(asked, granted)


GRANTS: Final[Mapping[str, Callable[[TokenRequest, Client], Answer]]] = MappingProxyType(
    {
        "client_credentials": _client_credentials,
        "authorization_code": _authorization_code,
        "refresh_token": _refresh_token,
        DEVICE_CODE: _device_code,
        "device_code": _device_code,  # as older clients say it
        JWT_BEARER: _on_behalf_of,
        "password": _password,
    }
)


def _granted(asked: TokenRequest, granted: Granted) -> Answer:
    more = {"scope": " ".join(granted.scopes), "refresh_token": granted.refresh_token, "id_token": granted.id_token}
    answer = _access(asked, granted.access, asked.form.get("resource", ""))
    answer |= {name: value for name, value in more.items() if value}
    if granted.user and asked.form.get("client_info"):
        told = json.dumps({"uid": granted.user.object_id, "utid": granted.user.tenant_id})
        answer["client_info"] = urlsafe_b64encode(told.encode()).decode().rstrip("=")
    return answer


def _access(asked: TokenRequest, token: AccessToken, resource: str) -> Answer:
    seconds = token.expires_in_seconds
    answer: Answer = {
        "token_type": "Bearer",
        "expires_in": seconds,
        "ext_expires_in": seconds,
        "access_token": token.token,
    }
    if asked.v1:  # which says numbers as text
        begin = int(whole_second(asked.house.clock()).timestamp())
        answer |= {"expires_in": str(seconds), "ext_expires_in": str(seconds), "resource": resource}
        answer |= {"not_before": str(begin), "expires_on": str(begin + seconds)}
    return answer
