"""Certificates and sources that are odd: what names too much or nothing, what is dated ahead, and who looks at once."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from certworker.crypto.received import read_certificates
from certworker.crypto.x509 import read_certificate
from certworker.errors import BadParameter
from certworker.network.in_process import CarriedConnect
from certworker.vault.events import EventType
from certworker.vault.imports import Arrival
from certworker.vault.objects import CertificateVersion
from certworker.vault.revocation.checking import MOST_ASKED
from certworker.vault.revocation.compromised import CompromisedKey, digest_of
from certworker.vault.revocation.consequences import Consequences
from certworker.vault.revocation.sources import SourceKind
from certworker.vault.revocation.standing import Standing, Status
from certworker.vault.watches import WatchKind
from tests.support.clock import START, FakeClock
from tests.support.deployment import Deployment, open_deployment

DAY, HOUR, SECOND = timedelta(days=1), timedelta(hours=1), timedelta(seconds=1)
LEAVES, ABOVE = "http://lists.test/leaves", "http://lists.test/above"
INTERMEDIATE_SERIAL: Final = 4711


class Authority:
    """A root, and an intermediate that has the root's list; `served` is what is at which URL, `asked` what was asked."""

    def __init__(self) -> None:
        self.root, self.intermediate = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        root = _builder("root", "root", self.root, 1, authority=True).sign(self.root, hashes.SHA256())
        below = _builder("intermediate", "root", self.intermediate, INTERMEDIATE_SERIAL, (ABOVE,), authority=True)
        self.chain = (below.sign(self.root, hashes.SHA256()), root)
        self.served: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.meanwhile: Callable[[], object] = lambda: None

    def leaf(self, serial: int, urls: tuple[str, ...]) -> str:
        """Make a leaf that names lists; give it as PEM with its key and its chain."""
        key = ec.generate_private_key(ec.SECP256R1())
        leaf = _builder("leaf.test", "intermediate", key, serial, urls).sign(self.intermediate, hashes.SHA256())
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return b"".join((private, *(one.public_bytes(Encoding.PEM) for one in (leaf, *self.chain)))).decode()

    def publish(self, at: datetime, number: int = 1, *, revoked: int | None = None, ahead: timedelta = timedelta(0)) -> None:
        """Publish both lists as of `at`; `revoked` is a serial number that both have."""
        for url, issuer, key in ((LEAVES, "intermediate", self.intermediate), (ABOVE, "root", self.root)):
            builder = x509.CertificateRevocationListBuilder(_name(issuer), at + ahead, at + ahead + 7 * DAY)
            builder = builder.add_extension(x509.CRLNumber(number), critical=False)
            if revoked is not None:
                builder = builder.add_revoked_certificate(x509.RevokedCertificateBuilder(revoked, at).build())
            self.served[url] = builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)

    def carry(
        self, _method: str, url: str, _headers: Mapping[str, str], _body: bytes
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        """Answer with what is at a URL."""
        self.asked.append(url)
        self.meanwhile()
        return (200, [], self.served[url]) if url in self.served else (404, [], b"")


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common)])


def _builder(
    subject: str,
    issuer: str,
    key: ec.EllipticCurvePrivateKey,
    serial: int,
    urls: tuple[str, ...] = (),
    *,
    authority: bool = False,
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder(_name(issuer), _name(subject), key.public_key(), serial, START - DAY, START + 300 * DAY)
    builder = builder.add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    if urls:
        names = [x509.UniformResourceIdentifier(url) for url in urls]
        point = x509.DistributionPoint(names, None, None, None)
        builder = builder.add_extension(x509.CRLDistributionPoints([point]), critical=False)
    return builder


@dataclass(frozen=True)
class Scene:
    """A deployment, and the authority that its certificates are from."""

    deployment: Deployment
    clock: FakeClock
    authority: Authority = field(default_factory=Authority)

    def bring(self, serial: int = 99, urls: tuple[str, ...] = (LEAVES,)) -> CertificateVersion:
        """Import a leaf."""
        caller, vault = self.deployment.administrator, self.deployment.vault
        self.deployment.house.imports.import_(caller, vault, "leaf", Arrival(self.authority.leaf(serial, urls)))
        return self.deployment.get("leaf").version

    def look(self) -> Status:
        """Look now."""
        statuses = self.deployment.house.lifecycle.revocation.statuses
        found = statuses.check(self.deployment.administrator, self.deployment.vault, "leaf").status
        assert found is not None
        return found

    def told(self, event_type: EventType) -> int:
        """Count the events of a type."""
        return sum(event.type is event_type for event in self.deployment.events())


@pytest.fixture
def scene(tmp_path: Path, clock: FakeClock) -> Iterator[Scene]:
    """Set both up, with lists that have been published."""
    authority = Authority()
    authority.publish(clock())
    with open_deployment(tmp_path, clock, connect=CarriedConnect(authority.carry)) as opened:
        yield Scene(opened, clock, authority)


def test_what_names_nothing_is_not_good(scene: Scene) -> None:
    """That what is above it is not revoked says nothing of the leaf; it is looked at for that all the same."""
    scene.bring(urls=("ldap://lists.test/cn=leaves",))
    found = scene.look()
    assert found.standing is Standing.UNCHECKED
    assert found.why.startswith("It names no revocation list and no OCSP responder that can be asked over HTTP.")
    scene.authority.publish(scene.clock(), 2, revoked=INTERMEDIATE_SERIAL)
    scene.clock.advance(DAY)
    scene.deployment.work()
    assert scene.told(EventType.CERTIFICATE_FOUND_REVOKED) == 1


def test_a_version_of_certificates_that_there_is_not_is_refused(scene: Scene) -> None:
    """The library says so in its own words, which nobody is to see."""
    der = scene.authority.chain[0].public_bytes(Encoding.DER)
    ninth = der.replace(bytes.fromhex("a003020102"), bytes.fromhex("a003020108"), 1)
    for read in (read_certificate, read_certificates):
        with pytest.raises(BadParameter):
            read(ninth)


def test_thousands_of_urls_are_not_asked(scene: Scene) -> None:
    """Nor kept: what one certificate names fills no table."""
    scene.bring(urls=tuple(f"http://lists.test/{number}" for number in range(3000)))
    assert scene.look().standing is Standing.UNKNOWN
    assert len(scene.authority.asked) <= MOST_ASKED
    with scene.deployment.house.store.reading() as reader:
        assert len(reader.sources(SourceKind.LIST)) <= MOST_ASKED


@pytest.mark.parametrize(("ahead", "standing"), [(2 * SECOND, Standing.GOOD), (HOUR, Standing.UNKNOWN)])
def test_clocks_differ_a_little(scene: Scene, ahead: timedelta, standing: Standing) -> None:
    """A list of this very moment counts; one of a time to come does not, nor does it take the place of what there is."""
    scene.authority.publish(scene.clock(), 7, ahead=ahead)
    scene.bring()
    assert scene.look().standing is standing
    scene.authority.publish(scene.clock(), 1)
    scene.clock.advance(2 * HOUR)
    assert scene.look().standing is Standing.GOOD


def test_a_revocation_during_a_look_stays(scene: Scene) -> None:
    """Its owner has it revoked while a list of before is on its way."""
    version = scene.bring()
    consequences = Consequences(scene.deployment.house.lifecycle.planner)

    def revoke() -> None:
        scene.authority.meanwhile = lambda: None
        with scene.deployment.house.store.writing() as writer:
            consequences.revoked_by_owner(writer, version, "superseded", scene.clock())

    scene.authority.meanwhile = revoke
    assert scene.look().standing is Standing.REVOKED
    assert scene.look().standing is Standing.REVOKED


def test_looks_that_fail_end_in_the_unknown(scene: Scene) -> None:
    """What was good stays so for as long as its list lasts; then nobody knows, and a day later that is told, once."""
    scene.bring()
    assert scene.look().standing is Standing.GOOD
    watching = scene.deployment.house.lifecycle.revocation.watching
    found = []
    for _ in range(10):
        scene.clock.advance(DAY)
        with scene.deployment.house.store.writing() as writer:
            watch = writer.claim_watch(WatchKind.REVOCATION, "a test", scene.clock(), HOUR)
        assert watch is not None
        watching.put_off(watch, "An unexpected fault came up; the log tells where.")
        statuses = scene.deployment.house.lifecycle.revocation.statuses
        status = statuses.show(scene.deployment.administrator, scene.deployment.vault, "leaf").status
        assert status is not None
        found.append(status.standing)
    assert found == [Standing.GOOD] * 6 + [Standing.UNKNOWN] * 4
    assert scene.told(EventType.REVOCATION_UNKNOWN) == 1


def test_what_comes_with_a_compromised_key_is_told(scene: Scene) -> None:
    """Out of a backup, say: nobody is asked about the key then."""
    version = scene.bring()
    with scene.deployment.house.store.writing() as writer:
        key = writer.key(version.vault_id, "leaf", None)
        assert key is not None
        writer.add_compromised_key(CompromisedKey(digest_of(key.public_key), START, version.vault_id, "other", "a version"))
    scene.deployment.rounds.run("revocation-newcomers", scene.clock())
    assert scene.told(EventType.KEY_COMPROMISED) == 1
