"""A service whose CA proves names by tls-alpn-01 and by dns-01: an operator sets it up, and sees what is waited for."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from azure.keyvault.certificates import CertificateClient, CertificatePolicy

from certworker.cli.sockets import free_port
from certworker.network.dns import DynamicUpdates, NameServer, UpdateKey
from certworker.network.egress import EgressRules
from tests.issuers.pebble import running_pebble
from tests.stories.test_run import Operator, until
from tests.support.named import Named, serving_zone

pytestmark = [pytest.mark.long, pytest.mark.system("named", "pebble", "pebble-challtestsrv")]

SETTINGS = """[network]
allow_private = ["127.0.0.0/8", "localhost"]
[challenges]
tlsalpn01_listen = ["127.0.0.1"]
tlsalpn01_port = {tls_port}
[issuers.handshakes]
ca_bundle = "{ca_bundle}"
challenge = "tls-alpn-01"
[issuers.records]
ca_bundle = "{ca_bundle}"
challenge = "dns-01"
dns_server = "{server}"
dns_zone = "example.test"
tsig_key = "{key}"
tsig_secret_file = "tsig.secret"
dns_servers = ["{server}", "{late}"]
"""


@pytest.fixture
def named(tmp_path: Path) -> Iterator[tuple[Named, Named]]:
    """Serve a zone twice: the second server has its own copy, and hears of nothing."""
    with serving_zone(tmp_path / "first", "example.test") as first, serving_zone(tmp_path / "second", "example.test") as second:
        yield first, second


def updates_of(named: Named) -> DynamicUpdates:
    """Change the zone of a server as its operator."""
    key = UpdateKey(named.key, named.algorithm, named.secret)
    return DynamicUpdates(EgressRules(("127.0.0.1",)), NameServer.read(named.address), key, named.zone, 1, 5.0)


def policy(issuer: str, *names: str) -> CertificatePolicy:
    """Ask for names at an issuer."""
    return CertificatePolicy(issuer, san_dns_names=list(names), key_type="EC", key_curve_name="P-256")


def test_names_are_proven_by_handshakes_and_by_records(tmp_path: Path, named: tuple[Named, Named]) -> None:
    """The worker answers handshakes itself; a wildcard's record waits for the second name server, which is told to the user."""
    first, second = named
    operator, tls_port = Operator(tmp_path), free_port(0)
    with running_pebble(tmp_path, 1, tls_port=tls_port, name_server=first.address) as pebble:
        places = {"tls_port": tls_port, "ca_bundle": pebble.ca_bundle, "server": first.address, "late": second.address}
        with operator.config.open("a") as settings:
            settings.write(SETTINGS.format(**places, key=first.key))
        secret = tmp_path / "tsig.secret"
        secret.touch(0o600)
        secret.write_text(first.secret)
        credentials = operator.init()
        with operator.running(), operator.client(credentials) as client:
            for issuer in ("handshakes", "records"):
                client.create_issuer(issuer, "Acme", account_id=pebble.directory)
            client.begin_create_certificate("plain", policy("handshakes", "www.example.test")).result()
            assert client.get_certificate_operation("plain").status == "completed"
            assert_wildcard_waits(client, first, second)
            assert first.secret not in operator.output()


def assert_wildcard_waits(client: CertificateClient, first: Named, second: Named) -> None:
    """Show that the wildcard waits until the second server has the values, and that the first has none in the end."""
    wildcard = client.begin_create_certificate("wild", policy("records", "*.wild.example.test", "wild.example.test"))
    words = f"The name server {second.address} does not show the TXT record of _acme-challenge.wild.example.test. yet."
    until(lambda: client.get_certificate_operation("wild").status_details == words)
    values = first.texts("_acme-challenge.wild.example.test.")
    assert len(values) == 2
    for value in values:
        updates_of(second).add("_acme-challenge.wild.example.test.", value)
    wildcard.result()
    assert client.get_certificate_operation("wild").status == "completed"
    assert first.texts("_acme-challenge.wild.example.test.") == set()
