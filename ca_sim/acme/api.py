"""The ACME server as a web application (RFC 8555): HTTP in, one call, HTTP out."""

from collections.abc import Callable
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from ca_sim.acme import urls, wire
from ca_sim.acme.accounts import Accounts
from ca_sim.acme.answers import AcmeHeaders, http_problem, internal_problem, problem_answer
from ca_sim.acme.authorizations import Authorizations
from ca_sim.acme.certificates import AccountCertificates
from ca_sim.acme.envelope import Envelopes, Signed, Signer
from ca_sim.acme.jose import decode
from ca_sim.acme.nonces import Nonces
from ca_sim.acme.objects import Account, Authorization, Order, Status
from ca_sim.acme.orders import Orders
from ca_sim.acme.pauses import Pauses
from ca_sim.acme.rate_limits import RateLimits
from ca_sim.acme.renewal_info import Renewals
from ca_sim.acme.urls import Urls
from ca_sim.certificates import Certificate
from ca_sim.clock import Clock
from ca_sim.faults.engine import Faults
from ca_sim.problems import MalformedError, NotFoundError, ProblemError
from ca_sim.settings import Settings

PEM_CHAIN = "application/pem-certificate-chain"
CREATED = 201
NO_CONTENT = 204
Handler = Callable[[Signed, Request], Response]


@dataclass(frozen=True, slots=True, kw_only=True)
class AcmeApi:
    """The routes; `app` makes the application of them."""

    accounts: Accounts
    orders: Orders
    authorizations: Authorizations
    certificates: AccountCertificates
    renewals: Renewals
    limits: RateLimits
    pauses: Pauses
    nonces: Nonces
    faults: Faults
    settings: Settings
    clock: Clock
    urls: Urls

    def app(self) -> ASGIApp:
        """Make the application: the routes, problems as their documents, and the headers that every answer has."""
        app = Starlette(
            routes=self._routes(),
            exception_handlers={ProblemError: problem_answer, HTTPException: http_problem, Exception: internal_problem},
        )
        app.router.redirect_slashes = False  # it would go by the Host header
        return AcmeHeaders(app, self.nonces, self.limits, self.clock, self.urls)

    def _routes(self) -> list[Route]:
        ahead = [self._post(urls.NEW_AUTHORIZATION, self._new_authorization)] if self.settings.acme.pre_authorization else []
        return [
            *ahead,
            Route(urls.DIRECTORY, self._directory, methods=["GET"]),
            Route(urls.NEW_NONCE, self._new_nonce, methods=["GET"]),
            self._post(urls.DIRECTORY, self._directory_signed),
            self._post(urls.NEW_NONCE, self._new_nonce_signed),
            self._post(urls.NEW_ACCOUNT, self._new_account, Signer.NEW_KEY),
            self._post(urls.ACCOUNT, self._account),
            self._post(urls.ACCOUNT_ORDERS, self._account_orders),
            self._post(urls.KEY_CHANGE, self._key_change),
            self._post(urls.NEW_ORDER, self._new_order),
            self._post(urls.ORDER, self._order),
            self._post(urls.FINALIZE, self._finalize),
            self._post(urls.AUTHORIZATION, self._authorization),
            self._post(urls.CHALLENGE, self._challenge),
            self._post(urls.CERTIFICATE, self._certificate),
            self._post(urls.ALTERNATE, self._certificate),
            self._post(urls.REVOKE, self._revoke, Signer.EITHER),
            Route(urls.RENEWAL_INFO_OF, self._renewal_info, methods=["GET"]),
            Route(urls.UNPAUSE, self._paused, methods=["GET"]),
            Route(urls.UNPAUSE, self._unpause, methods=["POST"]),
        ]

    def _post(self, path: str, handler: Handler, signer: Signer = Signer.ACCOUNT) -> Route:
        """Make the route of a signed request; Starlette answers other methods with 405 (section 6.3)."""
        envelopes = Envelopes(self.accounts, self.nonces, self.faults, self.clock, self.urls)

        async def endpoint(request: Request) -> Response:
            return handler(await envelopes.open(request, signer), request)

        return Route(path, endpoint, methods=["POST"])

    async def _directory(self, _: Request) -> Response:
        return JSONResponse(wire.directory_document(self.urls, self.settings))

    def _directory_signed(self, signed: Signed, _: Request) -> Response:
        signed.expect_no_payload()
        return JSONResponse(wire.directory_document(self.urls, self.settings))

    async def _new_nonce(self, request: Request) -> Response:
        """Section 7.2: 200 for HEAD, 204 for GET; the header is put on further out."""
        return Response(status_code=NO_CONTENT if request.method == "GET" else 200)

    def _new_nonce_signed(self, signed: Signed, _: Request) -> Response:
        signed.expect_no_payload()
        return Response(status_code=NO_CONTENT)

    def _new_account(self, signed: Signed, request: Request) -> Response:
        asked = wire.read(wire.NewAccount, signed.payload)
        address = request.client.host if request.client else ""
        if not asked.only_return_existing and not self.accounts.knows(signed.jwk):
            self.limits.check_account(address)
        account, is_new = self.accounts.register(signed.jwk, asked, url=signed.url)
        if is_new:
            self.limits.registered(address)
        return self._show_account(account, status=CREATED if is_new else 200)

    def _account(self, signed: Signed, request: Request) -> Response:
        account = _own(signed, request)
        if signed.payload:
            account = self.accounts.update(account, wire.read(wire.AccountUpdate, signed.payload))
        return self._show_account(account)

    def _account_orders(self, signed: Signed, request: Request) -> Response:
        """Section 7.1.2.1: a page of order URLs, without the invalid ones, and a link to the next page."""
        account = _own(signed, request)
        signed.expect_no_payload()
        page = self.orders.of_account(account, after=_number(request.query_params.get("after", "0")))
        shown = [order for _, order in page if self.orders.current(order).status is not Status.INVALID]
        document = {"orders": [self.urls.of(urls.ORDER, id=order.id) for order in shown]}
        response = JSONResponse(document)
        if len(page) == self.settings.orders_per_page:
            following = self.urls.of(urls.ACCOUNT_ORDERS, id=account.id) + f"?after={page[-1][0]}"
            response.headers.append("Link", f'<{following}>;rel="next"')
        return response

    def _key_change(self, signed: Signed, _: Request) -> Response:
        return self._show_account(self.accounts.change_key(signed.account, signed.url, signed.payload))

    def _new_order(self, signed: Signed, _: Request) -> Response:
        order = self.orders.place(signed.account, wire.read(wire.NewOrder, signed.payload))
        return self._show_order(order, status=CREATED)

    def _new_authorization(self, signed: Signed, _: Request) -> Response:
        asked = wire.read(wire.NewAuthorization, signed.payload)
        authorization = self.authorizations.authorize_ahead(signed.account, asked.identifier)
        response = self._show_authorization(authorization)
        response.status_code = CREATED
        response.headers["Location"] = self.urls.of(urls.AUTHORIZATION, id=authorization.id)
        return response

    def _order(self, signed: Signed, request: Request) -> Response:
        signed.expect_no_payload()
        return self._show_order(self.orders.find(signed.account, request.path_params["id"]))

    def _finalize(self, signed: Signed, request: Request) -> Response:
        csr = decode(wire.read(wire.Finalize, signed.payload).csr, "csr")
        return self._show_order(self.orders.finalize(signed.account, request.path_params["id"], csr))

    def _authorization(self, signed: Signed, request: Request) -> Response:
        account, authorization_id = signed.account, request.path_params["id"]
        if not signed.payload:
            return self._show_authorization(self.authorizations.find(account, authorization_id))
        if wire.read(wire.StatusChange, signed.payload).status != Status.DEACTIVATED:
            raise MalformedError("an authorization can only be made deactivated")
        return self._show_authorization(self.authorizations.deactivate(account, authorization_id))

    def _challenge(self, signed: Signed, request: Request) -> Response:
        account, parts = signed.account, request.path_params
        if signed.payload:
            wire.read(wire.StatusChange, signed.payload)
            authorization = self.authorizations.answer(account, parts["id"], parts["kind"])
        else:
            authorization = self.authorizations.find(account, parts["id"])
        return self._show_challenge(authorization, parts["kind"])

    def _certificate(self, signed: Signed, request: Request) -> Response:
        """Section 7.4.2: the chain that was chosen, with links to the others."""
        signed.expect_no_payload()
        certificate = self.certificates.of_account(signed.account, request.path_params["id"])
        chains = self.certificates.chains(certificate)
        chosen = _number(request.path_params.get("number", "0"))
        if chosen >= len(chains):
            raise NotFoundError("there is no such chain of this certificate")
        response = Response(chains[chosen], media_type=PEM_CHAIN)
        for other in range(len(chains)):
            if other != chosen:
                response.headers.append("Link", f'<{self._chain_url(certificate, other)}>;rel="alternate"')
        return response

    def _chain_url(self, certificate: Certificate, number: int) -> str:
        if number == 0:
            return self.urls.of(urls.CERTIFICATE, id=certificate.serial)
        return self.urls.of(urls.ALTERNATE, id=certificate.serial, number=str(number))

    async def _renewal_info(self, request: Request) -> Response:
        """RFC 9773 section 4.2, which is asked for without a signature."""
        window = self.renewals.window(self.renewals.find(request.path_params["id"]))
        headers = {"Retry-After": str(self.settings.acme.renewal_retry_seconds)}
        return JSONResponse(wire.renewal_document(window), headers=headers)

    async def _paused(self, request: Request) -> Response:
        """Tell a person what is paused for the account, and how to lift it."""
        pauses = self.pauses.list_(self.pauses.account_of(request.path_params["ticket"]))
        names = "".join(f"  {pause.value}\n" for pause in pauses) or "  nothing\n"
        return PlainTextResponse(f"Paused for this account:\n{names}Send a POST to this URL to lift all of it.\n")

    async def _unpause(self, request: Request) -> Response:
        count = self.pauses.resume(self.pauses.account_of(request.path_params["ticket"]))
        return PlainTextResponse(f"{count} lifted.\n")

    def _revoke(self, signed: Signed, _: Request) -> Response:
        asked = wire.read(wire.Revocation, signed.payload)
        der = decode(asked.certificate, "certificate")
        self.certificates.revoke(der, asked.reason, account=signed.holder, key=signed.key)
        return Response()

    def _show_account(self, account: Account, status: int = 200) -> Response:
        headers = {"Location": self.urls.of(urls.ACCOUNT, id=account.id)}
        return JSONResponse(wire.account_document(self.urls, account), status, headers)

    def _show_order(self, order: Order, status: int = 200) -> Response:
        headers = {"Location": self.urls.of(urls.ORDER, id=order.id)}
        if order.status is Status.PROCESSING:
            headers |= self._retry_after()
        return JSONResponse(wire.order_document(self.urls, order), status, headers)

    def _show_authorization(self, authorization: Authorization) -> Response:
        in_work = any(challenge.status is Status.PROCESSING for challenge in authorization.challenges)
        headers = self._retry_after() if in_work else {}
        return JSONResponse(wire.authorization_document(self.urls, authorization), headers=headers)

    def _show_challenge(self, authorization: Authorization, kind: str) -> Response:
        challenge = authorization.challenge(kind)
        headers = {"Link": f'<{self.urls.of(urls.AUTHORIZATION, id=authorization.id)}>;rel="up"'}
        if challenge.status is Status.PROCESSING:
            headers |= self._retry_after()
        return JSONResponse(wire.challenge_document(self.urls, authorization, challenge), headers=headers)

    def _retry_after(self) -> dict[str, str]:
        return {"Retry-After": str(self.settings.retry_after_seconds)}


def _own(signed: Signed, request: Request) -> Account:
    if signed.account.id != request.path_params["id"]:
        raise NotFoundError("this is not the URL of the account that signed")
    return signed.account


def _number(text: str) -> int:
    """Read a number of the URL: after which order to go on, or which chain. Raises MalformedError."""
    if not text.isdecimal() or not text.isascii() or len(text) > 18:  # noqa: PLR2004 - what fits in a column of SQLite
        raise MalformedError("what is to be a number in the URL is none")
    return int(text)
