"""Certificates from the command line: made, listed, shown, renewed, deleted, and their policies."""

import json
from datetime import datetime, timedelta

import pytest

from certworker.vault.access import Caller
from certworker.vault.issuance import IssuanceRequest, Pending, Rejected, Revocation, Step
from certworker.vault.operations import Progress
from certworker.worker.rounds import Rounds
from tests.cli.terminal import Terminal, working

WEB = ("certificate", "create", "web", "--dns", "web.example", "--curve", "P-256")


def refuse(_request: IssuanceRequest, _progress: Progress | None, _at: datetime) -> Step:
    """Answer as a CA that does not want to, in words that would make a mess of a terminal."""
    return Rejected("Request rejected", "Not\x1b[31m today.")


def hesitate(_request: IssuanceRequest, _progress: Progress | None, at: datetime) -> Step:
    """Answer as a CA that has got no further than the order."""
    return Pending({"step": "ordered"}, at)


@pytest.fixture
def issuer(terminal: Terminal) -> str:
    """Set an issuer."""
    terminal("issuer", "set", "ca", "--provider", "Scripted")
    return "ca"


def test_a_self_signed_certificate_is_made(terminal: Terminal) -> None:
    """It is there when the command comes back."""
    said = terminal(*WEB)
    assert "valid until 2027-01-01T00:00:00Z" in said.out
    rows = terminal("certificate", "list").table()
    assert [row[:3] for row in rows] == [["web", "yes", "2027-01-01T00:00:00Z"]]
    assert terminal(*WEB, "--json").json["policy"]["x509_props"]["subject"] == "CN=web.example"


def test_a_certificate_of_an_issuer_is_waited_for(terminal: Terminal, issuer: str) -> None:
    """Each step is told once, on standard error, so that standard output is for the result."""
    terminal.world.authority.script.extend([hesitate, hesitate])
    with working(terminal.world):
        said = terminal(*WEB, "--issuer", issuer, "--profile", "short", "--json")
    assert said.json["policy"]["issuer"] == {"name": "ca", "cty": "short"}
    assert terminal.world.authority.requests[-1].profile == "short"


def test_an_issuance_that_fails_says_why(terminal: Terminal, issuer: str) -> None:
    """The operation's error is the command's, on one line without control characters."""
    terminal.world.authority.script.append(refuse)
    with working(terminal.world):
        said = terminal.try_(*WEB, "--issuer", issuer)
    assert said.code == 1
    last = said.err.splitlines()[-1]
    assert last.startswith("certworker: web was not issued (failed): Request rejected: Not")
    assert "\x1b" not in said.err


def test_nobody_waits_for_ever(terminal: Terminal, issuer: str) -> None:
    """After the time that was allowed the command says that it goes on."""
    said = terminal.try_(*WEB, "--issuer", issuer, "--timeout", "0.3")
    assert said.code == 6
    assert "it goes on" in said.err
    assert terminal("certificate", "list").table() == []
    assert [row[0] for row in terminal("certificate", "list", "--pending").table()] == ["web"]


def test_a_cancelled_issuance_is_an_error(terminal: Terminal, issuer: str) -> None:
    """Whoever waits for it is told; what was cancelled cannot be cancelled again."""
    world = terminal.world
    terminal(*WEB, "--issuer", issuer, "--no-wait")
    assert "is being cancelled" in terminal("certificate", "cancel", "web").out
    Rounds(world.house, "test-worker").run_due(world.clock())
    assert terminal.try_("certificate", "cancel", "web").code == 4

    def cancelled(_request: IssuanceRequest, _progress: Progress | None, at: datetime) -> Step:
        who = world.administrator
        caller = Caller(who.object_id, who.client_id, who.tenant_id)
        world.house.certificates.request_cancellation(caller, world.vault, "web")
        return Pending({"step": "ordered"}, at + timedelta(hours=1))

    world.authority.script.append(cancelled)
    with working(world):
        said = terminal.try_(*WEB, "--issuer", issuer)
    assert said.code == 1
    assert "somebody cancelled it" in said.err


def test_the_operation_in_the_way_of_a_renewal_is_named(terminal: Terminal, issuer: str) -> None:
    """With its id, for whoever wants to look at it or cancel it."""
    operation = terminal(*WEB, "--issuer", issuer, "--no-wait", "--json").json
    assert operation["status"] == "inProgress"
    said = terminal.try_("certificate", "renew", "web")
    assert said.code == 5
    assert operation["request_id"] in said.err


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("certificate", "create", "web", "--issuer", "Unknown", "--dns", "web.example"), 2),
        (("certificate", "create", "web"), 2),
        (("certificate", "create", "web", "--issuer", "nobody", "--dns", "web.example"), 3),
        (("certificate", "create", "w_b", "--dns", "web.example"), 1),
        (("certificate", "create"), 2),
        (("certificate", "show", "nobody"), 3),
        (("certificate", "show", "../secrets"), 1),
        (("certificate", "renew", "nobody"), 3),
        (("certificate", "delete", "nobody"), 3),
        (("certificate", "recover", "nobody"), 3),
        (("certificate", "purge", "nobody"), 3),
        (("certificate", "policy", "show", "nobody"), 3),
        (("certificate", "frobnicate"), 2),
    ],
)
def test_what_cannot_be_done_has_its_exit_code(terminal: Terminal, words: tuple[str, ...], code: int) -> None:
    """And is said on standard error only."""
    said = terminal.try_(*words)
    assert (said.code, said.out) == (code, "")
    assert said.err


def test_a_certificate_is_shown_with_its_history(terminal: Terminal, issuer: str) -> None:
    """What it is, what was done, and when it is renewed; the times are UTC in ISO 8601."""
    terminal.world.authority.script.append(hesitate)
    with working(terminal.world):
        terminal(*WEB, "--issuer", issuer)
    shown = terminal("certificate", "show", "web").out
    fields = dict(line.split("  ", 1) for line in shown.splitlines() if "  " in line)
    fields = {name: value.strip() for name, value in fields.items()}
    assert (fields["subject"], fields["issuer"], fields["key"]) == ("CN=web.example", "ca", "EC P-256")
    assert fields["valid until"] == "2026-04-01T00:00:00Z"
    assert fields["status"] == "completed"
    assert fields["renewal due"] > fields["valid from"]
    assert [line.split()[1] for line in shown.splitlines()[-3:]] == ["key-made", "ordered", "merged"]
    version = terminal("certificate", "show", "web", "--json").json["id"].rpartition("/")[2]
    assert terminal("certificate", "show", "web", "--version", version, "--json").json["attributes"]["enabled"]


def test_a_certificate_is_renewed_now(terminal: Terminal, issuer: str) -> None:
    """By hand, whatever the plan says, and whoever signs."""
    with working(terminal.world):
        terminal(*WEB, "--issuer", issuer)
        before = terminal("certificate", "show", "web", "--json").json["id"]
        after = terminal("certificate", "renew", "web", "--json").json["id"]
    assert before != after
    begun = terminal("certificate", "renew", "web", "--no-wait", "--json").json
    assert (begun["status"], begun["reason"]) == ("inProgress", "requested")


def test_a_request_cannot_be_renewed_and_the_error_says_what_to_do(terminal: Terminal) -> None:
    """Nobody could sign it."""
    terminal(*WEB)
    actions = [{"trigger": {"lifetime_percentage": 80}, "action": {"action_type": "EmailContacts"}}]
    change = json.dumps({"issuer": {"name": "Unknown"}, "lifetime_actions": actions})
    terminal("certificate", "policy", "set", "web", "-", stdin=change)
    said = terminal.try_("certificate", "renew", "web")
    assert said.code == 5
    assert "certworker csr create web" in said.err


def test_a_policy_goes_out_and_comes_back(terminal: Terminal) -> None:
    """What `show` prints, `set` takes, from a file or from standard input."""
    terminal(*WEB)
    policy = terminal("certificate", "policy", "show", "web").json
    policy["x509_props"]["validity_months"] = 6
    assert terminal("certificate", "policy", "set", "web", stdin=json.dumps(policy)).out == "The policy of web is changed.\n"
    file = terminal.folder / "policy.json"
    file.write_text(json.dumps({"x509_props": {"validity_months": 3}}))
    changed = terminal("certificate", "policy", "set", "web", str(file), "--json").json
    assert changed["x509_props"]["validity_months"] == 3
    assert changed["x509_props"]["subject"] == "CN=web.example"
    for content in ("{", "[]", b"\xff"):
        assert terminal.try_("certificate", "policy", "set", "web", stdin=content).code == 2


def test_a_deleted_certificate_comes_back_until_it_is_purged(terminal: Terminal) -> None:
    """Delete, list, recover, delete, purge."""
    terminal(*WEB)
    assert "2026-04-01T00:00:00Z" in terminal("certificate", "delete", "web").out
    assert terminal.try_(*WEB).code == 5
    (row,) = terminal("certificate", "list", "--deleted").table()
    assert (row[0], row[-1]) == ("web", "2026-04-01T00:00:00Z")
    terminal("certificate", "recover", "web")
    assert terminal("certificate", "delete", "web", "--json").json["recoveryId"].endswith("/deletedcertificates/web")
    terminal("certificate", "purge", "web")
    assert terminal("certificate", "list", "--deleted", "--json").json["value"] == []


@pytest.mark.long
def test_a_long_list_is_given_whole(terminal: Terminal) -> None:
    """Page after page, in one answer."""
    for number in range(27):
        terminal("certificate", "create", f"web-{number:02}", "--dns", "web.example", "--curve", "P-256")
    listed = terminal("certificate", "list", "--json").json
    assert len(listed["value"]) == 27
    assert listed["nextLink"] is None
    assert len(terminal("certificate", "list").table()) == 27


def test_a_certificate_is_revoked_by_its_issuer(terminal: Terminal, issuer: str) -> None:
    """The version that is meant is told; a reason that is none, and a CA that refuses, are errors."""
    with working(terminal.world):
        version = terminal(*WEB, "--issuer", issuer, "--json").json["id"].rpartition("/")[2]
    words = ("certificate", "revoke", "web")
    assert terminal(*words, "--reason", "superseded").out == f"web, version {version}, is revoked by ca (reason: superseded).\n"
    said = terminal(*words, "--version", version, "--reason", "keycompromise", "--yes", "--json")
    assert said.json["reason"] == "keyCompromise"
    assert terminal.try_(*words).code == 2
    assert "superseded (4)" in terminal.try_(*words, "--reason", "because").err
    terminal.world.authority.refusals.append(Revocation(done=False, message="Not\x1b[31m yours."))
    refused = terminal.try_(*words, "--reason", "superseded")
    assert (refused.code, "not revoked. Not" in refused.err, "\x1b" in refused.err) == (5, True, False)
