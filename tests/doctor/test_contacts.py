"""The checks of whom the service speaks to beside CAs."""

import socket
import ssl
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from certworker.doctor import Verdict
from certworker.doctor.contacts import (
    look_at_identity,
    look_at_mail,
    look_at_name_servers,
    look_at_revocation,
    look_at_webhooks,
)
from certworker.doctor.names import look_at_names
from certworker.vault.revocation.sources import Source, SourceKind
from tests.doctor.patient import Patient, only, worst
from tests.network.receivers import Receiver, receiving
from tests.network.relays import PASSWORD, USER, Mailbox, relay, server_context, talking
from tests.support.clock import START
from tests.support.ports import free_ports

LOCAL = "[network]\nallow_private = ['localhost']\n"


def mail(patient: Patient, port: int, *lines: str, password: str | None = None) -> None:
    """Set a relay on loopback."""
    given = ["host = 'localhost'", "sender = 'a@b.example'", f"port = {port}", *lines]
    if password:
        path = patient.folder / "password"
        path.touch(mode=0o600)
        path.write_text(password)
        given += [f"user = '{USER}'", "password_file = 'password'"]
    patient.sections = LOCAL + "[mail]\n" + "\n".join(given) + "\n"


def test_a_relay_that_takes_mail_is_fine_and_gets_none(patient: Patient) -> None:
    """In the clear."""
    with relay(Mailbox()) as found:
        mail(patient, found.port, "tls = 'none'")
        said = only(look_at_mail(patient.subject()))
    assert said.verdict is Verdict.FINE
    assert "takes mail in the clear. No mail was sent." in said.text
    assert found.box.taken == []


def test_a_log_in_is_tried_over_starttls(patient: Patient, tmp_path: Path) -> None:
    """With the right password and a wrong one, which is not shown."""
    context, bundle = server_context(tmp_path)
    with relay(Mailbox(), context, "starttls", login=True) as found:
        mail(patient, found.port, f"ca_bundle = '{bundle}'", password=PASSWORD)
        fine = only(look_at_mail(patient.subject()))
        mail(patient, found.port, f"ca_bundle = '{bundle}'", password="wrong-password")
        refused = only(look_at_mail(patient.subject()))
        mail(patient, found.port, password=PASSWORD)
        untrusted = only(look_at_mail(patient.subject()))
    assert (fine.verdict, refused.verdict, untrusted.verdict) == (Verdict.FINE, Verdict.WRONG, Verdict.WRONG)
    assert f"refuses the log-in of {USER}" in refused.text
    assert "password" in refused.to_do
    assert "mail.ca_bundle" in untrusted.to_do
    assert not {PASSWORD, "wrong-password"} & set(f"{fine} {refused} {untrusted}".split())


def test_a_relay_that_does_otherwise_is_told(patient: Patient) -> None:
    """No STARTTLS, no SMTP, nobody there, and none set."""
    with relay(Mailbox()) as found:
        mail(patient, found.port)
        assert "mail.tls" in only(look_at_mail(patient.subject())).to_do
    with talking(lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as port:
        mail(patient, port, "tls = 'none'")
        assert only(look_at_mail(patient.subject())).verdict is Verdict.WRONG
    mail(patient, free_ports(1)[0])
    assert "nothing listens at" in only(look_at_mail(patient.subject())).text
    patient.sections = ""
    assert only(look_at_mail(patient.subject())).verdict is Verdict.NOTE


def test_a_relay_that_says_nothing_costs_no_more_than_its_time(patient: Patient) -> None:
    """It is told that it did not answer."""
    with talking(_say_nothing) as port:
        mail(patient, port, "tls = 'none'")
        assert "did not answer in time" in only(look_at_mail(patient.subject(seconds=0.3))).text


def _say_nothing(connection: socket.socket) -> None:
    connection.recv(1)


def test_webhooks_are_connected_to_and_told_nothing(patient: Patient) -> None:
    """One that is there, one that is not; what is behind the host is shown nowhere."""
    (closed,) = free_ports(1)
    with receiving(Receiver()) as receiver:
        urls = {"chat": f"http://localhost:{receiver.port}/T0/secret", "pager": f"http://localhost:{closed}/T0/secret"}
        patient.sections = LOCAL + "".join(f"[webhooks.{name}]\nurl = '{url}'\n" for name, url in urls.items())
        fine, wrong = look_at_webhooks(patient.subject())
    assert (fine.verdict, wrong.verdict) == (Verdict.FINE, Verdict.WRONG)
    assert receiver.requests == []
    assert "secret" not in f"{fine} {wrong}"


def test_a_webhook_over_tls_must_be_trusted(patient: Patient, tmp_path: Path) -> None:
    """Its own setting is named, and with it all is fine."""
    context, bundle = server_context(tmp_path)
    with talking(lambda connection: _shake_hands(context, connection)) as port:
        section = f"{LOCAL}[webhooks.chat]\nurl = 'https://localhost:{port}/x'\n"
        patient.sections = section
        untrusted = only(look_at_webhooks(patient.subject()))
        patient.sections = f"{section}ca_bundle = '{bundle}'\n"
        fine = only(look_at_webhooks(patient.subject()))
    assert "webhooks.chat.ca_bundle" in untrusted.to_do
    assert fine.verdict is Verdict.FINE


def _shake_hands(context: ssl.SSLContext, connection: socket.socket) -> None:
    try:
        context.wrap_socket(connection, server_side=True).close()
    except ssl.SSLError:
        return  # the other side does not trust it


def test_others_who_sign_tokens_are_asked_for_their_keys(patient: Patient) -> None:
    """One whose port is closed, and one that must not be reached."""
    (port,) = free_ports(1)
    patient.sections = f"""{LOCAL}[identity.issuers.corp]
url = "https://localhost:{port}/realm"
[release]
authorities = ["https://10.1.2.3"]
"""
    corp, attesting = look_at_identity(patient.subject())
    assert (corp.verdict, attesting.verdict) == (Verdict.WRONG, Verdict.WRONG)
    assert f"nothing listens at localhost:{port}" in corp.text
    assert "network.allow_private" in attesting.text


def test_name_servers_for_dns_01_are_connected_to(patient: Patient) -> None:
    """One that is there and one that is not."""
    (closed,) = free_ports(1)
    (patient.folder / "tsig").touch(mode=0o600)
    with talking(lambda _: None) as port:
        patient.sections = LOCAL + "".join(
            f"[issuers.{name}]\nchallenge = 'dns-01'\ndns_server = 'localhost:{at}'\n"
            "tsig_key = 'k'\ntsig_secret_file = 'tsig'\n"
            for name, at in (("one", port), ("two", closed))
        )
        fine, wrong = look_at_name_servers(patient.subject())
    assert (fine.verdict, wrong.verdict) == (Verdict.FINE, Verdict.WRONG)


def test_revocation_lists_that_fail_for_long_are_told(patient: Patient) -> None:
    """A short failure is none."""
    subject = patient.subject()
    assert subject.records is not None
    failing = Source(SourceKind.LIST, "http://crl.example/x", None, START, failing_since=START, last_error="no answer.")
    sick = replace(subject, records=replace(subject.records, sources=(failing,)))
    assert only(look_at_revocation(sick)).verdict is Verdict.FINE
    found = only(look_at_revocation(replace(sick, clock=lambda: START + timedelta(hours=3))))
    assert found.verdict is Verdict.WARNING
    assert "crl.example:80 has not answered as it should since 2026-01-01 00:00Z: no answer." in found.text


def test_names_that_do_not_resolve_are_told(patient: Patient) -> None:
    """Those of others are wrong, its own are warned of."""
    patient.sections = "[webhooks.chat]\nurl = 'https://hooks.invalid/x'\n"
    assert only(worst(look_at_names(patient.subject()))).text == "hooks.invalid does not resolve on this machine."
    subject = patient.subject()
    server = subject.settings.server.model_copy(update={"domain": "vaults.invalid"})
    moved = replace(subject, settings=subject.settings.model_copy(update={"server": server}))
    own = worst(look_at_names(moved))[-1]
    assert own.verdict is Verdict.WARNING
    assert "login.vaults.invalid" in own.text
    assert "*.vault.vaults.invalid" in own.to_do


@pytest.mark.parametrize(
    ("listen", "verdict"), [("['203.0.113.7']", Verdict.WRONG), ("['127.0.0.1', '203.0.113.7']", Verdict.NOTE)]
)
def test_addresses_to_listen_on_are_this_machines(patient: Patient, listen: str, verdict: Verdict) -> None:
    """One that is not is left out, unless it is the only one."""
    patient.sections = f"[challenges]\nhttp01_port = 1\nhttp01_listen = {listen}\n"
    found = [one for one in look_at_names(patient.subject()) if "http01_listen" in one.text]
    assert only(found).verdict is verdict
