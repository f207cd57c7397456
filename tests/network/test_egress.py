"""Which addresses may be reached."""

import socket

import pytest

from certworker.errors import SettingsError, Unavailable
from certworker.network.egress import EgressRefused, EgressRules, Lookup, SocketAddress, Unreachable

PUBLIC = "93.184.215.14"
REFUSED = [
    "0.0.0.0",  # noqa: S104
    "10.1.2.3",
    "100.64.0.1",
    "127.0.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "192.0.0.8",
    "192.0.2.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:10.0.0.1",
    "::ffff:127.0.0.1",
    "64:ff9b::10.0.0.1",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:a00:1::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd12:3456::1",
    "fe80::1",
    "fec0::1",
    "ff02::1",
]


def names(**addresses: list[str]) -> Lookup:
    """Resolve names from a table; an underscore is a full stop."""
    table = {name.replace("_", "."): found for name, found in addresses.items()}

    def look_up(host: str, port: int) -> list[tuple[socket.AddressFamily, SocketAddress]]:
        if host not in table:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [_pair(address, port) for address in table[host]]

    return look_up


def _pair(address: str, port: int) -> tuple[socket.AddressFamily, SocketAddress]:
    return (socket.AF_INET6, (address, port, 0, 0)) if ":" in address else (socket.AF_INET, (address, port))


def found(rules: EgressRules, host: str) -> list[str]:
    """Tell the addresses that a host may be reached at."""
    return [address[0] for _, address in rules.resolve(host, 443)]


@pytest.mark.parametrize("address", REFUSED)
def test_what_is_not_of_the_public_internet_is_refused(address: str) -> None:
    """As an address in a URL and as what a name resolves to; host and setting are named."""
    rules = EgressRules(lookup=names(evil_test=[address]))
    for host in (address, "evil.test"):
        with pytest.raises(EgressRefused) as refused:
            rules.resolve(host, 443)
        assert host in str(refused.value)
        assert "network.allow_private" in str(refused.value)


@pytest.mark.parametrize("address", [PUBLIC, "2606:4700:4700::1111", "::ffff:1.1.1.1", "64:ff9b::1.1.1.1", "2002:101:101::1"])
def test_what_is_public_is_found(address: str) -> None:
    """Also behind a mapping, a tunnel or a translator."""
    assert found(EgressRules(lookup=names(good_test=[address])), "good.test") == [address]
    assert found(EgressRules(), address) == [address]


def test_only_the_public_ones_of_several_addresses_are_given() -> None:
    """A private address among public ones is passed over."""
    rules = EgressRules(lookup=names(mixed_test=["10.0.0.1", PUBLIC, "::1"]))
    assert found(rules, "mixed.test") == [PUBLIC]


def test_a_host_can_be_allowed_by_name() -> None:
    """Whatever it resolves to; case and a last full stop do not matter, and its neighbours stay refused."""
    rules = EgressRules(("CA.corp.test",), lookup=names(ca_corp_test=["10.0.0.1"], x_ca_corp_test=["10.0.0.1"]))
    assert found(rules, "ca.corp.test") == ["10.0.0.1"]
    assert found(EgressRules(("ca.corp.test",), lookup=lambda *_: [_pair("10.0.0.1", 443)]), "CA.Corp.Test.") == ["10.0.0.1"]
    with pytest.raises(EgressRefused):
        rules.resolve("x.ca.corp.test", 443)


def test_hosts_can_be_allowed_by_suffix() -> None:
    """A pattern covers what is below it, at any depth, and not the name itself nor one that only ends alike."""
    table = names(a_corp_test=["10.0.0.1"], a_b_corp_test=["10.0.0.1"], corp_test=["10.0.0.1"], evilcorp_test=["10.0.0.1"])
    rules = EgressRules(("*.corp.test",), lookup=table)
    assert found(rules, "a.corp.test") == found(rules, "a.b.corp.test") == ["10.0.0.1"]
    for host in ("corp.test", "evilcorp.test"):
        with pytest.raises(EgressRefused):
            rules.resolve(host, 443)


@pytest.mark.parametrize(
    ("network", "address"),
    [
        ("10.0.0.0/8", "10.9.8.7"),
        ("10.0.0.5/8", "10.9.8.7"),
        ("10.9.8.7", "10.9.8.7"),
        ("10.0.0.0/8", "::ffff:10.9.8.7"),
        ("fd00::/8", "fd00::1"),
        ("[fe80::1]", "fe80::1"),
        ("169.254.0.0/16", "169.254.169.254"),
    ],
)
def test_a_network_can_be_allowed(network: str, address: str) -> None:
    """A network or a single address, for URLs with an address and for names that resolve to it."""
    rules = EgressRules((network,), lookup=names(ca_test=[address]))
    assert found(rules, "ca.test") == found(rules, address) == [address]
    with pytest.raises(EgressRefused):
        rules.resolve("192.168.0.1", 443)


@pytest.mark.parametrize("entry", ["10.0.0.0/40", "corp.test/8", "fd00::/200"])
def test_a_network_that_cannot_be_read_is_a_fault_of_the_settings(entry: str) -> None:
    """It is told on the first day, by the name of the setting."""
    with pytest.raises(SettingsError, match=r"network\.allow_private"):
        EgressRules((entry,))


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST.", "vault.localhost", "a.b.localhost"])
def test_localhost_is_loopback_by_definition(host: str) -> None:
    """The system is not asked, and it is refused like every other loopback address unless it is allowed."""
    asked: list[str] = []
    rules = EgressRules(("127.0.0.0/8", "::1"), lookup=lambda host, _: asked.append(host) or [])  # type: ignore[func-returns-value]
    assert found(rules, host) == ["127.0.0.1", "::1"]
    assert asked == []
    assert found(EgressRules(("*.localhost", "localhost")), host) == ["127.0.0.1", "::1"]
    with pytest.raises(EgressRefused):
        EgressRules().resolve(host, 443)


@pytest.mark.parametrize("host", ["2130706433", "127.1", "0x7f.0.0.1", "0177.0.0.1"])
def test_an_address_in_disguise_is_seen_through(host: str) -> None:
    """The system reads odd forms of an address, and what it reads is checked; or it reads none."""
    with pytest.raises((EgressRefused, Unreachable)):
        EgressRules().resolve(host, 443)


@pytest.mark.parametrize("host", ["nowhere.test", "a" * 300, "a..b", "\u2603" * 64])
def test_a_name_that_does_not_resolve_is_unreachable(host: str) -> None:
    """That may change, so it is no refusal."""
    with pytest.raises(Unavailable, match="does not resolve"):
        EgressRules(lookup=names() if host == "nowhere.test" else EgressRules().lookup).resolve(host, 443)


def test_a_name_without_addresses_is_unreachable() -> None:
    """An empty answer is no permission."""
    with pytest.raises(Unreachable, match="no address"):
        EgressRules(lookup=names(empty_test=[])).resolve("empty.test", 443)
