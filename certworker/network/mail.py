"""Notices by mail: one message to one address, handed to a relay over SMTP."""

import re
import smtplib
import ssl
from base64 import b64encode
from collections.abc import Callable
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime
from typing import Final

import idna

from certworker.errors import BadParameter, CertworkerError, SettingsError
from certworker.network.egress import EgressRules, Unreachable
from certworker.network.http import Trust
from certworker.network.smtp import Session, open_session
from certworker.settings import Mail
from certworker.vault.notification.facts import one_line
from certworker.vault.notification.message import Delivery, Message, Severity
from certworker.vault.notification.rendering import render

LONGEST_ADDRESS: Final = 254
LONGEST_REPLY: Final = 200
PERMANENT: Final = 500
_LOCAL_PART: Final = re.compile(r"[^\s@<>()\[\],;:\\\"\x00-\x1f\x7f]{1,64}")
_ID: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z.-]{0,127}")


class MailRelay:
    """The channel `mail`. `password` reads the password at each log-in, so that it can be changed without a restart."""

    def __init__(self, settings: Mail, rules: EgressRules, password: Callable[[], str] | None, vault_suffix: str) -> None:
        self._settings = settings
        self._rules = rules
        self._password = password
        self._vault_suffix = vault_suffix
        self._trust = Trust()

    def deliver(self, message: Message, at: datetime) -> Delivery:  # noqa: ARG002 - what is sent does not depend on it
        """Hand a message to the relay. An address that it refuses for good is final, all else is tried again."""
        try:
            recipient = read_address(message.to)
            mail = compose(message, self._settings.sender_address, recipient, self._vault_suffix)
        except BadParameter as error:
            return Delivery(done=False, message=str(error), final=True)
        secret = ""
        try:
            secret = self._read_password()
            return self._send(mail, recipient, secret)
        except CertworkerError as error:
            return Delivery(done=False, message=str(error))
        except (smtplib.SMTPException, OSError) as error:
            return Delivery(done=False, message=f"{self._settings.host} {_told(error, self._settings.user or '', secret)}")

    def greet(self, seconds: float) -> str:
        """Go as far as a mail would, without one, and say on what line: for whoever looks whether the relay can be used.

        Raises Unreachable, whose cause is what the relay or the network did, EgressRefused, SettingsError.
        """
        settings, secret = self._settings, self._read_password()
        host, domain = settings.host or "", settings.sender_address[1].rpartition("@")[2]
        context, port = self._trust.context(settings.ca_bundle), settings.relay_port
        try:
            with open_session(self._rules, host, port, domain, settings.tls, context, seconds) as session:
                session.ehlo_or_helo_if_needed()
                if settings.user:
                    session.login(settings.user, secret)
                code, said = session.noop()
                if code >= PERMANENT:
                    raise smtplib.SMTPResponseException(code, said)
        except (smtplib.SMTPException, OSError) as error:
            raise Unreachable(f"{host} {_told(error, settings.user or '', secret)}") from error
        line = "in the clear" if settings.tls == "none" else "over TLS"
        return f"{host}:{port} takes mail {line}{f', with the log-in of {settings.user}' if settings.user else ''}"

    def _read_password(self) -> str:
        secret = self._password() if self._password else ""
        if not secret.isascii():
            raise SettingsError("The password of mail.user has letters outside ASCII, which not every relay takes: change it.")
        return secret

    def _send(self, mail: EmailMessage, recipient: Address, secret: str) -> Delivery:
        settings, (_, sender) = self._settings, self._settings.sender_address
        host, domain = settings.host or "", sender.rpartition("@")[2]
        context = self._trust.context(settings.ca_bundle)
        port, seconds = settings.relay_port, settings.timeout_seconds
        with open_session(self._rules, host, port, domain, settings.tls, context, seconds) as session:
            session.ehlo_or_helo_if_needed()
            options = _options(session, recipient)
            if options is None:
                text = f"{host} takes no addresses outside ASCII (SMTPUTF8), such as {recipient.addr_spec}."
                return Delivery(done=False, message=text, final=True)
            if settings.user:
                session.login(settings.user, secret)
            try:
                session.sendmail(sender, [recipient.addr_spec], mail.as_bytes(), options)
            except (smtplib.SMTPRecipientsRefused, smtplib.SMTPDataError) as error:
                code, said = _reply(error, settings.user or "", secret)
                text = f"{host} refuses mail to {recipient.addr_spec}: {code} {said}"
                return Delivery(done=False, message=text.rstrip(), final=code >= PERMANENT)
        return Delivery(done=True)


def read_address(text: str) -> Address:
    """Read an address, its domain as the DNS has it (RFC 5891). Raises BadParameter."""
    local, _, domain = text.rpartition("@")
    try:
        name = domain.encode("ascii").decode() if domain.isascii() else idna.encode(domain, uts46=True).decode()
        if len(text) <= LONGEST_ADDRESS and _LOCAL_PART.fullmatch(local) and _is_host(name):
            return Address(username=local, domain=name)
    except ValueError:  # idna's own errors are as well
        pass
    raise BadParameter(f"{one_line(text, 80)!r} is not an address that mail can be sent to: name@example.com is needed.")


def compose(message: Message, sender: tuple[str, str], recipient: Address, vault_suffix: str) -> EmailMessage:
    """Compose the mail. It is the same however often it is sent. Raises BadParameter for an id that no mail can have."""
    if not _ID.fullmatch(message.id):
        raise BadParameter(f"{one_line(message.id, 40)!r} cannot be the id of a mail.")
    name, address = sender
    local, _, domain = address.rpartition("@")
    rendered = render(message, vault_suffix)
    mail = EmailMessage(SMTP if recipient.addr_spec.isascii() else SMTPUTF8)
    mail["Message-ID"] = f"<{message.id}@{domain}>"
    mail["Date"] = format_datetime(message.at)
    mail["From"] = Address(one_line(name), local, domain)
    mail["To"] = recipient
    mail["Subject"] = rendered.subject
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no automatic answer is wanted
    if message.severity is Severity.CRITICAL:
        mail["Importance"] = "high"
    mail.set_content(rendered.text, cte="quoted-printable")
    mail.add_alternative(rendered.html, subtype="html", cte="quoted-printable")
    return mail


def _is_host(name: str) -> bool:
    labels = name.split(".")
    return all(re.fullmatch(r"[0-9A-Za-z](?:[0-9A-Za-z-]{0,61}[0-9A-Za-z])?", label) for label in labels)


def _options(session: Session, recipient: Address) -> tuple[str, ...] | None:
    """Say what MAIL FROM has to ask for; none where the relay does not offer it (RFC 6531)."""
    if recipient.addr_spec.isascii():
        return ()
    return ("SMTPUTF8", "BODY=8BITMIME") if session.has_extn("smtputf8") else None


def _told(error: Exception, user: str, secret: str) -> str:
    """Say what went wrong, in words that hold no password even where a relay repeats it."""
    match error:
        case smtplib.SMTPAuthenticationError():
            text = f"refuses the log-in of {user} ({error.smtp_code})."
        case smtplib.SMTPNotSupportedError() if "STARTTLS" in str(error):
            text = "does not offer STARTTLS: nothing is sent in the clear."
        case smtplib.SMTPNotSupportedError():
            text = "offers no log-in, or no kind of it that is known here."
        case smtplib.SMTPResponseException():
            text = "answered {} {}".format(*_reply(error, user, secret)).rstrip()
        case smtplib.SMTPServerDisconnected():
            text = "closed the connection early, or does not speak SMTP."
        case ssl.SSLCertVerificationError():
            text = f"shows a certificate that is not trusted: {one_line(error.verify_message, LONGEST_REPLY)}."
        case ssl.SSLError():
            text = f"cannot be spoken to over TLS ({error.reason or 'the connection was closed'})."
        case TimeoutError():
            text = "did not answer in time."
        case OSError() if error.strerror:
            text = f"cannot be reached: {error.strerror}."
        case _:
            text = f"did not answer as it should ({type(error).__name__})."
    return text


def _reply(error: Exception, user: str, secret: str) -> tuple[int, str]:
    """Give the code of a refusal, and what the relay said of it on one line."""
    code, said = 0, b""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code, said = next(iter(error.recipients.values()))
    elif isinstance(error, smtplib.SMTPResponseException):
        code, said = error.smtp_code, error.smtp_error if isinstance(error.smtp_error, bytes) else error.smtp_error.encode()
    text = said.decode("utf-8", "replace")
    if secret:
        for shown in (f"\0{user}\0{secret}", secret):
            text = text.replace(b64encode(shown.encode()).decode(), "...").replace(shown, "...")
    return code, one_line(text, LONGEST_REPLY)
