"""The pages of the identity provider: plain HTML of our own, without anything from elsewhere.

A form is sent back with a random value that a cookie holds as well, which no other site can read or set (its name begins with
`__Host-`): nobody is signed in, and no code is granted, by a page that somebody else has made.
"""

import hmac
import re
import secrets
from collections.abc import Mapping
from html import escape
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from certworker.api.identity.door import PLACE
from certworker.api.identity.forms import Form
from certworker.vault.sign_in.passwords import MUST_CHANGE
from certworker.vault.sign_in.refusals import SignInRefused

COOKIE: Final = "__Host-certworker-form"
CSRF: Final = "csrf"
_CHOOSING: Final = (
    '<label>New password<input name="newpasswd" type="password" autocomplete="new-password" required maxlength="256"></label>'
)
_VALUE: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_STYLE: Final = (
    "body{font:16px/1.5 system-ui,sans-serif;background:#f3f4f6;color:#111827;margin:0}"
    "main{max-width:24rem;margin:12vh auto;background:#fff;padding:2rem;border-radius:.5rem;box-shadow:0 1px 4px #0002}"
    "h1{font-size:1.25rem;margin:0 0 1rem}label{display:block;margin:.75rem 0}"
    "input{display:block;width:100%;box-sizing:border-box;font:inherit;padding:.5rem;border:1px solid #9ca3af}"
    "button{font:inherit;padding:.5rem 1rem;margin:.75rem .5rem 0 0;border:1px solid #1d4ed8;border-radius:.25rem;"
    "background:#1d4ed8;color:#fff}button.quiet{background:#fff;color:#1d4ed8}[role=alert]{color:#b91c1c}"
)


def page(request: Request, title: str, body: str, *, status: int = 200, sends_to: str = "", script: str = "") -> Response:
    """Build a page. `body` is HTML; `sends_to` is where its form may lead beside this host."""
    nonce = secrets.token_urlsafe(16)
    text = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style nonce="{nonce}">{_STYLE}</style></head>'
        f"<body><main><h1>{escape(title)}</h1>{body}</main>"
        + (f'<script nonce="{nonce}">{script}</script>' if script else "")
        + "</body></html>"
    )
    policy = (
        f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; "
        f"form-action 'self'{_origin(sends_to)}; frame-ancestors 'none'; base-uri 'none'"
    )
    headers = {
        "Content-Security-Policy": policy,
        "X-Frame-Options": "DENY",
        # under no-referrer browsers send `Origin: null` with our own forms (Fetch section 3.2)
        "Referrer-Policy": "same-origin",
        "Cache-Control": "no-store",
    }
    response = HTMLResponse(text, status, headers)
    response.set_cookie(COOKIE, csrf_of(request), path="/", secure=True, httponly=True, samesite="strict")
    return response


def csrf_of(request: Request) -> str:
    """Give the value of the browser's cookie, a new one where it has none; the same for all answers to a request."""
    found = request.cookies.get(COOKIE, "")
    if _VALUE.fullmatch(found):
        return found
    if not hasattr(request.state, CSRF):
        setattr(request.state, CSRF, secrets.token_urlsafe(32))
    value: str = getattr(request.state, CSRF)
    return value


def is_own_form(request: Request, form: Form) -> bool:
    """Tell whether a form that was sent is one of ours, on a page that this browser was shown."""
    cookie, sent = request.cookies.get(COOKIE, ""), form.get(CSRF, "")
    origin = request.headers.get("origin")
    if origin not in (None, request.scope[PLACE].url):
        return False
    return bool(_VALUE.fullmatch(cookie)) and hmac.compare_digest(cookie.encode(), sent.encode())


def hidden(fields: Mapping[str, str]) -> str:
    """Write fields that a form carries along."""
    return "".join(f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">' for name, value in fields.items())


def sign_in_form(
    action: str, carried: Mapping[str, str], told: str, problem: SignInRefused | None = None, user_name: str = ""
) -> str:
    """Write the form for name and password. `told` says who wants it and for what."""
    alert = f'<p role="alert">{escape(str(problem))}</p>' if problem else ""
    choosing = _CHOOSING if problem and problem.number == MUST_CHANGE else ""
    return (
        f'<p>{escape(told)}</p>{alert}<form method="post" action="{escape(action)}">{hidden(carried)}'
        '<label>User name<input name="login" autocomplete="username" required maxlength="320" '
        f'value="{escape(user_name)}"></label>'
        '<label>Password<input name="passwd" type="password" autocomplete="current-password" required maxlength="256"></label>'
        f"{choosing}"
        '<button name="answer" value="sign-in">Sign in</button>'
        '<button class="quiet" name="answer" value="cancel" formnovalidate>Cancel</button></form>'
    )


def _origin(url: str) -> str:
    """Name where a form may lead; browsers hold the redirect after a form against it as well."""
    parts = urlsplit(url)
    if not parts.hostname:
        return f" {parts.scheme}:" if parts.scheme else ""
    return f" {parts.scheme}://{parts.netloc}"
