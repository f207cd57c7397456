"""The authorization endpoint (RFC 6749 section 4.1.1): a page on which a user signs in for a client."""

from collections.abc import Mapping
from html import escape
from typing import Final
from urllib.parse import urlencode, urlsplit, urlunsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from certworker.api.identity.door import Door
from certworker.api.identity.forms import Form, parse_form, read_form
from certworker.api.identity.pages import CSRF, csrf_of, hidden, is_own_form, page, sign_in_form
from certworker.api.identity.refusals import NO_STORE
from certworker.api.trace import trace_of
from certworker.vault.sign_in.clients import Client, check_redirect
from certworker.vault.sign_in.pages import Authorization, check_challenge
from certworker.vault.sign_in.refusals import SignInRefused, invalid_request
from certworker.vault.sign_in.scopes import read_scope

_CARRIED: Final = (
    "client_id",
    "response_type",
    "redirect_uri",
    "response_mode",
    "scope",
    "state",
    "nonce",
    "code_challenge",
    "code_challenge_method",
)
_MODES: Final = ("query", "fragment", "form_post")
_LONGEST: Final = 2048


class AuthorizePage(Door):
    """Shows the page, and sends the browser back with a code.

    Nobody stays signed in here: each client's user shows the password anew, and there is no session that could be ridden.
    """

    async def answer(self, request: Request) -> Response:
        """Answer the request of a browser. A browser is sent nowhere that is not registered, exactly as it is."""
        try:
            form = await read_form(request) if request.method == "POST" else _query(request)
            trace_of(request.scope).asked_by(form.get("client_id", ""), form.get("login", ""), "authorization_code")
            tenant = await self.tenant(request)
            client = await self.threads.run(self._client, tenant, form)
        except SignInRefused as error:
            trace_of(request.scope).deny(error.error, error.number)
            return page(request, "This sign-in cannot go on", _problem(error), status=error.status)
        try:
            asked = await self.threads.run(self._read, tenant, client, form)
            if request.method != "POST" or "answer" not in form:
                return self._show(request, asked, form)
            return await self._sign_in(request, tenant, asked, form)
        except SignInRefused as error:
            trace_of(request.scope).deny(error.error, error.number)
            refused = {"error": error.error, "error_description": f"AADSTS{error.number}: {error}"}
            return _send_back(request, form, refused)

    def _client(self, tenant: str, form: Form) -> Client:
        client = self.house.sign_in.clients.find(tenant, _asked(form, "client_id"))
        check_redirect(client, _asked(form, "redirect_uri"))
        return client

    def _read(self, tenant: str, client: Client, form: Form) -> Authorization:
        """Read what is asked for. Raises SignInRefused, which is told to the client."""
        if form.get("response_type") != "code":
            raise SignInRefused("unsupported_response_type", 700051, "The response_type is code.")
        if form.get("response_mode", "query") not in _MODES:
            raise invalid_request(900144, f"The response_mode is one of {', '.join(_MODES)}.")
        wanted = read_scope(_asked(form, "scope"))
        challenge = check_challenge(form.get("code_challenge", ""), form.get("code_challenge_method", "plain"))
        if not challenge and check_redirect(client, form["redirect_uri"]) != "web":
            raise invalid_request(9002325, "Proof Key for Code Exchange is required: code_challenge is missing.")
        with self.house.store.reading() as reader:
            resource = self.house.sign_in.resources.find(reader, tenant, wanted.audience)
        self.house.sign_in.resources.scopes(resource, wanted)
        if form.get("prompt") == "none":
            raise SignInRefused("login_required", 50058, "Nobody stays signed in here: the user has to see the page.")
        return Authorization(client, form["redirect_uri"], form["scope"], challenge, form.get("nonce", "")[:_LONGEST])

    def _show(self, request: Request, asked: Authorization, form: Form, problem: SignInRefused | None = None) -> Response:
        carried = {name: form[name] for name in _CARRIED if form.get(name)} | {CSRF: csrf_of(request)}
        wanted = read_scope(asked.scope)
        told = f"{asked.client.name} asks you to sign in, and may then act for you at {wanted.audience or 'the directory'}."
        body = sign_in_form(request.url.path, carried, told, problem, form.get("login") or form.get("login_hint", ""))
        return page(request, "Sign in", body, sends_to=asked.redirect_uri, status=400 if problem else 200)

    async def _sign_in(self, request: Request, tenant: str, asked: Authorization, form: Form) -> Response:
        if not is_own_form(request, form):
            return self._show(request, asked, form, invalid_request(165000, "The page was open for too long. Try again."))
        if form["answer"] != "sign-in":
            raise SignInRefused("access_denied", 65004, "The user declined to sign in.")
        sign_in = self.house.sign_in
        try:
            fields = (form.get(name, "") for name in ("login", "passwd", "newpasswd"))
            user = await self.threads.run(sign_in.passwords.check, tenant, *fields)
        except SignInRefused as error:
            trace_of(request.scope).deny(error.error, error.number)
            return self._show(request, asked, form, error)
        return _send_back(request, form, {"code": await self.threads.run(sign_in.codes.give, asked, user)})


def _query(request: Request) -> Form:
    try:
        return parse_form(request.url.query)
    except ValueError:
        raise invalid_request(90100, "The query cannot be read.") from None


def _asked(form: Form, name: str) -> str:
    value = form.get(name, "")
    if not value or len(value) > _LONGEST:
        raise invalid_request(900144, f"The request must contain the following parameter: '{name}'.")
    return value


def _problem(error: SignInRefused) -> str:
    return f'<p role="alert">AADSTS{error.number}: {escape(str(error))}</p>'


def _send_back(request: Request, form: Form, answer: Mapping[str, str]) -> Response:
    """Send the browser back to the client, in the way that it wants."""
    target, mode = form["redirect_uri"], form.get("response_mode", "query")
    fields = {**answer, **({"state": form["state"]} if form.get("state") else {})}
    if mode == "form_post":
        body = (
            f'<form method="post" action="{escape(target)}">{hidden(fields)}'
            "<p>Going back to the application.</p><button>Continue</button></form>"
        )
        return page(request, "One moment", body, sends_to=target, script="document.forms[0].submit()")
    parts = urlsplit(target)
    if mode == "fragment":
        where = urlunsplit(parts._replace(fragment=urlencode(fields)))
    else:
        where = urlunsplit(parts._replace(query="&".join(filter(None, (parts.query, urlencode(fields))))))
    return RedirectResponse(where, 303, {**NO_STORE, "Referrer-Policy": "no-referrer"})
