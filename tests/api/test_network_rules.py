"""From where a vault may be called: default action, addresses, subnets, trusted services, and whom proxies speak for."""

import asyncio
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from certworker.api.addresses import ClientAddresses, Header, plain_address
from certworker.api.app import build_app
from certworker.errors import ForbiddenByFirewall
from certworker.settings import Network, Server, Settings
from certworker.vault.firewall import Firewall
from certworker.vault.rights.caller import Caller
from certworker.vault.rights.scopes import group_scope
from certworker.vault.vaults import NetworkRules, Vault
from tests.api.recording import Recorder
from tests.api.world import VERSION, World, open_world
from tests.support.clock import FakeClock

CLOSED = NetworkRules(allow_by_default=False)
SUBNET = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/net/subnets/App"


@pytest.fixture
def world(tmp_path: Path, clock: FakeClock) -> Iterator[World]:
    """Give a founded deployment with a proxy, a subnet and a trusted service."""
    with open_world(tmp_path, clock) as world:
        settings = world.house.settings
        network = Network(
            subnets={SUBNET: ("10.1.0.0/16", "fd00:1::/64")}, trusted_services={"ours": world.administrator.client_id.upper()}
        )
        server = settings.server.model_copy(update={"trusted_proxies": ("192.0.2.0/24", "2001:db8::1")})
        changed = settings.model_copy(update={"server": server, "network": network})
        yield replace(world, house=replace(world.house, settings=changed))


def set_rules(world: World, rules: NetworkRules, *, public: bool = True) -> None:
    """Give the vault network rules."""
    with world.house.store.writing() as writer:
        writer.replace_vault(replace(world.vault, network=rules, public_access=public))


def get(world: World, address: str, path: str = "/secrets/none", headers: dict[str, str] | None = None) -> httpx.Response:
    """Call the vault from an address."""

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(build_app(world.house), client=(address, 1))
        async with httpx.AsyncClient(transport=transport, base_url=world.vault_url) as client:
            return await client.get(f"{path}?{VERSION}", headers=world.bearer() | (headers or {}))

    return asyncio.run(send())


@pytest.mark.parametrize(
    ("rules", "address", "passes"),
    [
        (NetworkRules(), "198.51.100.7", True),
        (CLOSED, "198.51.100.7", False),
        (CLOSED, "127.0.0.1", False),
        (CLOSED, "::1", False),
        (CLOSED, "nowhere", False),
        (replace(CLOSED, addresses=("198.51.100.7",)), "198.51.100.7", True),
        (replace(CLOSED, addresses=("198.51.100.7",)), "::ffff:198.51.100.7", True),
        (replace(CLOSED, addresses=("198.51.100.7",)), "198.51.100.8", False),
        (replace(CLOSED, addresses=("198.51.100.0/30", "2001:db8:7::/48")), "198.51.100.3", True),
        (replace(CLOSED, addresses=("198.51.100.0/30", "2001:db8:7::/48")), "198.51.100.4", False),
        (replace(CLOSED, addresses=("198.51.100.0/30", "2001:db8:7::/48")), "2001:db8:7::9", True),
        (replace(CLOSED, addresses=("0.0.0.0/0",)), "2001:db8:7::9", False),
        (replace(CLOSED, subnets=(SUBNET.upper(),)), "10.1.255.255", True),
        (replace(CLOSED, subnets=(SUBNET,)), "fd00:1::5", True),
        (replace(CLOSED, subnets=(SUBNET,)), "10.2.0.1", False),
        (replace(CLOSED, subnets=(SUBNET + "2",)), "10.1.0.1", False),
    ],
)
def test_addresses_are_let_in_by_the_rules(world: World, rules: NetworkRules, address: str, *, passes: bool) -> None:
    """IPv4 and IPv6, single and by range; loopback is nothing special, and a subnet without ranges lets nobody in."""
    set_rules(world, replace(rules, bypass_trusted=False))
    answer = get(world, address)
    assert answer.status_code == (404 if passes else 403)
    if not passes:
        error = answer.json()["error"]
        assert (error["code"], error["innererror"]["code"]) == ("Forbidden", "ForbiddenByFirewall")
        assert error["message"].startswith("Client address is not authorized and caller is not a trusted service.\r\n")


def test_a_vault_without_public_access_lets_nobody_in(world: World) -> None:
    """Whatever its rules name."""
    set_rules(world, NetworkRules(bypass_trusted=False, addresses=("198.51.100.7",)), public=False)
    answer = get(world, "198.51.100.7")
    assert answer.status_code == 403
    assert answer.json()["error"]["message"].startswith("Public network access is disabled")


@pytest.mark.parametrize(("rules", "public"), [(CLOSED, True), (NetworkRules(), False)])
def test_a_trusted_service_is_let_in_and_needs_rights(world: World, rules: NetworkRules, *, public: bool) -> None:
    """Its own client id is what counts; what it may not do it still may not."""
    set_rules(world, rules, public=public)
    assert get(world, "198.51.100.7").status_code == 404
    with world.house.store.writing() as writer:
        for assignment in writer.role_assignments(world.tenant, frozenset({world.administrator.object_id})):
            writer.delete_role_assignment(world.tenant, assignment.id)
    answer = get(world, "198.51.100.7")
    assert (answer.status_code, answer.json()["error"]["innererror"]["code"]) == (403, "ForbiddenByRbac")


@pytest.mark.parametrize(
    ("issuer", "more", "passes"),
    [
        ("https://login.localhost/t/v2.0", {}, True),
        ("https://login.localhost.example/t/v2.0", {}, False),
        ("https://elsewhere.example", {}, False),
        ("https://login.localhost/t/v2.0", {"user_name": "ada@contoso.test"}, False),
        ("https://login.localhost/t/v2.0", {"scopes": frozenset({"user_impersonation"})}, False),
    ],
)
def test_who_is_trusted(world: World, issuer: str, more: dict[str, Any], *, passes: bool) -> None:
    """The application itself, by our own word: a foreign issuer's tokens can have any client id."""
    vault, firewall = replace(world.vault, network=CLOSED), Firewall({}, ("0A-Id",), "https://login.localhost")
    caller = Caller("somebody", "0a-id", world.tenant, issuer=issuer, **more)
    with nullcontext() if passes else pytest.raises(ForbiddenByFirewall):
        firewall.require(vault, caller, "198.51.100.7")


def test_the_firewall_comes_after_authentication_and_before_the_vault(world: World) -> None:
    """Without a token it is a challenge; with one, the refusal is the same whether there is such an object; it is recorded."""
    set_rules(world, replace(CLOSED, bypass_trusted=False))
    recorder = Recorder(world.house.store)
    watched = replace(world, house=replace(world.house, trail=recorder))
    assert get(watched, "198.51.100.7", headers={"Authorization": ""}).status_code == 401
    assert get(watched, "198.51.100.7", "/keys/none").status_code == 403
    assert get(watched, "198.51.100.7", "/secrets/none").status_code == 403
    assert [record.operation for record in recorder.appended] == ["Authentication", "KeyGet", "SecretGet"]
    assert recorder.appended[-1].description == "Forbidden/ForbiddenByFirewall"
    assert recorder.appended[-1].caller_address == "198.51.100.7"


def test_the_management_plane_is_not_limited(world: World) -> None:
    """Or nobody could open what was closed by mistake."""
    set_rules(world, replace(CLOSED, bypass_trusted=False))
    token = {"Authorization": f"Bearer {world.token(audience=world.house.settings.management_url)}"}
    scope = group_scope(world.vault.subscription_id, world.vault.resource_group)
    url = f"{world.house.settings.management_url}{scope}/providers/Microsoft.KeyVault/vaults/{world.vault.name}"
    answer = get(world, "198.51.100.7", url, token)
    assert "ForbiddenByFirewall" not in answer.text
    assert answer.status_code not in {401, 403}


@pytest.mark.parametrize(
    ("header", "peer", "sent", "address"),
    [
        ("x-forwarded-for", "192.0.2.1", [], "192.0.2.1"),
        ("x-forwarded-for", "192.0.2.1", ["198.51.100.7"], "198.51.100.7"),
        ("x-forwarded-for", "::ffff:192.0.2.1", ["198.51.100.7"], "198.51.100.7"),
        ("x-forwarded-for", "192.0.2.1", ["10.0.0.1, 198.51.100.7", "192.0.2.9"], "198.51.100.7"),
        ("x-forwarded-for", "192.0.2.1", ["10.0.0.1", "198.51.100.7:4711"], "198.51.100.7"),
        ("x-forwarded-for", "192.0.2.1", ["[2001:db8:7::9]:4711"], "2001:db8:7::9"),
        ("x-forwarded-for", "192.0.2.1", ["::ffff:198.51.100.7"], "198.51.100.7"),
        ("x-forwarded-for", "192.0.2.1", ["198.51.100.7, unknown"], ""),
        ("x-forwarded-for", "192.0.2.1", ["192.0.2.8, 192.0.2.9"], "192.0.2.8"),
        ("x-forwarded-for", "198.51.100.9", ["10.0.0.1"], "198.51.100.9"),
        ("forwarded", "2001:db8::1", ['for=10.0.0.1, for="198.51.100.7:80";proto=https'], "198.51.100.7"),
        ("forwarded", "2001:db8::1", ['proto=https;For="[2001:db8:7::9]:4711"'], "2001:db8:7::9"),
        ("forwarded", "2001:db8::1", ["for=198.51.100.7, for=_hidden"], ""),
        ("forwarded", "2001:db8::1", ["for=198.51.100.7, proto=https"], ""),
        ("forwarded", "2001:db8::1", ['for="1.1.1.1, for=198.51.100.7"'], ""),
    ],
)
def test_proxies_that_are_trusted_tell_the_address(header: Header, peer: str, sent: list[str], address: str) -> None:
    """The one that is farthest to the right and no proxy counts; what cannot be read is nobody's address."""
    addresses = ClientAddresses(("192.0.2.0/24", "2001:db8::1"), header)
    other = "forwarded" if header == "x-forwarded-for" else "x-forwarded-for"
    headers = [(header.encode(), value.encode()) for value in sent] + [(other.encode(), b"203.0.113.1")]
    scope: dict[str, Any] = {"client": (peer, 1), "headers": headers}
    assert addresses.of(scope) == address


def test_what_counted_is_shown(world: World) -> None:
    """In the header, in the decision, and only from a proxy that is trusted."""
    set_rules(world, replace(CLOSED, bypass_trusted=False, addresses=("198.51.100.7",)))
    forwarded = {"X-Forwarded-For": "198.51.100.7"}
    answer = get(world, "192.0.2.1", headers=forwarded)
    assert answer.status_code == 404
    shown = "conn_type=Ipv4;addr=198.51.100.7;act_addr_fam=InterNetwork;"
    assert answer.headers["x-ms-keyvault-network-info"] == shown
    assert get(world, "203.0.113.1", headers=forwarded).status_code == 403


@pytest.mark.parametrize(
    ("text", "address"), [("fe80::1%eth0", "fe80::1"), ("", ""), ("999.1.1.1", ""), ("::FFFF:1.2.3.4", "1.2.3.4")]
)
def test_addresses_have_one_form(text: str, address: str) -> None:
    """Without zones, and IPv4 as such."""
    assert plain_address(text) == address


def test_settings_are_checked() -> None:
    """A range that is none, and an application that is none, are refused at the start."""
    with pytest.raises(ValueError, match=r"10\.0"):
        Settings(server=Server(trusted_proxies=("10.0.0.0/99",)))
    with pytest.raises(ValueError, match="trusted_services"):
        Network(trusted_services={"ours": "not an id"})
    with pytest.raises(ValueError, match="subnets"):
        Network(subnets={SUBNET: ("10.1",)})


def test_rules_are_those_of_now(world: World) -> None:
    """What another process sets holds for the next request."""
    assert get(world, "198.51.100.7").status_code == 404
    closed: Vault = replace(world.vault, network=replace(CLOSED, bypass_trusted=False))
    with world.house.store.writing() as writer:
        writer.replace_vault(closed)
    assert get(world, "198.51.100.7").status_code == 403
