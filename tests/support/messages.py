"""Messages to hand to channels."""

from dataclasses import replace
from datetime import UTC, datetime

from certworker.vault.notification.message import Message, Severity, Topic
from certworker.vault.objects import ObjectKind

AT = datetime(2026, 11, 22, 7, tzinfo=UTC)
SUFFIX = "vault.example.test"
VERSION = "0123456789abcdef0123456789abcdef"
FACTS = {"issuer": "some-ca", "nbf": "1790000000", "exp": "1796000000"}


def a_message(topic: Topic = Topic.NEAR_EXPIRY, to: str = "ada@example.test", **changes: object) -> Message:
    """Make a message about a certificate, with what is to be otherwise."""
    kind = ObjectKind.CERTIFICATE
    message = Message("4f2c9e", topic, Severity.WARNING, AT, "contoso", kind, "www-shop", VERSION, to, FACTS)
    return replace(message, **changes)  # type: ignore[arg-type]
