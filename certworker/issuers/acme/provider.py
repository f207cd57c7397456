"""The ACME provider: one issuance, step by step, each of which can be taken up by another process.

Before anything else a step looks at the order, because the journal may be behind the CA: a process may have been killed
between the CA's answer and the recording of it. What the order's status says is what is done next, so an order is never
finalized twice, and none is placed while one can be gone on with.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from certworker.crypto.keys import generate_key
from certworker.errors import BadParameter, SettingsError
from certworker.issuers.acme.client import AcmeClient, read_binding
from certworker.issuers.acme.directories import Directories
from certworker.issuers.acme.issuance import HTTP_01, Issuance, begin_anew
from certworker.issuers.acme.journal import Journal
from certworker.issuers.acme.problems import ISSUER_ERROR, NOT_FOUND, AcmeProblem, Garbled, clean, retry_time, verdict
from certworker.issuers.acme.session import AcmeNetwork
from certworker.network.egress import EgressRefused, EgressRules, Unreachable
from certworker.network.http import EgressClient, Trust, build_client
from certworker.vault.issuance import (
    Account,
    AccountBook,
    ChallengeBoard,
    Examination,
    IssuanceRequest,
    Pending,
    Rejected,
    Step,
)
from certworker.vault.operations import Progress

Connect = Callable[[EgressRules, str | None, float], EgressClient]
"""Builds an HTTP client from the rules, the CA bundle and the time for each wait."""

BINDING_MISSING = "The CA asks for an external account: the issuer's password must be its kid:hmac."


@dataclass(frozen=True, slots=True)
class AcmeIssuerSettings:
    """The settings of one ACME issuer. `ca_bundle` is a PEM file that takes the place of the public authorities.

    `contacts` are mail addresses or URLs; `timeout_seconds` is for each wait for the CA.
    """

    ca_bundle: str | None = None
    challenge: str = HTTP_01
    contacts: tuple[str, ...] = ()
    timeout_seconds: float = 10.0


class AcmeProvider:
    """Gets certificates over ACME. `connect` builds the HTTP client, which lives for one step."""

    def __init__(
        self,
        accounts: AccountBook,
        challenges: ChallengeBoard,
        rules: EgressRules,
        settings_of: Callable[[str], AcmeIssuerSettings],
        connect: Connect | None = None,
    ) -> None:
        self._accounts = accounts
        self._challenges = challenges
        self._rules = rules
        self._settings_of = settings_of
        self._connect = connect or partial(build_client, trust=Trust())
        self._directories = Directories()

    def step(self, request: IssuanceRequest, progress: Progress | None, at: datetime) -> Step:
        """Go one step on: an account, an order, a few challenges, a look, a finalization, or the download."""
        settings = self._settings_of(request.issuer)
        if settings.challenge != HTTP_01:
            text = f"The issuer {request.issuer} is set to the challenge {settings.challenge}; only {HTTP_01} is supported."
            return Rejected(ISSUER_ERROR, text, configuration=True)
        journal = Journal.read(progress)
        try:
            return self._step(request, settings, journal, at)
        except AcmeProblem as error:
            return self._after_problem(error, request, journal, at)
        except Garbled as error:
            self._directories.forget(request.account_id)
            return Pending(journal.show(), retry_time(error.retry_header, at), failure=clean(str(error)))
        except (Unreachable, EgressRefused, SettingsError) as error:
            return Pending(journal.show(), None, failure=clean(str(error)))

    def examine(self, request: IssuanceRequest, at: datetime) -> Examination:
        """Read the directory anew; look at the binding, and at the account where there is one. No account is opened."""
        settings, found = self._settings_of(request.issuer), list[str]()
        self._directories.forget(request.account_id)
        known = self._accounts.find(request.vault_id, request.issuer, request.account_id)
        account = known or Account(generate_key("EC", None, "P-256"))
        try:
            # without its URL, so that requests are signed as RFC 8555 section 7.3.1 wants it
            with self._client(request, settings, replace(account, url=None), at) as client:
                found.append("The CA's directory was read.")
                passed = _examine(client, request, found, has_account=bool(known and known.url))
        except (AcmeProblem, Garbled, Unreachable, EgressRefused, SettingsError, BadParameter) as error:
            return Examination(passed=False, findings=(*found, clean(str(error))))
        return Examination(passed, tuple(found))

    def _step(self, request: IssuanceRequest, settings: AcmeIssuerSettings, journal: Journal, at: datetime) -> Step:
        account = self._account(request)
        with self._client(request, settings, account, at) as client:
            if account.url is None:
                return self._register(client, request, settings, journal, at)
            issuance = Issuance(client, self._challenges, request, replace(journal, account_url=account.url), at)
            return issuance.go_on()

    def _account(self, request: IssuanceRequest) -> Account:
        """Find the account. A new key is kept before the CA hears of it."""
        place = (request.vault_id, request.issuer, request.account_id)
        found = self._accounts.find(*place)
        return found or self._accounts.keep(*place, Account(generate_key("EC", None, "P-256")))

    @contextmanager
    def _client(
        self, request: IssuanceRequest, settings: AcmeIssuerSettings, account: Account, at: datetime
    ) -> Iterator[AcmeClient]:
        with self._connect(self._rules, settings.ca_bundle, settings.timeout_seconds) as http:
            network = AcmeNetwork(http, account.key, account.url, settings.timeout_seconds)
            client = AcmeClient(request.account_id, network, self._directories.find(request.account_id, at))
            try:
                self._directories.keep(request.account_id, client.directory(), at)
                yield client
            finally:
                network.session.close()

    def _register(
        self, client: AcmeClient, request: IssuanceRequest, settings: AcmeIssuerSettings, journal: Journal, at: datetime
    ) -> Step:
        try:
            binding = read_binding(request.credential) if request.credential else None
        except BadParameter as error:
            return Rejected(ISSUER_ERROR, str(error), configuration=True)
        if client.directory().binding_required and not binding:
            return Rejected(ISSUER_ERROR, BINDING_MISSING, configuration=True)
        url = client.register(settings.contacts, binding)
        self._record_url(request, url)
        step = journal.step or "account"
        return Pending(replace(journal, step=step, account_url=url).show(), at)

    def _record_url(self, request: IssuanceRequest, url: str | None) -> None:
        place = (request.vault_id, request.issuer, request.account_id)
        if account := self._accounts.find(*place):
            self._accounts.update(*place, replace(account, url=url))

    def _after_problem(self, error: AcmeProblem, request: IssuanceRequest, journal: Journal, at: datetime) -> Step:
        problem, text = error.problem, clean(str(error))
        if problem.kind == "accountDoesNotExist":
            self._record_url(request, None)  # the key stays; the account is opened anew, and its orders went with it
            return begin_anew(journal, text, at)
        if problem.status == NOT_FOUND:
            self._directories.forget(request.account_id)
        if problem.passing:
            return Pending(journal.show(), retry_time(problem.retry_after, at), failure=text)
        return verdict([problem])


def _examine(client: AcmeClient, request: IssuanceRequest, found: list[str], *, has_account: bool) -> bool:
    binding = read_binding(request.credential) if request.credential else None
    if has_account:
        client.find_account()
        found.append("The CA knows the account.")
    elif client.directory().binding_required and not binding:
        found.append(BINDING_MISSING)
        return False
    else:
        found.append("There is no account yet: the first issuance opens one.")
    return True
