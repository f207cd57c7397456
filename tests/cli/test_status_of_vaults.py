"""One picture of all vaults: each decides for itself what it tells, and what it does not tell is said."""

import json
import sqlite3
from dataclasses import replace
from functools import partial

import pytest

from certworker.cli.client import is_beside
from certworker.cli.options import open_vault
from certworker.cli.status import _changes, _print_change
from certworker.cli.status_vaults import ask_all, together
from certworker.vault.access import SERVICE
from certworker.vault.rights.policies import AccessPolicy
from certworker.vault.rights.scopes import vault_scope
from certworker.vault.summary.keeping import Summary
from certworker.vault.vaults import NetworkRules, Principal, Vault
from certworker.worker.rounds import Rounds
from tests.cli.terminal import Terminal
from tests.cli.test_status_picture import draw
from tests.support.clock import START
from tests.support.deployment import policy_for
from tests.support.operations import assign, go_by_policies

READER: str = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
"""Azure's role Reader, of the management plane."""


def add_vault(terminal: Terminal, name: str) -> Vault:
    """Make another vault."""
    world = terminal.world
    vault = replace(world.vault, id=name, name=name)
    with world.house.store.writing() as writer:
        writer.add_vault(vault)
        writer.add_wrapped_key(world.house.keyring.new_vault_key(vault.id, START))
    return vault


def create(terminal: Terminal, vault: Vault, *names: str) -> None:
    """Have certificates made, and let the worker do what is due."""
    policy = policy_for("web.example", "Self")
    policy = replace(policy, x509=replace(policy.x509, validity_months=1))
    for name in names:
        terminal.world.house.certificates.create(SERVICE, vault, name, policy, tags={})
    catch_up(terminal)


def catch_up(terminal: Terminal) -> None:
    """Let the worker do what is due, the summary with it."""
    Rounds(terminal.world.house, "test-worker").run_due(terminal.world.clock())
    while Summary(terminal.world.house.store).catch_up():
        pass


def as_(principal: Principal, secret: str) -> dict[str, str]:
    """Say by the environment who calls."""
    return {"CERTWORKER_CLIENT_ID": principal.client_id, "CERTWORKER_CLIENT_SECRET": secret}


def test_all_vaults_are_in_one_picture(terminal: Terminal) -> None:
    """Problems first, with their vault and a command that goes there; the rest is summed, and each vault has a line."""
    here, shop = terminal.world.vault, add_vault(terminal, "shop")
    create(terminal, here, "web", "mail")
    create(terminal, shop, "till")
    terminal("certificate", "pause", "mail", "--why", "The shop moves house")
    url = f"https://shop.{terminal.world.house.settings.vault_suffix}"
    terminal("certificate", "pause", "till", "--why", "So does the till", "--vault-url", url)
    catch_up(terminal)
    found = terminal("status", "--all-vaults", "--json").json
    assert (found["certificates"], found["needing_attention"]) == (3, 2)
    assert found["states"] == {"valid": 1, "paused": 2}
    assert [(one["vault"], one["name"], one["to_do"]) for one in found["problems"]] == [
        (here.name, "mail", "certworker certificate resume mail"),
        ("shop", "till", f"certworker certificate resume till --vault-url {url}"),
    ]
    assert {one["name"]: (one["certificates"], one["needing_attention"]) for one in found["vaults"]} == {
        here.name: (2, 1),
        "shop": (1, 1),
    }
    assert found["not_counted"] == []
    assert sum(day["expiries"] for day in found["ahead"]) == 3
    text = terminal("status", "-A").out
    assert "2 vaults  3 certificates: 1 fine, 2 need you" in text
    assert "till in shop (Self)  renewal paused" in text
    assert "So does the till" in text
    assert ["shop", "1", "1", "nothing"] in [line.split() for line in text.splitlines()]
    terminal(*found["problems"][1]["to_do"].split()[1:])


def test_each_vault_decides_what_is_told(terminal: Terminal) -> None:
    """One whose certificates the caller may not list is named, if he may read of it; others are not there for him."""
    world = terminal.world
    here, closed, read, hidden = world.vault, *(add_vault(terminal, name) for name in ("closed", "read", "hidden"))
    create(terminal, here, "web")
    create(terminal, hidden, "web")
    ada, secret = world.add_principal("ada", administrator=False)
    for vault in (here, closed):
        go_by_policies(world.house, vault, AccessPolicy(ada.tenant_id, ada.object_id, {"certificates": ("list",)}))
    assign(world.house, ada.object_id, READER, vault_scope(read))
    with world.house.store.writing() as writer:
        writer.replace_vault(replace(closed, rbac=False, network=NetworkRules(allow_by_default=False)))
    found = terminal("status", "--all-vaults", "--json", **as_(ada, secret)).json
    assert found["certificates"] == 1
    assert [one["name"] for one in found["vaults"]] == [here.name]
    whys = {one["name"]: one["why"] for one in found["not_counted"]}
    assert whys.keys() == {"closed", "read"}
    assert "Client address is not authorized" in whys["closed"]
    text = terminal("status", "--all-vaults", **as_(ada, secret)).out
    assert "1 vault  " in text
    assert "read is not counted: you may not list certificates there" in text
    assert "hidden" not in text
    bob, secret = world.add_principal("bob", administrator=False)
    refused = terminal.try_("status", "--all-vaults", **as_(bob, secret))
    assert (refused.code, "no vault of which you may list the certificates" in refused.err) == (4, True)


def test_one_that_fails_does_not_hide_the_others(terminal: Terminal) -> None:
    """What it answers is said in its place; where none answers, that is the error."""
    here, broken = terminal.world.vault, add_vault(terminal, "broken")
    create(terminal, here, "web")
    create(terminal, broken, "till")
    database = sqlite3.connect(terminal.world.house.settings.database_url.removeprefix("sqlite:///"), isolation_level=None)
    harm = "UPDATE fleet_member SET needy_from = 1, state = 'harmed' WHERE vault = ?"
    database.execute(harm, ("broken",))
    found = terminal("status", "--all-vaults", "--json").json
    assert [one["name"] for one in found["vaults"]] == [here.name]
    assert [one["name"] for one in found["not_counted"]] == ["broken"]
    database.execute(harm, (here.name,))
    database.close()
    refused = terminal.try_("status", "--all-vaults")
    assert (refused.code, "an error of its own" in refused.err) == (1, True)


def test_watching_all_vaults_tells_which_one_changed(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line for each change, with the vault's name."""
    shop = add_vault(terminal, "shop")
    for name, value in terminal.environment().items():
        monkeypatch.setenv(name, value)
    with open_vault(None) as client:
        changes = _changes(partial(ask_all, client, 20), 0)
        assert next(changes)["certificates"] == 0
        create(terminal, shop, "till")
        terminal.world.house.lifecycle.pauses.pause(SERVICE, shop, "till", "The till moves house")
        catch_up(terminal)
        _print_change(next(changes), as_json=False)
    assert capsys.readouterr().out.endswith("  1 certificate, 1 to attend to: till in shop renewal paused\n")


def one_of(number: int, begins: int = 86400 * 20000) -> dict[str, object]:
    """Make up the status of one of many vaults; of every other one a CA is down."""
    needy = 500 if number == 7 else 0
    problem = {"name": "x" * 127, "issuer": "ca", "what": "expired", "severity": "critical", "expires": number}
    return {
        "vault": f"vault-{number}",
        "at": begins,
        "certificates": 1000,
        "needing_attention": needy,
        "states": {"valid": 1000},
        "problems": [{**problem, "to_do": "certworker certificate show"}] * min(needy, 20),
        "issuers": [{"name": "ca", "certificates": 1000, "needing_attention": needy}],
        "gates": [{"issuer": "ca", "reason": "outage", "since": begins - 60}] * (number % 2),
        "ahead": [{"begins": begins + 86400 * day, "renewals": 3, "expiries": 1} for day in range(90)],
        "dead_notices": number % 2,
        "more_dead_notices": False,
        "changes_waiting": 0,
    }


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
@pytest.mark.parametrize("width", [40, 60, 80])
def test_many_vaults_fit_on_the_screen(width: int, encoding: str) -> None:
    """Those that need somebody have their line; how many there are besides is said."""
    urls = [(f"https://vault-{number}.vault.example", one_of(number)) for number in range(100)]
    merged = together(urls, [{"name": "shut", "why": "It is shut."}], urls[0][0])
    text = draw(merged, width, encoding, rows=50)
    lines = text.splitlines()
    assert max(map(len, lines)) <= width
    words = " ".join(text.split())
    assert "100 vaults 100,000 certificates: 99,500 fine, 500 need you" in words
    assert "and 84 more vaults, all fine" in words
    assert "shut is not counted: It is shut." in words
    assert next(line for line in lines if line.startswith("vault-")).startswith("vault-7 ")


def test_vaults_that_are_not_counted_leave_room_for_the_others() -> None:
    """A line for each reason, of which a vault's first line is enough; without a screen all are named."""
    fenced = [{"name": f"fenced-{number}", "why": f"Not from here.  Caller: {number}"} for number in range(200)]
    failing = [{"name": f"failing-{number}", "why": f"An error: {number}"} for number in range(200)]
    merged = together([("https://vault-7.vault.example", one_of(7))], [*fenced, *failing], "")
    screen = draw(merged, 80, "utf-8", rows=24)
    assert len(screen.splitlines()) < 60
    words = " ".join(screen.split())
    assert "fenced-0, fenced-1, fenced-2, fenced-3, fenced-4 and 195 more are not counted: Not from here. failing-0 is" in words
    assert "and 196 more are not counted" in words
    whole = " ".join(draw(merged, 80, "utf-8").split())
    assert "fenced-199 are not counted: Not from here." in whole
    assert "failing-199 is not counted" in whole


def test_what_is_most_urgent_stands_first_whosever_it_is() -> None:
    """What is critical, then what ends first and what never does; the latest answer and the latest worker count."""
    first, second = one_of(1), one_of(2, 86400 * 20001)
    usual = {"issuer": "ca", "what": "expired", "to_do": "certworker certificate show x"}
    first |= {
        "problems": [
            {"name": "late", "severity": "critical", "expires": 9, **usual},
            {"name": "never", "severity": "warning", **usual},
        ]
    }
    second |= {"problems": [{"name": "soon", "severity": "critical", "expires": 1, **usual}], "more_dead_notices": True}
    first |= {"worker": {"last_run": 5, "failed": True}}
    second |= {"worker": {"last_run": 7, "failed": False}, "changes_waiting": 3}
    merged = together([("https://a", first), ("https://b", second)], [], "https://a")
    assert [(one["vault"], one["name"]) for one in merged["problems"]] == [
        ("vault-2", "soon"),
        ("vault-1", "late"),
        ("vault-1", "never"),
    ]
    assert [one["to_do"].removeprefix("certworker certificate show x") for one in merged["problems"]] == [
        " --vault-url https://b",
        "",
        "",
    ]
    assert (merged["at"], merged["worker"], merged["changes_waiting"]) == (second["at"], second["worker"], 3)
    assert (merged["dead_notices"], merged["more_dead_notices"]) == (1, True)


def test_midnight_may_pass_between_two_answers() -> None:
    """The day that is over in one of them is left out, and no day is counted twice."""
    day = 86400
    merged = together([("a", one_of(1, day)), ("b", one_of(2, 2 * day))], [], "a")
    assert [one["begins"] for one in merged["ahead"][:2]] == [2 * day, 3 * day]
    assert [one["renewals"] for one in merged["ahead"]] == [6] * 89 + [3]
    assert json.dumps(merged)


@pytest.mark.parametrize(
    ("url", "here", "expected"),
    [
        ("https://shop.vault.example.com:8443", "https://main.vault.example.com:8443", True),
        ("https://shop.vault.localhost:8443", "https://localhost:8443", True),
        ("http://shop.vault.example.com:8443", "https://main.vault.example.com:8443", False),
        ("https://shop.vault.example.com", "https://main.vault.example.com:8443", False),
        ("https://shop.vault.evil.com", "https://main.vault.example.com", False),
        ("https://evil.com", "https://localhost:8443", False),
        ("https://evil.com/.vault.localhost", "https://localhost:8443", False),
        ("https://a@b.vault.example.com", "https://main.vault.example.com", False),
        ("https://evil", "https://main", False),
        ("https://1.0.0.2", "https://10.0.0.2", False),
        ("https://shop.vault.example.com", "https://main.vault.example.com:443", True),
        ("https://evil.vault.", "https://main", False),
        ("https://shop.vault.example.com:x", "https://main.vault.example.com", False),
    ],
)
def test_a_token_stays_in_the_domain(url: str, here: str, *, expected: bool) -> None:
    """Whatever address a vault names for another one."""
    assert is_beside(url, here) is expected
