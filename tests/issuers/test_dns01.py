"""dns-01 at Pebble, by dynamic updates of a real name server and by a hook: what is put up, waited for and removed."""

import logging
import stat
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from certworker.issuers.acme import AcmeIssuerSettings, AcmeProvider, ChallengeSettings, DnsSettings
from certworker.network.dns import DynamicUpdates, NameServer, UpdateKey
from certworker.network.egress import EgressRules
from certworker.vault.issuance import Pending, Rejected
from tests.issuers.journey import LOOPBACK, Journey, assert_issued, make_request
from tests.issuers.memory import MemoryBoard
from tests.issuers.pebble import Pebble, running_pebble
from tests.support.named import Named, serving_zone

pytestmark = pytest.mark.system("named", "pebble", "pebble-challtestsrv")

OWNER = "_acme-challenge.www.example.test."


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Named]:
    """Serve example.test, for updates by one key."""
    alias = "_acme-challenge.alias CNAME delegated.example.test."
    with serving_zone(tmp_path_factory.mktemp("named"), "example.test", records=alias) as running:
        yield running


@pytest.fixture(scope="module")
def asking_pebble(named: Named, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pebble]:
    """Run a Pebble that asks this name server, and refuses three of ten good nonces."""
    with running_pebble(tmp_path_factory.mktemp("pebble"), 1, name_server=named.address, WFE_NONCEREJECT="30") as running:
        yield running


@pytest.fixture
def dns(named: Named, tmp_path: Path) -> DnsSettings:
    """Name the server and its key."""
    file = tmp_path / "tsig.secret"
    file.write_text(named.secret + "\n")
    file.chmod(0o600)
    return DnsSettings(server=named.address, key_name=named.key, key_file=file, servers=(named.address,))


@pytest.fixture
def proving(asking_pebble: Pebble, dns: DnsSettings) -> Journey:
    """Begin an issuance by dns-01."""
    journey = Journey(make_request(asking_pebble.directory), MemoryBoard())
    journey.settings = AcmeIssuerSettings(asking_pebble.ca_bundle)
    return with_dns(journey, dns)


def with_dns(journey: Journey, dns: DnsSettings) -> Journey:
    """Give an issuance other settings."""
    journey.settings = replace(journey.settings, challenge=ChallengeSettings("dns-01", dns=dns))
    return journey


def updates(named: Named) -> DynamicUpdates:
    """Change the zone as somebody else."""
    key = UpdateKey(named.key, named.algorithm, named.secret)
    return DynamicUpdates(LOOPBACK, NameServer.read(named.address), key, named.zone, 1, 5.0)


def test_a_wildcard_and_its_base_stand_side_by_side(proving: Journey, named: Named) -> None:
    """Two values at one name at once, beside a stranger's, which is all that is there in the end."""
    updates(named).add("_acme-challenge.both.example.test.", "of-somebody-else")
    proving.ask_for("both.example.test", "*.both.example.test")
    presented = proving.until_step("presented")
    assert presented.progress["presented"] == "2"
    assert len(named.texts("_acme-challenge.both.example.test.")) == 3
    assert_issued(proving.run(), "both.example.test", "*.both.example.test")
    assert named.texts("_acme-challenge.both.example.test.") == {"of-somebody-else"}
    assert proving.board.notes == {}
    assert proving.board.responses == {}


@pytest.mark.parametrize("name", ["ordered", "presented", "answered", "cleared"])
def test_a_killed_process_is_gone_on_from(proving: Journey, named: Named, name: str) -> None:
    """Killed after a step was taken and before it was recorded: the next one goes on, and nothing stays in the zone."""
    before = proving.until_step(name)
    assert isinstance(proving.step(), Pending)
    proving.progress = before.progress
    assert_issued(proving.run(), "www.example.test")
    assert named.texts(OWNER) == set()


def test_what_is_not_seen_is_waited_for(proving: Journey, dns: DnsSettings, named: Named, tmp_path: Path) -> None:
    """A server that does not show the value is asked again and again; after a while that is a failure, and then it goes on."""
    with serving_zone(tmp_path / "other", "example.test") as late:
        with_dns(proving, replace(dns, servers=(named.address, late.address), patience_seconds=100))
        proving.until_step("presented")
        begun, waits = proving.at, [proving.step() for _ in range(5)]
        assert all(isinstance(one, Pending) and one.failure is None for one in waits), waits
        sentence = f"The name server {late.address} does not show the TXT record of {OWNER} yet."
        assert waits[-1].waits_for == sentence  # type: ignore[union-attr]
        assert proving.at - begun == timedelta(seconds=1 + 2 + 4 + 8 + 16)
        failure = proving.until(lambda result: isinstance(result, Pending) and result.failure is not None)
        assert str(failure.failure).startswith(sentence)  # type: ignore[union-attr]
        assert proving.at - begun > timedelta(seconds=100)
        for value in named.texts(OWNER):
            updates(late).add(OWNER, value)
        proving.until_step("answered")
    assert_issued(proving.run(), "www.example.test")


def test_a_proof_that_belongs_elsewhere_is_put_there(
    proving: Journey, dns: DnsSettings, named: Named, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """An alias that leads nowhere is mended while the order waits: it goes on, and what is noted of the old place is tried."""
    with serving_zone(tmp_path / "other", "example.test", records="_acme-challenge.www CNAME lost.other.test.") as wrong:
        with_dns(proving, replace(dns, servers=(wrong.address,)))
        failure = proving.until(lambda result: isinstance(result, Pending) and result.failure is not None)
        assert "does not say which zone lost.other.test. is in" in str(failure)
    with_dns(proving, dns)
    assert_issued(proving.run(), "www.example.test")
    assert named.texts(OWNER) == set()
    assert "What was put up to prove lost.other.test. was not taken down" in caplog.text
    assert list(proving.board.notes) == ["presented:operation"]


def test_a_refused_order_leaves_nothing_in_the_zone(proving: Journey, named: Named) -> None:
    """What is removed by somebody before the CA looks makes the order invalid; the rest of it is removed by us."""
    proving.ask_for("one.example.test", "two.example.test")
    proving.until(lambda result: isinstance(result, Pending) and result.progress.get("seen") == "2")
    for value in named.texts("_acme-challenge.one.example.test."):
        updates(named).remove("_acme-challenge.one.example.test.", value)
    result = proving.run()
    assert isinstance(result, Rejected)
    assert "one.example.test" in result.message
    assert named.texts("_acme-challenge.two.example.test.") == set()
    assert proving.board.notes == {}


def test_a_cancelled_order_leaves_nothing_in_the_zone(proving: Journey, named: Named) -> None:
    """Cancelled while it waits, with the CA gone: the value is removed all the same."""
    proving.until_step("presented")
    assert len(named.texts(OWNER)) == 1
    proving.ask("https://127.0.0.1:9/dir")
    provider = proving.provider()
    assert isinstance(provider, AcmeProvider)
    assert provider.cancel(proving.request, proving.progress or {}, proving.at) is None
    assert named.texts(OWNER) == set()


def test_an_alias_is_followed(proving: Journey, named: Named) -> None:
    """Where `_acme-challenge` is a CNAME, the value is put and removed where that leads, and Pebble follows it too."""
    proving.ask_for("alias.example.test")
    proving.until_step("presented")
    assert len(named.texts("delegated.example.test.")) == 1
    assert_issued(proving.run(), "alias.example.test")
    assert named.texts("delegated.example.test.") == set()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"key_name": "nobody"}, "does not accept the TSIG key"),
        ({"key_algorithm": "hmac-sha512"}, "does not accept the TSIG key"),
        ({"secret": "d3Jvbmc="}, "does not accept the TSIG key"),
        ({"secret": "not base64!"}, "is not base64"),
        ({"secret": ""}, "is not base64"),
        ({"mode": 0o644}, "is open to others"),
        ({"secret": None}, "cannot be read"),
        ({"zone": "other.test"}, "is not in the zone other.test."),
        ({"zone": "test"}, "refused the update of _acme-challenge.www.example.test. in the zone test. (NOTAUTH)"),
        ({"server": "127.0.0.1:9"}, "The name server 127.0.0.1:9 cannot be asked: Connection refused"),
    ],
)
def test_what_is_set_up_wrong_is_told(
    proving: Journey, dns: DnsSettings, change: dict[str, object], words: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The key, its file, the zone, the servers: the operation waits with words that tell, and goes on once it is mended."""
    caplog.set_level(logging.DEBUG)
    assert dns.key_file
    right = dns.key_file.read_text()
    wrong = dict(change)
    if "mode" in wrong:
        dns.key_file.chmod(int(str(wrong.pop("mode"))))
    if "secret" in wrong:
        secret = wrong.pop("secret")
        dns.key_file.write_text(str(secret)) if secret is not None else dns.key_file.unlink()
    with_dns(proving, replace(dns, **wrong))  # type: ignore[arg-type]
    failure = proving.until(lambda result: isinstance(result, Pending) and result.failure is not None)
    assert isinstance(failure, Pending)
    assert words in str(failure.failure)
    assert failure.trouble is None  # it is not the CA that does not answer
    for secret in (right.strip(), "not base64!", "d3Jvbmc="):
        assert secret not in str(failure) + caplog.text
    dns.key_file.unlink(missing_ok=True)
    dns.key_file.touch(0o600)
    dns.key_file.write_text(right)
    with_dns(proving, dns)
    assert_issued(proving.run(), "www.example.test")


def test_an_examination_finds_what_is_set_up_wrong(proving: Journey, dns: DnsSettings) -> None:
    """A look at the issuer tells of the key's file before anything is asked for."""
    provider = proving.provider()
    assert isinstance(provider, AcmeProvider)
    assert provider.examine(proving.request, proving.at).passed
    assert dns.key_file
    dns.key_file.chmod(0o644)
    found = provider.examine(proving.request, proving.at)
    assert (found.passed, len(found.findings)) == (False, 1)
    assert "is open to others than its owner; run: chmod 600" in found.findings[0]


def test_a_zone_that_is_not_the_servers_is_refused(proving: Journey, dns: DnsSettings) -> None:
    """Asked which zone the name is in, the server refuses: that is told."""
    proving.ask_for("www.elsewhere.test")
    with_dns(proving, replace(dns, servers=()))
    failure = proving.until(lambda result: isinstance(result, Pending) and result.failure is not None)
    assert "does not say which zone _acme-challenge.www.elsewhere.test. is in (REFUSED)" in str(failure)


def test_a_private_name_server_must_be_allowed(proving: Journey) -> None:
    """The egress rules hold for name servers: an address that is not public has to be named."""
    proving.until_step("ordered")
    proving.rules = EgressRules(("localhost",))
    assert "network.allow_private" in str(proving.failing().failure)


def test_an_address_cannot_be_proven_by_dns(proving: Journey) -> None:
    """No order is placed for it."""
    proving.request = replace(proving.request, names=("192.0.2.1",))
    result = proving.run()
    assert isinstance(result, Rejected)
    assert "only by http-01 or tls-alpn-01" in result.message
    assert result.configuration
    assert "ordered" not in str(proving.seen)


def write_hook(file: Path, named: Named) -> None:
    """Write a hook that changes the zone with BIND's own program."""
    file.write_text(
        f"""#!/bin/sh
[ "$1" = "$CERTWORKER_HOOK_ACTION" ] && [ "$2" = "$CERTWORKER_HOOK_NAME" ] && [ "$3" = "$CERTWORKER_HOOK_VALUE" ] || exit 9
case "$1" in
    present) change="update add $2 1 TXT $3" ;;
    cleanup) change="update delete $2 TXT $3" ;;
esac
printf 'server 127.0.0.1 {named.port}\\nzone {named.zone}\\n%s\\nsend\\n' "$change" |
    nsupdate -y '{named.algorithm}:{named.key}:{named.secret}'
"""
    )
    file.chmod(stat.S_IRWXU)


@pytest.mark.system("nsupdate")
def test_a_hook_does_it_too(proving: Journey, dns: DnsSettings, named: Named, tmp_path: Path) -> None:
    """A script of the operator's own is called for each value, and cleans up."""
    hook = tmp_path / "a hook; with odd letters"
    write_hook(hook, named)
    with_dns(proving, DnsSettings(hook=(str(hook),), servers=dns.servers))
    proving.ask_for("hook.example.test", "*.hook.example.test")
    proving.until(lambda result: isinstance(result, Pending) and result.progress.get("presented") == "2")
    assert len(named.texts("_acme-challenge.hook.example.test.")) == 2
    assert_issued(proving.run(), "hook.example.test", "*.hook.example.test")
    assert named.texts("_acme-challenge.hook.example.test.") == set()
