"""[webhooks.NAME]: endpoints that are told over HTTP."""

from ipaddress import ip_address
from pathlib import Path
from typing import Literal, Self
from urllib.parse import SplitResult, urlsplit

from pydantic import Field, model_validator

from certworker.settings.listener import Listener
from certworker.settings.section import is_host


class WebhookSettings(Listener):
    """[webhooks.NAME]: endpoints that are told over HTTP, by a name of their own."""

    # what is behind the host may be a password: it is shown nowhere
    url: str = Field("", repr=False, description="https URL of the endpoint; http for loopback only")
    format: Literal["cloudevents", "eventgrid"] = Field(
        "cloudevents", description="cloudevents (CloudEvents 1.0) or eventgrid (the older schema of Azure Event Grid)"
    )
    mode: Literal["structured", "binary"] = Field(
        "structured", description="of cloudevents: structured, all in the body, or binary, with its attributes in headers"
    )
    secret_file: Path | None = Field(
        None,
        description="file (mode 0600) with whsec_... that signs messages; a second line signs too, for a change of secrets",
    )
    handshake: bool = Field(
        default=True, description="ask the endpoint first whether it wants to be told; without it you answer for that"
    )
    ca_bundle: Path | None = Field(None, description="PEM file of roots that the endpoint's certificate is checked by")
    timeout_seconds: float = Field(15.0, gt=0, le=60, description="seconds that one request may take")

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if not _is_url(self.url):
            raise ValueError("url is not an https URL without a user, such as https://hooks.example.com/certworker")
        if self.format == "eventgrid" and self.mode == "binary":
            raise ValueError("mode binary goes with format cloudevents")
        return self


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return False
    if (
        not is_host(parts.hostname or "")
        or parts.fragment
        or "@" in parts.netloc
        or not (text.isascii() and text.isprintable())
    ):
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts))


def _is_loopback(parts: SplitResult) -> bool:
    host = parts.hostname or ""
    try:
        return host == "localhost" or host.endswith(".localhost") or ip_address(host).is_loopback
    except ValueError:
        return False
