"""Notices over HTTP: forms, signatures, handshakes, and what an answer comes to. Against real receivers on loopback."""

import socket
import time
from collections.abc import Iterator
from datetime import timedelta
from email.utils import format_datetime
from functools import cache

import pytest

from certworker.crypto.webhook_signatures import read_secrets
from certworker.errors import BadParameter
from certworker.network.http import Trust
from certworker.network.webhook import ANSWER_BYTES, Endpoint, Webhooks
from certworker.settings import WebhookSettings
from certworker.vault.notification.message import Delivery, Message, Severity, Topic
from certworker.vault.objects import ObjectKind
from certworker.vault.store import Store
from tests.network.receivers import Receiver, is_signed, receiving
from tests.network.relays import talking
from tests.support.clock import FakeClock
from tests.support.deployment import open_deployment
from tests.support.heard import hearing
from tests.support.messages import AT, SUFFIX, VERSION, a_message

NAME, ORIGIN = "team", "vault.example.test"
SECRET = "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo="
NEXT_SECRET = "whsec_" + "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Open a deployment's store, with the vault contoso."""
    with open_deployment(tmp_path_factory.mktemp("deployment"), FakeClock()) as deployment:
        yield deployment.house.store


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Run a receiver that does as it should."""
    with receiving(Receiver()) as found:
        yield found


@cache
def trust() -> Trust:
    """Load the public authorities once."""
    return Trust()


def webhooks(store: Store, port: int, secrets: str = "", path: str = "/hook", **settings: object) -> Webhooks:
    """Make the channel with one webhook, at a port of loopback."""
    given = {"url": f"http://localhost:{port}{path}", "timeout_seconds": 5.0, **settings}
    endpoint = Endpoint(WebhookSettings.model_validate(given), lambda: read_secrets(secrets) if secrets else ())
    return Webhooks({NAME: endpoint}, store, ("localhost",), ORIGIN, SUFFIX, trust())


def deliver(store: Store, port: int, message: Message | None = None, secrets: str = "", **settings: object) -> Delivery:
    """Hand a message to a webhook, without asking whether it is wanted."""
    return webhooks(store, port, secrets, "/hook", handshake=False, **settings).deliver(message or a_message(to=NAME), AT)


def test_a_structured_event_has_all_in_its_body(store: Store, receiver: Receiver) -> None:
    """CloudEvents 1.0, with the type, source, subject and data that Event Grid gives it."""
    assert deliver(store, receiver.port) == Delivery(done=True)
    (received,) = receiver.delivered
    event = received.json()
    source = event.pop("source")
    assert source.startswith("/subscriptions/")
    assert source.endswith("/providers/Microsoft.KeyVault/vaults/contoso")
    assert received.headers["content-type"] == "application/cloudevents+json; charset=utf-8"
    assert received.headers["webhook-request-origin"] == ORIGIN
    assert event == {
        "specversion": "1.0",
        "id": "4f2c9e",
        "type": "Microsoft.KeyVault.CertificateNearExpiry",
        "subject": "www-shop",
        "time": "2026-11-22T07:00:00Z",
        "severity": "warning",
        "datacontenttype": "application/json",
        "data": {
            "Id": f"https://contoso.{SUFFIX}/certificates/www-shop/{VERSION}",
            "VaultName": "contoso",
            "ObjectType": "Certificate",
            "ObjectName": "www-shop",
            "Version": VERSION,
            "NBF": 1790000000,
            "EXP": 1796000000,
        },
    }


def test_a_binary_event_has_its_attributes_in_headers(store: Store, receiver: Receiver) -> None:
    """Percent-encoded where a header cannot hold them (HTTP protocol binding section 3.1.3.2)."""
    message = a_message(Topic.RENEWAL_FAILED, NAME, name='Euro € "%\r\nX-Evil: 1', facts={"error": "no €"}, version=None)
    assert deliver(store, receiver.port, message, mode="binary").done
    (received,) = receiver.delivered
    assert received.headers["content-type"] == "application/json; charset=utf-8"
    assert received.headers["ce-type"] == "Certworker.RenewalFailed"
    assert received.headers["ce-subject"] == "Euro%20%E2%82%AC%20%22%25%0D%0AX-Evil:%201"
    assert "x-evil" not in received.headers
    data = received.json()
    assert (data["NBF"], data["EXP"], data["Version"], data["Facts"]) == (None, None, "", {"error": "no €"})


def test_event_grid_has_its_own_schema(store: Store, receiver: Receiver) -> None:
    """A list of one event; keys and secrets are called as it calls them."""
    for kind, topic in ((ObjectKind.SECRET, Topic.EXPIRED), (ObjectKind.KEY, Topic.NEW_VERSION)):
        assert deliver(store, receiver.port, a_message(topic, NAME, kind=kind), format="eventgrid").done
    first, second = (received.json()[0] for received in receiver.delivered)
    assert receiver.delivered[0].headers["aeg-event-type"] == "Notification"
    assert (first["eventType"], second["eventType"]) == (
        "Microsoft.KeyVault.SecretExpired",
        "Microsoft.KeyVault.KeyNewVersionCreated",
    )
    assert (first["id"], first["subject"], first["dataVersion"], first["metadataVersion"]) == ("4f2c9e", "www-shop", "1", "1")
    assert second["data"]["Id"] == f"https://contoso.{SUFFIX}/keys/www-shop/{VERSION}"


def test_a_digest_names_its_parts(store: Store, receiver: Receiver) -> None:
    """What is about no vault comes from the deployment."""
    parts = (a_message(), a_message(Topic.REVOKED, severity=Severity.CRITICAL))
    assert deliver(store, receiver.port, a_message(Topic.DIGEST, NAME, vault="", name="", parts=parts)).done
    event = receiver.delivered[0].json()
    assert event["source"] == event["data"]["Id"] == f"https://{SUFFIX}"
    assert [part["Type"] for part in event["data"]["Parts"]] == [
        "Microsoft.KeyVault.CertificateNearExpiry",
        "Certworker.CertificateRevoked",
    ]


# --- signatures -------------------------------------------------------------------------------------------------------


def test_a_message_is_signed_by_every_secret(store: Store, receiver: Receiver) -> None:
    """While a secret is changed, who knows the old one and who knows the new one both believe it."""
    for _ in range(2):
        assert deliver(store, receiver.port, secrets=f"{NEXT_SECRET}\n{SECRET}").done
    first, again = receiver.delivered
    assert first.headers["webhook-id"] == again.headers["webhook-id"] == "4f2c9e"
    assert first.headers["webhook-timestamp"] == str(int(AT.timestamp()))
    assert is_signed(first, SECRET)
    assert is_signed(first, NEXT_SECRET)
    assert not is_signed(first, "whsec_" + "e" * 32)
    assert deliver(store, receiver.port, secrets=SECRET).done
    assert not is_signed(receiver.delivered[-1], NEXT_SECRET)


def test_neither_its_secrets_nor_its_path_are_logged(store: Store, receiver: Receiver) -> None:
    """In the path of a URL there is often all that one needs to post there; the host says enough of where it went."""
    path = "/services/T024BE7LD/gNq3-a-secret-of-its-own"
    with hearing() as heard:
        for port in (receiver.port, 1):
            webhooks(store, port, SECRET, f"{path}?code={NEXT_SECRET}", handshake=False).deliver(a_message(to=NAME), AT)
    assert receiver.delivered
    assert sum(f"POST localhost:{receiver.port}" in line for line in heard.lines) == 2
    heard.check_silent_about(SECRET, NEXT_SECRET, path)


@pytest.mark.parametrize(
    "text", ["", "hunter2", "whsec_", "whsec_hunter2", "whsec_" + "QUJD" * 7 + "!", "whsec_QUJD", f"{SECRET} " * 3]
)
def test_what_is_no_secret_is_refused(text: str) -> None:
    """And not repeated."""
    with pytest.raises(BadParameter) as refusal:
        read_secrets(text)
    assert not {"hunter2", "whsec_hunter2", SECRET} & set(str(refusal.value).split())


# --- handshakes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["cloudevents", "eventgrid"])
def test_an_endpoint_is_asked_once(store: Store, receiver: Receiver, form: str) -> None:
    """Before the first message, and not again, by whatever process; another URL is asked anew."""
    for _ in range(2):
        assert webhooks(store, receiver.port, format=form, secrets=SECRET).deliver(a_message(to=NAME), AT).done
    assert (len(receiver.asked), len(receiver.delivered)) == (1, 2)
    (asked,) = receiver.asked
    if form == "cloudevents":
        assert (asked.method, asked.headers["webhook-request-origin"]) == ("OPTIONS", ORIGIN)
    else:
        assert asked.json()[0]["eventType"] == "Microsoft.EventGrid.SubscriptionValidationEvent"
        assert is_signed(asked, SECRET)
    assert webhooks(store, receiver.port, format=form, path="/other").deliver(a_message(to=NAME), AT).done
    assert len(receiver.asked) == 2


@pytest.mark.parametrize("allows", [None, "", "elsewhere.test", f"{ORIGIN}.evil.test"])
def test_who_has_not_agreed_is_told_nothing(store: Store, receiver: Receiver, allows: str | None) -> None:
    """A status alone is no consent; once it is given, everything arrives."""
    receiver.allows = allows
    channel = webhooks(store, receiver.port)
    refused = channel.deliver(a_message(to=NAME), AT)
    assert (refused.done, refused.final, receiver.delivered) == (False, False, [])
    assert refused.message.startswith("localhost has not agreed to be told")
    receiver.allows = ORIGIN.upper()
    assert channel.deliver(a_message(to=NAME), AT).done


@pytest.mark.parametrize(
    "answer", [b"", b"[]", b"{", b'{"validationResponse": 5}', b'{"validationResponse": "\xc3\xa9"}', b"[" * 60_000]
)
def test_a_code_that_does_not_come_back_is_no_consent(store: Store, answer: bytes) -> None:
    """Whatever else comes."""

    class Confused(Receiver):
        """Answers every question in the same way."""

        def answer(self, received: object) -> tuple[int, dict[str, str], bytes]:  # noqa: ARG002
            """Say what it always says."""
            return 200, {}, answer

    with receiving(Confused()) as found:
        refused = webhooks(store, found.port, format="eventgrid").deliver(a_message(to=NAME), AT)
        assert found.delivered == []
    assert (refused.done, refused.final) == (False, False)


def test_who_is_gone_is_asked_again(store: Store, receiver: Receiver) -> None:
    """410 is final for the message, and ends the consent."""
    channel = webhooks(store, receiver.port)
    assert channel.deliver(a_message(to=NAME), AT).done
    receiver.status = 410
    assert channel.deliver(a_message(to=NAME), AT).final
    receiver.status = 200
    assert channel.deliver(a_message(to=NAME), AT).done
    assert len(receiver.asked) == 2


# --- answers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 202, 204, 400, 401, 404, 410, 413, 415, 429, 500])
def test_the_status_says_what_came_of_it(store: Store, receiver: Receiver, status: int) -> None:
    """2xx is done, what would be the same again is final, all else is tried again."""
    receiver.status = status
    delivery = deliver(store, receiver.port)
    assert (delivery.done, delivery.final) == (status < 300, status in (410, 413, 415))
    assert delivery.done or delivery.message == f"localhost answered with HTTP status {status}."


@pytest.mark.parametrize(
    ("header", "wait"),
    [
        ("120", timedelta(minutes=2)),
        (format_datetime(AT + timedelta(hours=1), usegmt=True), timedelta(hours=1)),
        ("-5", None),
        ("soon", None),
        ("9" * 40, timedelta(days=7)),
        (format_datetime(AT - timedelta(hours=1), usegmt=True), timedelta(0)),
    ],
)
def test_retry_after_is_passed_on(store: Store, receiver: Receiver, header: str, wait: timedelta | None) -> None:
    """Seconds or a date (RFC 9110 section 10.2.3), and nonsense is none."""
    receiver.status, receiver.headers = 503, {"Retry-After": header}
    assert deliver(store, receiver.port).retry_at == (None if wait is None else AT + wait)


def test_a_redirect_is_not_followed(store: Store, receiver: Receiver) -> None:
    """Not to anywhere: a POST would become another request, and the place may be a private one."""
    with receiving(Receiver()) as other:
        for status in (301, 302, 307, 308):
            receiver.status, receiver.headers = status, {"Location": f"http://localhost:{other.port}/"}
            delivery = deliver(store, receiver.port)
            assert (delivery.done, delivery.final) == (False, False)
            assert "not followed: set its new url" in delivery.message
        assert other.requests == []


def test_a_packed_answer_counts_by_its_status(store: Store, receiver: Receiver) -> None:
    """It was taken, whatever is said of it: a message that is tried again for that would come eight times."""
    receiver.headers, receiver.body = {"Content-Encoding": "gzip"}, b"packed"
    assert deliver(store, receiver.port).done


def test_a_large_answer_does_no_harm(store: Store, receiver: Receiver) -> None:
    """Of an answer the status counts; of a handshake no more is read than a little."""
    receiver.body = b"x" * (4 * ANSWER_BYTES)
    assert deliver(store, receiver.port).done


def test_a_receiver_that_drips_costs_its_time(store: Store) -> None:
    """One letter now and then does not outlast what it is given."""

    def dripping(connection: socket.socket) -> None:
        while True:
            connection.sendall(b"H")
            time.sleep(0.02)

    begun = time.monotonic()
    with talking(dripping) as port:
        delivery = deliver(store, port, timeout_seconds=0.3)
    assert delivery == Delivery(done=False, message="localhost did not answer in time.")
    assert time.monotonic() - begun < 3


def test_a_private_endpoint_must_be_allowed(store: Store, receiver: Receiver) -> None:
    """The same rules as for everything that goes out; and of the URL nothing is told but its host."""
    settings = WebhookSettings(url=f"http://localhost:{receiver.port}/hook?token=hunter2", handshake=False)
    channel = Webhooks({NAME: Endpoint(settings)}, store, (), ORIGIN, SUFFIX)
    delivery = channel.deliver(a_message(to=NAME), AT)
    assert "network.allow_private" in delivery.message
    assert receiver.requests == []
    assert "hunter2" not in delivery.message + repr(channel) + repr(Endpoint(settings)) + str(settings)


def test_a_webhook_that_is_gone_from_the_settings_is_final(store: Store) -> None:
    """Nobody knows where it was."""
    assert webhooks(store, 1).deliver(a_message(to="another"), AT).final


def test_a_secret_that_cannot_be_read_is_told(store: Store) -> None:
    """Nothing goes out unsigned where it should be signed."""
    with receiving(Receiver()) as found:
        delivery = deliver(store, found.port, secrets="hunter2-and-more")
        assert found.requests == []
    assert "holds what is no secret" in delivery.message
    assert "hunter2" not in delivery.message
