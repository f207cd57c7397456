"""Notices by mail: what is sent, over which line, and what a refusal comes to. Against real relays on loopback."""

import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from certworker.errors import BadParameter
from certworker.network.egress import EgressRules
from certworker.network.mail import MailRelay, compose, read_address
from certworker.settings import Mail
from certworker.vault.notification.message import Delivery, Message, Severity, Topic
from tests.network.relays import PASSWORD, USER, Mailbox, Relay, relay, server_context, talking
from tests.support.heard import hearing
from tests.support.messages import AT, SUFFIX, a_message

SENDER = "Certificates <notices@example.test>"


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
    """Make the server's side of TLS, and the bundle."""
    return server_context(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def plain() -> Iterator[Relay]:
    """Run a relay in the clear."""
    with relay(Mailbox()) as found:
        yield found


def deliver(port: int, message: Message | None = None, password: str | None = None, **settings: object) -> Delivery:
    """Hand a message to the relay at a port of loopback, in the clear unless the settings say otherwise."""
    given = {"host": "localhost", "port": port, "sender": SENDER, "tls": "none", "timeout_seconds": 5.0, **settings}
    if password is not None:
        given |= {"user": USER, "password_env": "NOWHERE"}
    channel = MailRelay(
        Mail.model_validate(given), EgressRules(("localhost",)), None if password is None else lambda: password, SUFFIX
    )
    return channel.deliver(message or a_message(), AT)


def test_a_mail_is_complete(plain: Relay) -> None:
    """Its id and date are the message's own, it is in two forms, and nobody answers it automatically."""
    for _ in range(2):
        assert deliver(plain.port, a_message(severity=Severity.CRITICAL)) == Delivery(done=True)
    first, again = plain.box.taken
    assert first["Message-ID"] == again["Message-ID"] == "<4f2c9e@example.test>"
    assert first["Date"].datetime == AT
    assert (first["From"], first["To"]) == ("Certificates <notices@example.test>", "ada@example.test")
    assert first["Subject"] == "CRITICAL: Certificate www-shop expires in 7 days [contoso]"
    assert (first["Auto-Submitted"], first["Importance"]) == ("auto-generated", "high")
    text, html = first.get_body(("plain",)), first.get_body(("html",))
    assert text is not None
    assert html is not None
    assert "certworker certificate renew www-shop --vault-url https://contoso.vault.example.test" in text.get_content()
    assert "<h1" in html.get_content()
    assert [(found.mail_from, found.rcpt_tos) for found in plain.box.envelopes] == [
        ("notices@example.test", ["ada@example.test"])
    ] * 2


@pytest.mark.filterwarnings("ignore:Requiring AUTH")  # the relay does not know TLS from the first byte for TLS
@pytest.mark.parametrize("way", ["starttls", "tls"])
def test_it_goes_over_tls_and_with_a_log_in(tls: tuple[ssl.SSLContext, Path], way: str) -> None:
    """The password is read at each log-in, and a wrong one is told without it."""
    context, bundle = tls
    with relay(Mailbox(), context, way, login=True) as found:
        assert deliver(found.port, password=PASSWORD, tls=way, ca_bundle=bundle) == Delivery(done=True)
        assert found.box.encrypted == [True]
        refused = deliver(found.port, password="wrong-password", tls=way, ca_bundle=bundle)
        missing = deliver(found.port, tls=way, ca_bundle=bundle)
    assert refused == Delivery(done=False, message="localhost refuses the log-in of notices (535).")
    assert missing.message.startswith("localhost answered 530")
    assert not missing.final


@pytest.mark.parametrize("way", ["starttls", "tls"])
def test_a_certificate_that_is_not_trusted_is_no_way(tls: tuple[ssl.SSLContext, Path], way: str) -> None:
    """Nothing is sent, and it is tried again."""
    context, _ = tls
    with relay(Mailbox(), context, way) as found:
        delivery = deliver(found.port, tls=way)
    assert "localhost shows a certificate that is not trusted: self-signed certificate" in delivery.message
    assert (delivery.done, delivery.final, found.box.taken) == (False, False, [])


def test_without_starttls_nothing_is_sent(plain: Relay) -> None:
    """A line that somebody has stripped of its encryption is not used."""
    delivery = deliver(plain.port, tls="starttls")
    assert delivery == Delivery(done=False, message="localhost does not offer STARTTLS: nothing is sent in the clear.")
    assert plain.box.taken == []


@pytest.mark.parametrize(
    ("answer", "final"), [("550 5.1.1 no such user", True), ("450 4.2.1 box is busy", False), ("552 box is full", True)]
)
@pytest.mark.parametrize("stage", ["recipient", "data"])
def test_a_refusal_for_good_is_final(stage: str, answer: str, final: bool) -> None:  # noqa: FBT001
    """5xx about a recipient or a mail is final, 4xx is tried again; what was said is told."""
    box = Mailbox({"ada@example.test": answer}) if stage == "recipient" else Mailbox(to_data=answer)
    with relay(box) as found:
        delivery = deliver(found.port)
        assert deliver(found.port, a_message(to="bob@example.test")).done == (stage == "recipient")
    assert delivery == Delivery(done=False, message=f"localhost refuses mail to ada@example.test: {answer}", final=final)


@pytest.mark.parametrize(
    "address",
    [
        *("", "ada", "@example.test", "ada@", "a b@example.test", "ada@exa mple.test", "ada@[127.0.0.1]", "<ada@example.test>"),
        *(
            "ada@example.test\r\nBcc: eve@example.test",
            "ada@-x.test",
            "ada@x..test",
            "ada,eve@example.test",
            "ada@example.test@",
        ),
        *('"ada"@example.test', "ada@\ud800.test", f"{'a' * 65}@x.test", f"ada@{'x.' * 130}test"),
    ],
)
def test_what_is_no_address_is_refused(address: str) -> None:
    """It is final, told in one line, and no relay is asked."""
    delivery = deliver(1, a_message(to=address))
    assert (delivery.done, delivery.final) == (False, True)
    assert delivery.message.endswith("is not an address that mail can be sent to: name@example.com is needed.")
    assert delivery.message.isprintable()


def test_a_domain_is_written_as_the_dns_has_it(plain: Relay) -> None:
    """RFC 5891, by the rules of 2008: ß stays what it is. A relay needs no extension for that."""
    assert read_address("ada@straße.test").domain == "xn--strae-oqa.test"
    assert deliver(plain.port, a_message(to="ada@bücher.test")).done
    assert plain.box.envelopes[0].rcpt_tos == ["ada@xn--bcher-kva.test"]


def test_letters_before_the_at_need_smtputf8(plain: Relay) -> None:
    """RFC 6531: with it they arrive, and without it nobody guesses."""
    message = a_message(to="jürgen@bücher.test")
    assert deliver(plain.port, message).done
    assert plain.box.envelopes[0].rcpt_tos == ["jürgen@xn--bcher-kva.test"]
    assert plain.box.taken[0]["To"] == "jürgen@xn--bcher-kva.test"
    with relay(Mailbox(), utf8=False) as found:
        delivery = deliver(found.port, message)
    assert delivery.final
    assert delivery.message.startswith("localhost takes no addresses outside ASCII (SMTPUTF8)")


@pytest.mark.parametrize("field", ["name", "vault", "facts"])
def test_what_others_wrote_makes_no_header(plain: Relay, field: str) -> None:
    """Line breaks in names and facts end in no header of their own, wherever they come to stand."""
    evil = "x\r\nBcc: eve@example.test\r\n\r\nbody\n.\n\u2028X-Evil: 1\x00\x1b[2J"
    changed = {"facts": {"error": evil, "next": evil, evil: evil}} if field == "facts" else {field: evil}
    assert deliver(plain.port, replace(a_message(Topic.RENEWAL_FAILED), **changed)).done
    (taken,) = plain.box.taken
    assert plain.box.envelopes[0].rcpt_tos == ["ada@example.test"]
    assert (taken["Bcc"], taken["X-Evil"]) == (None, None)
    text = taken.get_body(("plain",))
    assert text is not None
    assert not any(line.startswith(("Bcc", "body", "X-Evil", ".")) for line in text.get_content().splitlines())


def test_an_id_that_no_mail_can_have_is_refused() -> None:
    """It would end in a header."""
    with pytest.raises(BadParameter, match="cannot be the id of a mail"):
        compose(a_message(id="a>\r\nBcc: x"), ("", "notices@example.test"), read_address("ada@example.test"), SUFFIX)


# --- relays that do not do as they should -----------------------------------------------------------------------------


def silent(connection: socket.socket) -> None:
    """Say nothing, until the other side goes."""
    connection.recv(1)


def dripping(connection: socket.socket) -> None:
    """Say a letter now and then, so that no single wait is long."""
    while True:
        connection.sendall(b"2")
        time.sleep(0.02)


def chattering(connection: socket.socket) -> None:
    """Say hello without an end."""
    while True:
        connection.sendall(b"220-hello\r\n" * 1000)


def hanging_up(connection: socket.socket) -> None:
    """Leave in the middle."""
    connection.sendall(b"220 hello\r\n")
    connection.recv(1000)


def web(connection: socket.socket) -> None:
    """Be something else altogether."""
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def busy(connection: socket.socket) -> None:
    """Have no time."""
    connection.sendall(b"421 4.3.2 too many connections\r\n")


def leaving_after_the_mail(connection: socket.socket) -> None:
    """Take the mail, and be gone before it is said goodbye to."""
    connection.sendall(b"220 hello\r\n")
    for answer in (b"250 hello\r\n", b"250 sender\r\n", b"250 recipient\r\n", b"354 go on\r\n"):
        connection.recv(1000)
        connection.sendall(answer)
    while not connection.recv(65536).endswith(b"\r\n.\r\n"):
        pass
    connection.sendall(b"250 taken\r\n")


@pytest.mark.parametrize(
    ("conversation", "words"),
    [
        (silent, "localhost did not answer in time."),
        (dripping, "localhost did not answer in time."),
        (chattering, "localhost closed the connection early, or does not speak SMTP."),
        (hanging_up, "localhost closed the connection early, or does not speak SMTP."),
        (busy, "localhost answered 421 4.3.2 too many connections"),
        (web, "localhost"),
    ],
)
@pytest.mark.parametrize("way", ["none", "tls"])
def test_a_relay_that_misbehaves_is_tried_again(conversation: object, words: str, way: str) -> None:
    """It costs no more than its time, whatever it says or does not say, before TLS and within."""
    begun = time.monotonic()
    with talking(conversation) as port:  # type: ignore[arg-type]
        delivery = deliver(port, tls=way, timeout_seconds=0.4)
    assert time.monotonic() - begun < 3
    assert (delivery.done, delivery.final) == (False, False)
    assert delivery.message.startswith(words if way == "none" else "localhost ")


def test_what_was_taken_was_taken() -> None:
    """That a relay is gone before the goodbye does not make it be sent again."""
    with talking(leaving_after_the_mail) as port:
        assert deliver(port) == Delivery(done=True)


def test_nobody_listens() -> None:
    """It is said where."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    delivery = deliver(port)
    assert delivery == Delivery(done=False, message="localhost cannot be reached: Connection refused.")


def test_a_private_relay_must_be_allowed(plain: Relay) -> None:
    """The same rules as for everything that goes out."""
    channel = MailRelay(Mail(host="localhost", port=plain.port, sender=SENDER, tls="none"), EgressRules(), None, SUFFIX)
    delivery = channel.deliver(a_message(), AT)
    assert "network.allow_private" in delivery.message
    assert (delivery.final, plain.box.taken) == (False, [])


def test_a_password_reaches_no_error(tls: tuple[ssl.SSLContext, Path]) -> None:
    """Nor the log, not even where a relay repeats it, in any form; nor one that cannot be sent."""
    context, bundle = tls

    def repeating(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as line:
            line.sendall(b"220 hello\r\n")
            line.recv(1000)
            line.sendall(b"250-hello\r\n250 AUTH PLAIN\r\n")
            sent = line.recv(1000).split()[-1]
            line.sendall(b"235 fine\r\n")
            line.recv(1000)
            line.sendall(b"550 I know " + sent + b" and " + PASSWORD.encode() + b"\r\n")
            line.recv(1000)

    with talking(repeating) as port, hearing() as heard:
        delivery = deliver(port, password=PASSWORD, tls="tls", ca_bundle=bundle)
        refused = deliver(1, password="pässword", tls="tls", ca_bundle=bundle)
    heard.check_silent_about(PASSWORD, "pässword")
    assert delivery.message == "localhost answered 550 I know ... and ..."
    assert "mail.user" in refused.message
    assert "pässword" not in refused.message
