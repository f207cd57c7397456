"""The DigiCert provider: one order for one operation, step by step, each of which can be taken up by another process."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial

from certworker.crypto.x509 import read_certificate
from certworker.errors import CertworkerError
from certworker.issuers.digicert.attempts import Attempts
from certworker.issuers.digicert.client import DigicertClient
from certworker.issuers.digicert.issuance import CANCELLABLE, NOT_FOUND, Issuance
from certworker.issuers.digicert.journal import Journal
from certworker.issuers.digicert.ordering import DigicertIssuerSettings, organization_of, product_of, tag_of
from certworker.issuers.rest import TROUBLES, Refused, check_base_url, check_header, earliest, time_to_ask_again, trouble_of
from certworker.issuers.wording import ISSUER_ERROR, bad_reason, clean
from certworker.network.egress import EgressRules
from certworker.network.http import Connect, Trust, build_client
from certworker.vault.issuance import Examination, IssuanceRequest, Pending, Rejected, Revocation, Step
from certworker.vault.operations import Progress

WORDS = {
    0: "unspecified",
    1: "key_compromise",
    3: "affiliation_changed",
    4: "superseded",
    5: "cessation_of_operation",
}
"""DigiCert's words for the codes of RFC 5280 section 5.3.1 that a subscriber may give."""
AN_HOUR = timedelta(hours=1)
MOST_EXCHANGES = 30
"""So many times the CA is asked when an order that may be out is to be withdrawn."""


class DigicertProvider:
    """Gets certificates from DigiCert CertCentral. `connect` builds the HTTP client, which lives for one step.

    In the issuer's record `account_id` is the account, the password the API key, and org_details.id the organization.
    """

    def __init__(
        self,
        rules: EgressRules,
        settings_of: Callable[[str], DigicertIssuerSettings],
        connect: Connect | None = None,
    ) -> None:
        self._rules = rules
        self._settings_of = settings_of
        self._connect = connect or partial(build_client, trust=Trust())
        self._attempts = Attempts()

    def step(self, request: IssuanceRequest, progress: Progress | None, at: datetime) -> Step:
        """Go one step on: announce an order, place it, look for it or at it, or download what came of it."""
        settings, journal = self._settings_of(request.issuer), Journal.read(progress)
        if not journal.step and (wrong := _unfit(request, settings)):
            return wrong
        try:
            with self._client(request, settings) as client:
                try:
                    return self._issuance(client, request, settings, journal, at).go_on()
                except (Refused, *TROUBLES) as error:
                    failure, trouble = client.told(error), trouble_of(error)
                    return Pending(journal.show(), earliest(error, at), failure, trouble=trouble)
        except TROUBLES as error:
            return Pending(journal.show(), None, failure=clean(str(error)), trouble=trouble_of(error))

    def cancel(self, request: IssuanceRequest, progress: Progress, at: datetime) -> Pending | None:
        """Cancel the order, once it is found where only its placing is recorded. What is issued already stays so."""
        settings, journal = self._settings_of(request.issuer), Journal.read(progress)
        if journal.step == "ordering" and self._attempts.take(request.operation_id, journal.attempts, at):
            return None  # it was announced, and nobody has placed it
        try:
            with self._client(request, settings) as client:
                try:
                    return self._withdraw(client, request, settings, journal, at)
                except (Refused, *TROUBLES) as error:
                    return Pending(journal.show(), earliest(error, at), failure=client.told(error))
        except TROUBLES as error:
            return Pending(journal.show(), None, failure=clean(str(error)))

    def revoke(self, request: IssuanceRequest, certificate: bytes, reason: int, at: datetime) -> Revocation:
        """Ask for a revocation. Where an administrator must approve it, it is not done until that has happened."""
        if reason not in WORDS:
            return Revocation(done=False, message=bad_reason(reason))
        try:
            serial = read_certificate(certificate).serial
            with self._client(request, self._settings_of(request.issuer)) as client:
                try:
                    return _revoke(client, serial, WORDS[reason], tag_of(request), at)
                except (Refused, *TROUBLES) as error:
                    return Revocation(done=False, message=client.told(error), retry_at=time_to_ask_again(error, at))
        except TROUBLES as error:
            return Revocation(done=False, message=clean(str(error)), retry_at=time_to_ask_again(error, at))

    def examine(self, request: IssuanceRequest, at: datetime) -> Examination:  # noqa: ARG002 - the port's own shape
        """Ask whose the API key is, and for the organization. Nothing is ordered."""
        found: list[str] = []
        try:
            settings = self._settings_of(request.issuer)
            with self._client(request, settings) as client:
                try:
                    return Examination(_examine(client, request, found), tuple(found))
                except (Refused, *TROUBLES) as error:
                    return Examination(passed=False, findings=(*found, client.told(error)))
        except TROUBLES as error:
            return Examination(passed=False, findings=(*found, clean(str(error))))

    @contextmanager
    def _client(self, request: IssuanceRequest, settings: DigicertIssuerSettings) -> Iterator[DigicertClient]:
        url = check_base_url(settings.url, f"issuers.{request.issuer}.url")
        api_key = check_header(request.credential or "", "The issuer's password, which is the API key,")
        with self._connect(self._rules, settings.ca_bundle, settings.timeout_seconds) as http:
            yield DigicertClient(http, url, api_key)

    def _issuance(
        self,
        client: DigicertClient,
        request: IssuanceRequest,
        settings: DigicertIssuerSettings,
        journal: Journal,
        at: datetime,
    ) -> Issuance:
        return Issuance(client, request, settings, journal, self._attempts, at)

    def _withdraw(
        self,
        client: DigicertClient,
        request: IssuanceRequest,
        settings: DigicertIssuerSettings,
        journal: Journal,
        at: datetime,
    ) -> Pending | None:
        for _ in range(MOST_EXCHANGES):
            if journal.step != "ordering":
                break
            found = self._issuance(client, request, settings, journal, at).search()
            if found is None:
                return None
            if isinstance(found, Pending) and found.retry_at is not None and found.retry_at > at:
                return found
            journal = Journal.read(found.progress) if isinstance(found, Pending) else journal.ordered(found.order_id)
        return _cancel(client, journal, tag_of(request)) if journal.step == "ordered" else None


def _unfit(request: IssuanceRequest, settings: DigicertIssuerSettings) -> Rejected | None:
    """Say what is wrong with the set-up before anything is ordered."""
    try:
        check_base_url(settings.url, f"issuers.{request.issuer}.url")
        check_header(request.credential or "", "The issuer's password, which is the API key,")
        product_of(request, settings)
        organization_of(request)
    except CertworkerError as error:
        return Rejected(ISSUER_ERROR, clean(str(error)), configuration=True)
    return None


def _cancel(client: DigicertClient, journal: Journal, note: str) -> Pending | None:
    try:
        client.cancel(journal.order_id, f"{note} was cancelled")
    except Refused as error:
        if error.passing:
            raise
        if client.look(journal.order_id).status in CANCELLABLE:
            return Pending(journal.show(), None, failure=client.told(error))
    return None


def _revoke(client: DigicertClient, serial: str, reason: str, comments: str, at: datetime) -> Revocation:
    try:
        order = client.look(serial)
    except Refused as error:
        if error.status != NOT_FOUND:
            raise
        return Revocation(done=False, message=f"The CA has no order for the certificate with the serial number {serial}.")
    is_current = order.serial == serial
    if is_current and order.status == "revoked":
        return Revocation(done=True)
    waiting = client.revoke(order.certificate_id if is_current and order.certificate_id else serial, reason, comments)
    if waiting is None:
        return Revocation(done=True)
    text = f"The CA has taken the request {waiting} to revoke, which waits for an administrator's approval there."
    return Revocation(done=False, message=text, retry_at=at + AN_HOUR)


def _examine(client: DigicertClient, request: IssuanceRequest, found: list[str]) -> bool:
    account_id = client.account_id()
    found.append(f"The API key is one of the account {account_id}.")
    if request.account_id and request.account_id != account_id:
        found.append(f"The issuer's account is another: {request.account_id[:40]}.")
        return False
    organization_id = organization_of(request)
    if not organization_id:
        found.append("The issuer's record has no organization (org_details.id): only products without one can be ordered.")
        return True
    name, is_active = client.organization(organization_id)
    found.append(f"The organization {organization_id} is {name}{'' if is_active else ', which is not active'}.")
    return is_active
