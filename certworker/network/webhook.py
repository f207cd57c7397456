"""Notices over HTTP: CloudEvents or Event Grid's schema, signed, to endpoints that have said that they want them."""

import hmac
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus
from types import MappingProxyType
from typing import Final, Literal

import httpx

from certworker.crypto.webhook_signatures import sign
from certworker.errors import CertworkerError
from certworker.network.egress import EgressRules
from certworker.network.http import EgressClient, Trust, build_client, read_body
from certworker.network.retry_after import retry_time
from certworker.settings import WebhookSettings
from certworker.vault.notification.cloud_events import Parcel, Source, binary, event_grid, event_grid_validation, structured
from certworker.vault.notification.consents import endpoint_key
from certworker.vault.notification.message import Delivery, Message
from certworker.vault.store import Store

ANSWER_BYTES: Final = 64 * 1024
ORIGIN: Final = "WebHook-Request-Origin"
ALLOWED: Final = "WebHook-Allowed-Origin"
HOPELESS: Final = frozenset({HTTPStatus.GONE, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNSUPPORTED_MEDIA_TYPE})
"""The same message would be answered so again."""

_FORMS: Final[Mapping[tuple[str, str], Callable[[Message, Source], Parcel]]] = MappingProxyType(
    {
        ("cloudevents", "structured"): structured,
        ("cloudevents", "binary"): binary,
        ("eventgrid", "structured"): event_grid,
    }
)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a webhook goes. `secrets` reads what signs its messages; it is read each time, so that it can be changed."""

    settings: WebhookSettings
    secrets: Callable[[], tuple[bytes, ...]] = field(default=tuple, repr=False)

    @property
    def host(self) -> str:
        """The host: all of the URL that may be shown."""
        return httpx.URL(self.settings.url).host

    @property
    def handshake(self) -> Literal["cloudevents", "eventgrid"]:
        """How it is asked whether it wants to be told."""
        return self.settings.format

    @property
    def key(self) -> str:
        """Its name among the consents."""
        return endpoint_key(self.handshake, self.settings.url)


class Webhooks:
    """The channel `webhook`, whose addresses are the names of webhooks in the settings.

    `origin` is the DNS name by which this deployment asks and tells. What an endpoint answers counts by its status alone.
    """

    def __init__(
        self,
        endpoints: Mapping[str, Endpoint],
        store: Store,
        allow_private: tuple[str, ...],
        origin: str,
        vault_suffix: str,
        trust: Trust | None = None,
    ) -> None:
        self._endpoints = endpoints
        self._store = store
        self._allow_private = allow_private
        self._origin = origin
        self._vault_suffix = vault_suffix
        self._trust = trust or Trust()

    def deliver(self, message: Message, at: datetime) -> Delivery:
        """Tell an endpoint, once it has said that it wants to be told."""
        endpoint = self._endpoints.get(message.to)
        if endpoint is None:
            return Delivery(done=False, message=f"The settings have no webhook {message.to!r} any more.", final=True)
        try:
            with self._open(endpoint) as client:
                source = self._source(message)
                if refusal := self._ask(client, endpoint, source, at):
                    return refusal
                return self._send(client, endpoint, message, source, at)
        except CertworkerError as error:
            return Delivery(done=False, message=str(error))

    def _open(self, endpoint: Endpoint) -> EgressClient:
        settings = endpoint.settings
        total = timedelta(seconds=settings.timeout_seconds)
        rules = EgressRules(self._allow_private, ANSWER_BYTES, total, redirects=0)
        return build_client(rules, settings.ca_bundle, settings.timeout_seconds, self._trust)

    def _source(self, message: Message) -> Source:
        with self._store.reading() as reader:
            return Source(reader.vault_by_name(message.vault) if message.vault else None, self._vault_suffix)

    def _send(self, client: EgressClient, endpoint: Endpoint, message: Message, source: Source, at: datetime) -> Delivery:
        parcel = _FORMS[endpoint.settings.format, endpoint.settings.mode](message, source)
        headers = {**parcel.headers, ORIGIN: self._origin, **_signed(endpoint, message.id, parcel.body, at)}
        request = client.build_request("POST", endpoint.settings.url, content=parcel.body, headers=headers)
        response = client.send(request, stream=True, follow_redirects=False)
        response.close()
        if response.status_code == HTTPStatus.GONE:
            with self._store.writing() as writer:
                writer.delete_consent(endpoint.key)
        return _judge(endpoint, response, at)

    def _ask(self, client: EgressClient, endpoint: Endpoint, source: Source, at: datetime) -> Delivery | None:
        """Ask an endpoint whether it wants to be told, unless it has said so; give what stands against it."""
        if not endpoint.settings.handshake:
            return None
        with self._store.reading() as reader:
            if reader.consent(endpoint.key):
                return None
        ask = _ask_by_event if endpoint.handshake == "eventgrid" else self._ask_by_options
        response, agreed, wanted = ask(client, endpoint, source, at)
        if not agreed:
            text = f"{endpoint.host} has not agreed to be told: its answer ({response.status_code}) has no {wanted}."
            return Delivery(done=False, message=text, retry_at=_retry_at(response, at))
        with self._store.writing() as writer:
            writer.put_consent(endpoint.key, at)
        return None

    def _ask_by_options(
        self, client: EgressClient, endpoint: Endpoint, _source: Source, _at: datetime
    ) -> tuple[httpx.Response, bool, str]:
        """Ask as CloudEvents do (HTTP 1.1 Web Hooks section 4): the header counts, not the status."""
        request = client.build_request("OPTIONS", endpoint.settings.url, headers={ORIGIN: self._origin})
        response = client.send(request, stream=True, follow_redirects=False)
        response.close()
        allowed = response.headers.get(ALLOWED, "").strip().casefold()
        return response, allowed in ("*", self._origin.casefold()), f"{ALLOWED}: {self._origin}"


def _ask_by_event(client: EgressClient, endpoint: Endpoint, source: Source, at: datetime) -> tuple[httpx.Response, bool, str]:
    """Ask as Event Grid does: the endpoint shows by a code that it has read the question."""
    code, event_id = secrets.token_hex(16), secrets.token_hex(16)
    parcel = event_grid_validation(event_id, code, source, at)
    headers = {**parcel.headers, **_signed(endpoint, event_id, parcel.body, at)}
    request = client.build_request("POST", endpoint.settings.url, content=parcel.body, headers=headers)
    response = client.send(request, stream=True, follow_redirects=False)
    try:
        answered = _validation_response(read_body(response, ANSWER_BYTES)) if response.is_success else ""
    finally:
        response.close()
    return response, hmac.compare_digest(answered.encode(), code.encode()), "validationResponse with the code that was sent"


def _validation_response(body: bytes) -> str:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    found = answer.get("validationResponse") if isinstance(answer, dict) else None
    return found if isinstance(found, str) and found.isascii() else ""


def _signed(endpoint: Endpoint, message_id: str, body: bytes, at: datetime) -> dict[str, str]:
    """Make the headers by which the endpoint knows who has sent it, and when (Standard Webhooks)."""
    timestamp = int(at.timestamp())
    headers = {"webhook-id": message_id, "webhook-timestamp": str(timestamp)}
    if found := endpoint.secrets():
        headers["webhook-signature"] = sign(found, message_id, timestamp, body)
    return headers


def _judge(endpoint: Endpoint, response: httpx.Response, at: datetime) -> Delivery:
    if response.is_success:
        return Delivery(done=True)
    if response.is_redirect:
        text = f"{endpoint.host} is elsewhere (HTTP status {response.status_code}); that is not followed: set its new url."
        return Delivery(done=False, message=text)
    text = f"{endpoint.host} answered with HTTP status {response.status_code}."
    return Delivery(done=False, message=text, retry_at=_retry_at(response, at), final=response.status_code in HOPELESS)


def _retry_at(response: httpx.Response, at: datetime) -> datetime | None:
    return retry_time(response.headers.get("retry-after"), at)
