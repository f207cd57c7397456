"""The ACME provider: one issuance, step by step, each of which can be taken up by another process.

Before anything else a step looks at the order, because the journal may be behind the CA: a process may have been killed
between the CA's answer and the recording of it. What the order's status says is what is done next, so an order is never
finalized twice, and none is placed while one can be gone on with.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial

from certworker.crypto.keys import generate_key
from certworker.errors import BadParameter, CertworkerError, SettingsError
from certworker.issuers.acme.accounts import (
    DEACTIVATED,
    NO_ACCOUNT,
    AcmeAccounts,
    Dial,
    Told,
    tell_contacts,
    why_deactivated,
)
from certworker.issuers.acme.client import AcmeClient, read_binding, urls_of
from certworker.issuers.acme.directories import Directories
from certworker.issuers.acme.issuance import Issuance, begin_anew
from certworker.issuers.acme.journal import Journal
from certworker.issuers.acme.nonces import SpareNonces
from certworker.issuers.acme.ordering import unknown_profile
from certworker.issuers.acme.problems import (
    ISSUER_ERROR,
    NOT_FOUND,
    AcmeProblem,
    Garbled,
    NotOffered,
    clean,
    retry_time,
    verdict,
)
from certworker.issuers.acme.proofs import Proofs
from certworker.issuers.acme.renewal_info import ask, why_not
from certworker.issuers.acme.session import AcmeNetwork
from certworker.issuers.acme.solver_choice import ChallengeSettings, choose_solver
from certworker.issuers.rest import trouble_of
from certworker.issuers.wording import REASONS, bad_reason
from certworker.network.egress import EgressRefused, EgressRules, Unreachable
from certworker.network.http import Connect, Trust, build_client
from certworker.vault.issuance import (
    Account,
    AccountBook,
    Advice,
    ChallengeBoard,
    Examination,
    IssuanceRequest,
    KeyRoll,
    NoAdvice,
    Pending,
    Rejected,
    Revocation,
    Step,
)
from certworker.vault.operations import Progress

_log = logging.getLogger(__name__)

TROUBLES = (Garbled, NotOffered, Unreachable, EgressRefused, SettingsError)
"""What goes wrong on the way to a CA, and is no word of its own."""

A_WHILE = timedelta(minutes=1)
"""When to ask a CA again that does not say."""

EXCHANGE = timedelta(seconds=40)
"""How long one exchange may take: a step asks for 75 seconds at the longest, and its lease must not run out under the last."""

BINDING_MISSING = "The CA asks for an external account: the issuer's password must be its kid:hmac."


@dataclass(frozen=True, slots=True)
class AcmeIssuerSettings:
    """The settings of one ACME issuer. `ca_bundle` is a PEM file that takes the place of the public authorities.

    `contacts` are mail addresses or URLs; `timeout_seconds` is for each wait for the CA. `preferred_chain` is the common name
    of the topmost issuer that is wished for; empty for the CA's default.
    """

    ca_bundle: str | None = None
    challenge: ChallengeSettings = field(default_factory=ChallengeSettings)
    contacts: tuple[str, ...] = ()
    timeout_seconds: float = 10.0
    preferred_chain: str = ""


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
        self._accounts = AcmeAccounts(accounts)
        self._challenges = challenges
        self._rules = replace(rules, total=min(rules.total, EXCHANGE))
        self._settings_of = settings_of
        self._connect = connect or partial(build_client, trust=Trust())
        self._directories, self._nonces = Directories(), SpareNonces()

    def step(self, request: IssuanceRequest, progress: Progress | None, at: datetime) -> Step:
        """Go one step on: an account, an order, a few challenges, a look, a finalization, or the download."""
        settings = self._settings_of(request.issuer)
        step = self._attempt(request, settings, Journal.read(progress), at)
        if isinstance(step, Rejected):
            self._take_proofs_down(request, settings, at)
        return step

    def _attempt(self, request: IssuanceRequest, settings: AcmeIssuerSettings, journal: Journal, at: datetime) -> Step:
        try:
            return self._step(request, settings, journal, at)
        except AcmeProblem as error:
            return self._after_problem(error, request, settings, journal, at)
        except TROUBLES as error:
            retry_at, failure = self._retry_time(error, request, at), clean(str(error))
            return Pending(journal.show(), retry_at, failure, trouble=trouble_of(error))

    def _proofs(self, request: IssuanceRequest, settings: AcmeIssuerSettings) -> Proofs:
        solver = choose_solver(settings.challenge, self._challenges, self._rules)
        return Proofs(solver, self._challenges, request.operation_id)

    def _take_proofs_down(self, request: IssuanceRequest, settings: AcmeIssuerSettings, at: datetime) -> None:
        try:
            self._proofs(request, settings).take_all_down(at)
        except SettingsError as error:
            _log.warning("What was put up for the operation %s stays there: %s", request.operation_id, error)

    def cancel(self, request: IssuanceRequest, progress: Progress, at: datetime) -> Pending | None:
        """Give up the authorizations that are pending, and take the responses down. What fails runs out by itself."""
        settings, journal = self._settings_of(request.issuer), Journal.read(progress)
        self._take_proofs_down(request, settings, at)
        account = self._accounts.find(request)
        if account is None or account.url is None or not journal.order_url:
            return None
        with suppress(AcmeProblem, *TROUBLES), self._client(request, settings, account, at) as client:
            Issuance(client, self._proofs(request, settings), request, journal, at).withdraw()
        return None

    def revoke(self, request: IssuanceRequest, certificate: bytes, reason: int, at: datetime) -> Revocation:
        """Ask for a revocation as the account that the certificate was issued to (RFC 8555 section 7.6)."""
        if reason not in REASONS:
            return Revocation(done=False, message=bad_reason(reason))
        settings = self._settings_of(request.issuer)
        try:
            account = self._accounts.settled(request, self._dial(request, settings, at), at)
            if account.url is None:
                return Revocation(done=False, message=NO_ACCOUNT)
            with self._client(request, settings, account, at) as client:
                client.revoke(certificate, reason)
        except AcmeProblem as error:
            if error.problem.kind == "alreadyRevoked":
                return Revocation(done=True)
            return Revocation(done=False, message=clean(str(error)), retry_at=self._time_to_ask_again(error, request, at))
        except TROUBLES as error:
            return Revocation(done=False, message=clean(str(error)), retry_at=self._time_to_ask_again(error, request, at))
        return Revocation(done=True)

    def roll_key(self, request: IssuanceRequest, at: datetime) -> KeyRoll:
        """Exchange the account's key (RFC 8555 section 7.3.5)."""
        try:
            return self._accounts.roll(request, self._dial(request, self._settings_of(request.issuer), at), at)
        except (AcmeProblem, *TROUBLES) as error:
            return KeyRoll(done=False, message=clean(str(error)), retry_at=self._time_to_ask_again(error, request, at))

    def advise(self, request: IssuanceRequest, certificate: bytes, at: datetime) -> Advice | NoAdvice:
        """Ask when the CA wants a certificate to be renewed (RFC 9773 section 4), without a signature."""
        settings = self._settings_of(request.issuer)
        try:
            with self._connect(self._rules, settings.ca_bundle, settings.timeout_seconds) as http:
                return ask(http, request.account_id, certificate, self._directories, at)
        except (AcmeProblem, *TROUBLES, BadParameter) as error:
            if not isinstance(error, Unreachable):
                # it may be the directory that led there
                self._directories.forget(request.account_id)
            return why_not(error, at)

    def examine(self, request: IssuanceRequest, at: datetime) -> Examination:
        """Read the directory anew; look at the binding, and at the account where there is one. No account is opened."""
        settings, found = self._settings_of(request.issuer), list[str]()
        self._directories.forget(request.account_id)
        try:
            known = self._accounts.find(request)
            if known and known.url:
                known = self._accounts.settled(request, self._dial(request, settings, at), at)
            account = known or Account(generate_key("EC", None, "P-256"))
            choose_solver(settings.challenge, self._challenges, self._rules)  # whether its settings can be used
            # without its URL, so that requests are signed as RFC 8555 section 7.3.1 wants it
            with self._client(request, settings, replace(account, url=None), at) as client:
                found.append("The CA's directory was read.")
                passed = _examine(client, request, found, has_account=bool(known and known.url))
                if known and (refused := Told.read(known).refused):
                    found.append(f"The CA does not take the contacts that are set: {refused}")
        except (AcmeProblem, Garbled, Unreachable, EgressRefused, SettingsError, BadParameter) as error:
            return Examination(passed=False, findings=(*found, clean(str(error))))
        return Examination(passed, tuple(found))

    def _step(self, request: IssuanceRequest, settings: AcmeIssuerSettings, journal: Journal, at: datetime) -> Step:
        """Take a step. What is refused is asked for again where the account's key was exchanged meanwhile."""
        dial = self._dial(request, settings, at)
        account = self._accounts.settled(request, dial, at)
        try:
            with dial(account) as client:
                result = self._go_on(client, request, settings, account, journal, at)
        except AcmeProblem as error:
            if error.problem.passing or self._accounts.settled(request, dial, at).key == account.key:
                raise
            return Pending(journal.show(), at)
        if _gives_up(result, journal) and self._accounts.settled(request, dial, at).key != account.key:
            return Pending(journal.show(), at)
        return result

    def _go_on(
        self,
        client: AcmeClient,
        request: IssuanceRequest,
        settings: AcmeIssuerSettings,
        account: Account,
        journal: Journal,
        at: datetime,
    ) -> Step:
        if account.url is None:
            return self._register(client, request, settings, journal, at)
        journal = replace(journal, account_url=account.url).under_key(client.thumbprint())
        if not journal.order_url:
            told = Told.read(account)
            if told.is_behind(settings.contacts):
                self._accounts.record(request, account.url, tell_contacts(client, account.url, settings.contacts))
                return Pending(replace(journal, step=journal.step or "account").show(), at)
            if refused := unknown_profile(client, request):
                self._directories.forget(request.account_id)
                return refused
        return Issuance(client, self._proofs(request, settings), request, journal, at, settings.preferred_chain).go_on()

    def _dial(self, request: IssuanceRequest, settings: AcmeIssuerSettings, at: datetime) -> Dial:
        return lambda account: self._client(request, settings, account, at)

    @contextmanager
    def _client(
        self, request: IssuanceRequest, settings: AcmeIssuerSettings, account: Account, at: datetime
    ) -> Iterator[AcmeClient]:
        with self._connect(self._rules, settings.ca_bundle, settings.timeout_seconds) as http:
            nonce = self._nonces.take(request.account_id, at)
            network = AcmeNetwork(http, account.key, account.url, settings.timeout_seconds, nonce)
            client = AcmeClient(request.account_id, network, self._directories.find(request.account_id, at))
            try:
                self._directories.keep(request.account_id, client.directory(), at)
                yield client
            finally:
                self._nonces.keep(request.account_id, network.spare_nonces, at)
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
        known = client.register(settings.contacts, binding)
        # what an account that was there already was told is not known
        told = Told(tuple(urls_of(settings.contacts))) if known.created else Told()
        self._accounts.record(request, known.url, told)
        step = journal.step or "account"
        return Pending(replace(journal, step=step, account_url=known.url).show(), at)

    def _after_problem(
        self, error: AcmeProblem, request: IssuanceRequest, settings: AcmeIssuerSettings, journal: Journal, at: datetime
    ) -> Step:
        problem, text = error.problem, clean(str(error))
        if problem.kind == "accountDoesNotExist":
            # the key stays; the account is opened anew, and its orders went with it
            self._accounts.record(request, None, Told())
            return begin_anew(journal, text, at)
        if problem.status == NOT_FOUND:
            self._directories.forget(request.account_id)
        if problem.passing:
            return Pending(journal.show(), retry_time(problem.retry_after, at), text, trouble=problem.trouble)
        if problem.kind == "unauthorized" and (closed := self._why_closed(request, settings, at)):
            return Rejected(ISSUER_ERROR, closed, configuration=True)
        return verdict([problem])

    def _why_closed(self, request: IssuanceRequest, settings: AcmeIssuerSettings, at: datetime) -> str | None:
        account = self._accounts.find(request)
        if account is None or account.url is None:
            return None
        with suppress(*TROUBLES):
            return why_deactivated(account, self._dial(request, settings, at))
        return None

    def _retry_time(self, error: CertworkerError, request: IssuanceRequest, at: datetime) -> datetime | None:
        """Tell when a CA that is in trouble wants to be asked again; its directory is read anew after what makes no sense."""
        if isinstance(error, AcmeProblem):
            return retry_time(error.problem.retry_after, at)
        if isinstance(error, Garbled):
            self._directories.forget(request.account_id)
            return retry_time(error.retry_header, at)
        return None

    def _time_to_ask_again(self, error: CertworkerError, request: IssuanceRequest, at: datetime) -> datetime | None:
        """Tell when somebody who waits may ask again; none where it would change nothing."""
        if isinstance(error, NotOffered | SettingsError) or (isinstance(error, AcmeProblem) and not error.problem.passing):
            return None
        return self._retry_time(error, request, at) or at + A_WHILE


def _gives_up(result: Step, journal: Journal) -> bool:
    """Whether a step ends the issuance, or its order, or takes it for gone."""
    if isinstance(result, Pending):
        found = Journal.read(result.progress)
        return found.restarts > journal.restarts or found.missing > journal.missing
    return isinstance(result, Rejected)


def _examine(client: AcmeClient, request: IssuanceRequest, found: list[str], *, has_account: bool) -> bool:
    binding = read_binding(request.credential) if request.credential else None
    if has_account:
        status = client.find_account().status
        found.append("The CA knows the account." if status == "valid" else DEACTIVATED.format(status=status))
        return status == "valid"
    if client.directory().binding_required and not binding:
        found.append(BINDING_MISSING)
        return False
    found.append("There is no account yet: the first issuance opens one.")
    return True
