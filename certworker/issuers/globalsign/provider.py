"""The provider of GlobalSign Atlas: what the house asks of it, and how it comes to the CA."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta

from certworker.crypto.x509 import read_certificate
from certworker.errors import SettingsError
from certworker.issuers.globalsign.client import AtlasClient, Fetched, Login, Remembered
from certworker.issuers.globalsign.issuance import FAILURES, Intents, Issuance
from certworker.issuers.globalsign.journal import Journal
from certworker.issuers.globalsign.memory import Memory
from certworker.issuers.globalsign.search import Keys
from certworker.issuers.globalsign.settings import GlobalsignIssuerSettings
from certworker.issuers.rest import (
    TROUBLES,
    Refused,
    RestClient,
    check_base_url,
    earliest,
    time_to_ask_again,
    trouble_of,
)
from certworker.issuers.wording import REASONS, bad_reason
from certworker.network.egress import EgressRules, Unreachable
from certworker.network.http import EgressClient, Trust, build_client
from certworker.vault.client_certificates import ClientCertificate
from certworker.vault.issuance import Examination, IssuanceRequest, Pending, Revocation, Step
from certworker.vault.operations import Progress

AtlasConnect = Callable[[EgressRules, str | None, float, ClientCertificate | None], EgressClient]
"""Builds an HTTP client from the rules, a CA bundle, the seconds for each wait, and what is presented in TLS."""

NOT_WANTED = REASONS[5]
"""Why a certificate is revoked whose operation was cancelled."""
EXCHANGE = timedelta(seconds=20)
"""How long one exchange may take: a step makes up to eight, and its lease must not run out under it."""
CLOSED = "In TLS, a CA closes the connection to who is not let in: check the client certificate that the settings name."
CREDENTIALS_MISSING = "The issuer's credentials are missing: account_id is the API key, and the password the API secret."


class GlobalsignProvider:
    """Gets certificates from GlobalSign Atlas. `present` finds the client certificate at a place that a setting names."""

    def __init__(
        self,
        rules: EgressRules,
        settings_of: Callable[[str], GlobalsignIssuerSettings],
        present: Callable[[str, str], ClientCertificate],
        connect: AtlasConnect | None = None,
    ) -> None:
        self._rules = replace(rules, total=min(rules.total, EXCHANGE))
        self._settings_of = settings_of
        self._present = present
        self._connect = connect or _over_the_network(Trust())
        self._remembered = Remembered()
        self._intents: Intents = Memory(10_000)
        self._keys: Keys = Memory(10_000)

    def step(self, request: IssuanceRequest, progress: Progress | None, at: datetime) -> Step:
        """Go one step on: the record of a request, the request, a look for what came of it, or the download."""
        journal = Journal.read(progress)
        try:
            with self._client(request, at) as client:
                return Issuance(client, request, self._intents, self._keys, at).go_on(journal)
        except TROUBLES as error:
            return Pending(journal.show(), earliest(error, at), failure=str(error), trouble=trouble_of(error))

    def cancel(self, request: IssuanceRequest, progress: Progress, at: datetime) -> Pending | None:
        """Revoke what was issued, since its key is given up with the operation; nothing ever waits at Atlas.

        What was not heard of is looked for as long as the CA's statistics may take to tell of it.
        """
        journal = Journal.read(progress)
        if not journal.step or (journal.step == "ordering" and self._intents.take(journal.intent)):
            return None
        try:
            with self._client(request, at) as client:
                return self._withdraw(client, request, journal, at)
        except TROUBLES as error:
            return Pending(journal.show(), earliest(error, at), failure=str(error))

    def _withdraw(self, client: AtlasClient, request: IssuanceRequest, journal: Journal, at: datetime) -> Pending | None:
        try:
            found = Issuance(client, request, self._intents, self._keys, at).withdraw(journal)
        except FAILURES as error:
            return Pending(journal.show(), earliest(error, at), failure=client.told(error))
        if not isinstance(found, str):
            return found
        revoked = _revoke(client, found, NOT_WANTED, at)
        return None if revoked.done else Pending(journal.ordered(found).show(), revoked.retry_at, failure=revoked.message)

    def revoke(self, request: IssuanceRequest, certificate: bytes, reason: int, at: datetime) -> Revocation:
        """Ask for a revocation by the serial number, as the account that the certificate was issued to."""
        word = REASONS.get(reason)
        if word is None:
            return Revocation(done=False, message=bad_reason(reason))
        try:
            with self._client(request, at) as client:
                return _revoke(client, read_certificate(certificate).serial.upper(), word, at)
        except TROUBLES as error:
            return Revocation(done=False, message=str(error), retry_at=time_to_ask_again(error, at))

    def examine(self, request: IssuanceRequest, at: datetime) -> Examination:
        """Log in, and look at the account's policy, quota and claims. Which names will be asked for is not known."""
        found: list[str] = []
        try:
            with self._client(request, at) as client:
                return _examine(client, found)
        except TROUBLES as error:
            return Examination(passed=False, findings=(*found, str(error)))

    @contextmanager
    def _client(self, request: IssuanceRequest, at: datetime) -> Iterator[AtlasClient]:
        """Build a client. Raises SettingsError."""
        settings = self._settings_of(request.issuer)
        where = f"issuers.{request.issuer}"
        url = check_base_url(settings.url, f"{where}.url")
        secret = request.credential or ""
        if not request.account_id or not secret:
            raise SettingsError(CREDENTIALS_MISSING)
        place = settings.client_certificate
        presents = self._present(place, f"{where}.client_certificate") if place else None
        login = Login(url, request.account_id, secret, presents.version if presents else "")
        with self._connect(self._rules, settings.ca_bundle, settings.timeout_seconds, presents) as http:
            yield AtlasClient(RestClient(http, url, {}, [secret]), login, self._remembered, at)


def _over_the_network(trust: Trust) -> AtlasConnect:
    def connect(
        rules: EgressRules, ca_bundle: str | None, timeout_seconds: float, presents: ClientCertificate | None
    ) -> EgressClient:
        return build_client(rules, ca_bundle, timeout_seconds, trust, presents)

    return connect


def _revoke(client: AtlasClient, serial: str, word: str, at: datetime) -> Revocation:
    try:
        try:
            client.revoke(serial, word)
        except Refused as error:
            if error.passing or not _is_revoked(client, serial):
                raise
    except FAILURES as error:
        return Revocation(done=False, message=client.told(error), retry_at=time_to_ask_again(error, at))
    return Revocation(done=True)


def _is_revoked(client: AtlasClient, serial: str) -> bool:
    fetched = client.fetch(serial)
    return isinstance(fetched, Fetched) and fetched.status == "REVOKED"


def _examine(client: AtlasClient, found: list[str]) -> Examination:
    client.forget()
    try:
        client.log_in()
        found.append("The CA takes the API key and the client certificate.")
        policy = client.policy()
        form = "a signing request" if policy.wants_csr else "a signed public key" if policy.wants_signature else "a public key"
        found.append(f"Its validation policy wants {form}, and allows a validity of {policy.days} days.")
        left = client.number("/quotas/issuance")
        found.append(f"The account may have {left} more certificates issued.")
        claims = client.verified_claims()
        found.append(f"The account has {claims} verified domain claims; whether they cover a name shows when it is asked for.")
    except FAILURES as error:
        hint = [CLOSED] if isinstance(error, Unreachable) and not found else []
        return Examination(passed=False, findings=(*found, client.told(error), *hint))
    return Examination(left > 0, tuple(found))
