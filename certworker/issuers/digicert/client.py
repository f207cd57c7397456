"""The requests of one account of the Services API, each a single exchange."""

from collections.abc import Mapping
from typing import Any

from certworker.crypto.x509 import split_pem
from certworker.errors import BadParameter, CertworkerError
from certworker.issuers.digicert.resources import (
    Listed,
    OrderInfo,
    Placed,
    read_account_id,
    read_errors,
    read_list,
    read_order,
    read_organization,
    read_placed,
    read_request_id,
)
from certworker.issuers.rest import Answer, RestClient
from certworker.network.http import EgressClient

API_KEY = "X-DC-DEVKEY"
PAGE = 100
"""So many orders are asked for at once when one is looked for."""
CREATED = 201


class Unreadable(CertworkerError):
    """What was downloaded is no chain of certificates."""

    code = "unreadable_certificate"


class DigicertClient:
    """What one account asks.

    Raises Refused where the CA says no, Garbled where its answer makes no sense, and the errors of `network/egress.py`.
    """

    def __init__(self, http: EgressClient, url: str, api_key: str) -> None:
        self._rest = RestClient(http, url, {API_KEY: api_key}, [api_key])

    def told(self, error: CertworkerError) -> str:
        """Say what went wrong in words that are fit for a journal."""
        return self._rest.told(error)

    def place(self, product: str, body: Mapping[str, Any]) -> Placed:
        """Place an order."""
        return read_placed(self._asked("POST", f"/order/certificate/{product}", body))

    def find_orders(self, common_name: str, offset: int) -> list[Listed]:
        """List a page of the orders for a common name, the newest first."""
        query = {"filters[common_name]": common_name, "sort": "-order_id", "limit": str(PAGE), "offset": str(offset)}
        return read_list(self._asked("GET", "/order/certificate", query=query))

    def look(self, order: str) -> OrderInfo:
        """Look at an order, by its id or by the serial number of its certificate."""
        return read_order(self._asked("GET", f"/order/certificate/{order}"))

    def download(self, certificate_id: str) -> tuple[bytes, ...]:
        """Download a certificate with its chain, each DER, the leaf first. Raises Unreadable too."""
        answer = self._asked("GET", f"/certificate/{certificate_id}/download/format/pem_all", accept="*/*")
        return read_chain(answer.content)

    def cancel(self, order_id: str, note: str) -> None:
        """Cancel an order that has no certificate yet."""
        self._asked("PUT", f"/order/certificate/{order_id}/status", {"status": "CANCELED", "note": note})

    def revoke(self, certificate: str, reason: str, comments: str) -> str | None:
        """Revoke a certificate by its id or serial number; give the request that an administrator must approve, if any."""
        body = {"revocation_reason": reason, "comments": comments, "skip_approval": True}
        answer = self._asked("PUT", f"/certificate/{certificate}/revoke", body)
        return read_request_id(answer) if answer.status == CREATED else None

    def account_id(self) -> str:
        """Ask whose the API key is."""
        return read_account_id(self._asked("GET", "/user/me"))

    def organization(self, organization_id: str) -> tuple[str, bool]:
        """Ask for an organization's name, and whether it is active."""
        return read_organization(self._asked("GET", f"/organization/{organization_id}"))

    def _asked(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
        accept: str = "application/json",
    ) -> Answer:
        answer = self._rest.ask(method, path, body, query, {"Accept": accept})
        if not answer.ok:
            raise answer.refusal(read_errors(answer))
        return answer


def read_chain(pem: bytes) -> tuple[bytes, ...]:
    """Read a chain in PEM. Raises Unreadable."""
    try:
        return split_pem(pem)
    except BadParameter as error:
        raise Unreadable("What the CA sent for the certificate cannot be read: it is no chain in PEM.") from error
