"""The page on which a user enters the code of a device (RFC 8628 section 3.3)."""

from starlette.requests import Request
from starlette.responses import Response

from certworker.api.identity.door import Door
from certworker.api.identity.forms import Form, parse_form, read_form
from certworker.api.identity.pages import CSRF, csrf_of, hidden, is_own_form, page, sign_in_form
from certworker.api.trace import trace_of
from certworker.vault.sign_in.grants import DeviceCode
from certworker.vault.sign_in.refusals import SignInRefused

_PATH = "/device"
_UNKNOWN = "There is no such code, or its time is over. Look at what the device shows."


class DevicePage(Door):
    """Asks for the code first, then tells who waits with it, and lets the user sign in or turn it away."""

    async def answer(self, request: Request) -> Response:
        """Answer the request of a browser."""
        if request.method != "POST":
            return _ask_code(request, user_code=_query(request).get("user_code", ""))
        form = await read_form(request)
        trace_of(request.scope).asked_by(user_name=form.get("login", ""), grant="device_code")
        if not is_own_form(request, form):
            return _ask_code(request, "The page was open for too long, or is not ours. Try again.")
        tenant = await self.tenant(request)
        code = await self.threads.run(self.house.sign_in.devices.pending, tenant, form.get("user_code", ""))
        if code is None:
            return _ask_code(request, _UNKNOWN)
        match form.get("answer"):
            case "sign-in":
                return await self._let_in(request, tenant, code, form)
            case "cancel":
                await self.threads.run(self.house.sign_in.devices.settle, code, None)
                return page(request, "Turned away", "<p>The device was not signed in. You can close this page.</p>")
        return await self._ask_password(request, tenant, code)

    async def _let_in(self, request: Request, tenant: str, code: DeviceCode, form: Form) -> Response:
        sign_in = self.house.sign_in
        try:
            fields = (form.get(field, "") for field in ("login", "passwd", "newpasswd"))
            user = await self.threads.run(sign_in.passwords.check, tenant, *fields)
        except SignInRefused as error:
            trace_of(request.scope).deny(error.error, error.number)
            return await self._ask_password(request, tenant, code, error, form.get("login", ""))
        if not await self.threads.run(sign_in.devices.settle, code, user):
            return _ask_code(request, _UNKNOWN)
        return page(request, "Signed in", "<p>The device goes on by itself. You can close this page.</p>")

    async def _ask_password(
        self, request: Request, tenant: str, code: DeviceCode, problem: SignInRefused | None = None, user_name: str = ""
    ) -> Response:
        client = await self.threads.run(self.house.sign_in.clients.find, tenant, code.client_id)
        told = f"{client.name} waits on another device with the code {code.user_code}. Go on only if it is yours."
        carried = {"user_code": code.user_code, CSRF: csrf_of(request)}
        body = sign_in_form(_PATH, carried, told, problem, user_name)
        return page(request, "Sign in", body, status=400 if problem else 200)


def _ask_code(request: Request, problem: str = "", user_code: str = "") -> Response:
    alert = f'<p role="alert">{problem}</p>' if problem else ""
    shown = "".join(letter for letter in user_code[:16] if letter.isalnum() and letter.isascii())
    body = (
        f'{alert}<form method="post" action="{_PATH}">{hidden({CSRF: csrf_of(request)})}'
        f'<label>Code<input name="user_code" autocomplete="off" required maxlength="16" value="{shown}"></label>'
        "<button>Next</button></form>"
    )
    return page(request, "Enter the code", body, status=400 if problem else 200)


def _query(request: Request) -> Form:
    try:
        return parse_form(request.url.query)
    except ValueError:
        return {}
