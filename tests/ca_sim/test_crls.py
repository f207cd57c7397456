"""CRLs: what stands in them, when they are made anew, and what goes wrong with them on purpose."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from time import perf_counter

import pytest
from cryptography import x509

from ca_sim.authority.links import Shard
from ca_sim.faults.rules import Breakage, FaultKind
from ca_sim.problems import AlreadyRevokedError, BadRevocationReasonError, NotFoundError
from ca_sim.settings import SettingsError, read
from tests.ca_sim.issued import DAY, Bench, bench, crl_url
from tests.support.clock import START

HOUR = timedelta(hours=1)
QUICK_SECONDS = 15.0
"""Some ten times what it takes on a machine that does nothing else."""


def number(crl: x509.CertificateRevocationList) -> int:
    """Give the number of a CRL."""
    return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number


def serials(crl: x509.CertificateRevocationList) -> set[int]:
    """Give the serial numbers in a CRL."""
    return {entry.serial_number for entry in crl}


def test_a_revocation_stands_in_the_crl_at_once() -> None:
    """With its time and reason; unspecified is left out; the CRL is signed by the issuer."""
    with bench() as world:
        first, second = world.issue(), world.issue()
        url = crl_url(first.leaf)
        empty = world.crl(url)
        assert (len(empty), number(empty)) == (0, 1)
        world.later(HOUR)
        world.revoke(first, 1)
        world.revoke(second, 0)
        crl = world.crl(url)
        assert crl.is_signature_valid(first.issuer.public_key())  # type: ignore[arg-type]  # an EC key
        assert (crl.last_update_utc, crl.next_update_utc) == (START + HOUR, START + HOUR + 7 * DAY)
        assert number(crl) == 2
        one, other = (crl.get_revoked_certificate_by_serial_number(issued.leaf.serial_number) for issued in (first, second))
        assert one is not None
        assert other is not None
        assert one.revocation_date_utc == START + HOUR
        assert one.extensions.get_extension_for_class(x509.CRLReason).value.reason is x509.ReasonFlags.key_compromise
        assert len(other.extensions) == 0


def test_a_crl_is_made_anew_when_its_interval_has_passed(tmp_path: Path) -> None:
    """The same one until then, also where a revocation does not make it at once; its number grows over a restart."""
    with bench(tmp_path, crl_at_once=False) as world:
        issued = world.issue()
        url = crl_url(issued.leaf)
        before = world.get(url)
        world.revoke(issued)
        world.later(DAY - timedelta(seconds=1))
        assert world.get(url).body == before.body
        world.later(timedelta(seconds=1))
        assert serials(world.crl(url)) == {issued.leaf.serial_number}
        assert number(world.crl(url)) == 2
    with bench(tmp_path, crl_at_once=False) as world:
        assert number(world.crl(url)) == 3


def test_an_expired_certificate_stands_in_one_crl_more() -> None:
    """And then it is left out (RFC 5280 section 3.3)."""
    with bench() as world:
        issued = world.issue(validity=2 * DAY)
        url = crl_url(issued.leaf)
        world.revoke(issued)
        found = []
        for _ in range(5):
            found.append(len(world.crl(url)))
            world.later(DAY)
        assert found == [1, 1, 1, 0, 0]


def test_a_clock_that_goes_back_has_the_revoked_in_the_crl_again() -> None:
    """What was left out since it had expired is not expired any more."""
    with bench() as world:
        issued = world.issue(validity=2 * DAY)
        url = crl_url(issued.leaf)
        world.revoke(issued)
        world.later(9 * DAY)
        assert len(world.crl(url)) == 1
        world.later(DAY)
        assert len(world.crl(url)) == 0
        world.later(-10 * DAY)
        assert serials(world.crl(url)) == {issued.leaf.serial_number}


def test_leaves_are_spread_over_shards(tmp_path: Path) -> None:
    """Each names its own, whose critical extension names the same URL; the full CRL has all; counts of before go on."""
    with bench(tmp_path, crl_shards=2):
        pass
    with bench(tmp_path, crl_shards=3) as world:
        leaves = [world.issue() for _ in range(12)]
        for issued in leaves:
            world.revoke(issued)
        urls = {crl_url(issued.leaf) for issued in leaves}
        assert len(urls) > 1
        for url in urls:
            crl = world.crl(url)
            point = crl.extensions.get_extension_for_class(x509.IssuingDistributionPoint)
            assert point.critical
            assert point.value.only_contains_user_certs
            assert [name.value for name in point.value.full_name or ()] == [url]
            assert serials(crl) == {issued.leaf.serial_number for issued in leaves if crl_url(issued.leaf) == url}
        base = next(iter(urls)).rpartition("/")[0]
        assert serials(world.crl(base)) == {issued.leaf.serial_number for issued in leaves}
        halves = [serials(world.crl(f"{base}/{shard}-of-2")) for shard in range(2)]
        assert halves[0] | halves[1] == serials(world.crl(base))
        assert not halves[0] & halves[1]
        assert world.get(f"{base}/0-of-5").status == 404  # else anybody could have millions of CRLs made


@pytest.mark.parametrize("name", ["3-of-3", "0-of-0", "x", "-1-of-3", "00001-of-2", "1-of-99999"])
def test_what_is_no_shard_is_not_there(name: str) -> None:
    """A name of a shard that cannot be is a 404, and so is a shard of the root's CRL."""
    assert Shard.read(name) is None
    with bench() as world:
        assert world.get(f"{crl_url(world.issue().leaf)}/{name}").status == 404
        assert world.get(f"{world.base}/crl/{world.house.authority.root.id}/0-of-2").status == 404


def test_a_delta_tells_what_is_new() -> None:
    """It names its base, the base where to find it; the base waits for its interval, the delta does not."""
    with bench(delta_crl_seconds=3600) as world:
        old, new = world.issue(), world.issue()
        world.revoke(old)
        url = crl_url(old.leaf)
        base = world.crl(url)
        (point,) = base.extensions.get_extension_for_class(x509.FreshestCRL).value
        assert point.full_name is not None
        world.revoke(new)
        assert serials(world.crl(url)) == {old.leaf.serial_number}
        delta = world.crl(str(point.full_name[0].value))
        assert serials(delta) == {new.leaf.serial_number}
        indicator = delta.extensions.get_extension_for_class(x509.DeltaCRLIndicator)
        assert (indicator.critical, indicator.value.crl_number, number(delta)) == (True, number(base), number(base) + 1)
        world.later(DAY)
        assert serials(world.crl(url)) == {old.leaf.serial_number, new.leaf.serial_number}
        assert serials(world.crl(f"{url}/delta")) == set()
        assert number(world.crl(f"{url}/delta")) == number(world.crl(url)) + 1 == 4
        assert world.get(f"{world.base}/crl/{world.house.authority.root.id}/delta").status == 404
    with bench() as world:
        assert world.get(f"{url}/delta").status == 404


def test_an_intermediate_is_revoked_in_the_crl_of_the_root() -> None:
    """With a reason that only authorities have; what is no intermediate cannot be, nor any a second time."""
    with bench() as world:
        issued, revocations = world.issue(), world.house.publication.revocations
        url = crl_url(issued.issuer)
        assert len(world.crl(url)) == 0
        revocations.revoke_own(issued.issuer, 2)
        crl = world.crl(url)
        assert serials(crl) == {issued.issuer.serial_number}
        assert crl.next_update_utc is not None
        assert crl.next_update_utc - crl.last_update_utc == 180 * DAY
        assert crl.issuer == world.house.authority.root.certificate.subject
        with pytest.raises(AlreadyRevokedError):
            revocations.revoke_own(issued.issuer, 2)
        with pytest.raises(BadRevocationReasonError):
            revocations.revoke_own(issued.issuer, 6)
        for other in (issued.leaf, world.house.authority.root.certificate):
            with pytest.raises(NotFoundError):
                revocations.revoke_own(other, 2)


def test_a_cross_certificate_is_revoked_by_the_older_root() -> None:
    """Its CRL is another than that of the root."""
    with bench() as world:
        issued = world.issue()
        cross = x509.load_pem_x509_certificates(world.house.authority.chains(issued.leaf)[1].encode())[-1]
        world.house.publication.revocations.revoke_own(cross, 4)
        assert serials(world.crl(crl_url(cross))) == {cross.serial_number}
        assert serials(world.crl(crl_url(issued.issuer))) == set()


def test_an_old_intermediate_goes_on_signing_its_crl(tmp_path: Path) -> None:
    """After another one has taken over, and after a restart; each has its own leaves."""
    with bench(tmp_path) as world:
        old = world.issue()
        world.house.authority.rotate_intermediate(START)
        new = world.issue()
        assert crl_url(old.leaf) != crl_url(new.leaf)
        world.revoke(old)
        world.revoke(new)
    with bench(tmp_path) as world:
        for issued in (old, new):
            crl = world.crl(crl_url(issued.leaf))
            assert crl.is_signature_valid(issued.issuer.public_key())  # type: ignore[arg-type]  # an EC key
            assert serials(crl) == {issued.leaf.serial_number}


def test_a_cache_is_told_how_long() -> None:
    """In real time, whatever the speed of the virtual clock; who has it already is told so."""
    with bench() as world:
        url = crl_url(world.issue().leaf)
        world.later(HOUR)
        headers = dict(world.get(url).headers)
        assert headers["cache-control"] == "public, max-age=86400"
        assert headers["last-modified"] == "Thu, 01 Jan 2026 01:00:00 GMT"
        assert headers["expires"] == "Thu, 08 Jan 2026 01:00:00 GMT"
        known = world.get(url, if_none_match=headers["etag"])
        assert (known.status, known.body) == (304, b"")
        world.house.clock.set(speed=60)
        assert dict(world.get(url).headers)["cache-control"] == "public, max-age=1440"
        world.house.clock.set(speed=0)
        assert dict(world.get(url).headers)["cache-control"] == "public, max-age=0"


def broken(world: Bench, url: str, breakage: Breakage) -> bytes:
    """Fetch a CRL that is broken this once."""
    world.break_(FaultKind.BROKEN, "public.crl", breakage=breakage)
    return world.get(url).body


def test_a_crl_is_stale_or_broken_on_purpose() -> None:
    """It ran out an hour ago and knows nothing since; it is garbage, or signed by nobody; and then it is right again."""
    with bench() as world:
        issued = world.issue()
        url = crl_url(issued.leaf)
        world.revoke(issued)
        world.break_(FaultKind.STALE, "public.crl", seconds=3600)
        stale = world.crl(url)
        assert stale.next_update_utc == START - HOUR
        assert (len(stale), stale.is_signature_valid(issued.issuer.public_key())) == (0, True)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match=r"parsing|Malformed"):
            x509.load_der_x509_crl(broken(world, url, Breakage.GARBAGE))
        forged = x509.load_der_x509_crl(broken(world, url, Breakage.SIGNATURE))
        assert not forged.is_signature_valid(issued.issuer.public_key())  # type: ignore[arg-type]  # an EC key
        assert broken(world, url, Breakage.TRY_LATER) == b"try again later"
        right = world.crl(url)
        assert (len(right), number(right)) == (1, 1)


def test_times_that_do_not_fit_are_refused() -> None:
    """A CRL that runs out before the next one is made."""
    with pytest.raises(SettingsError, match="crl_lifetime_seconds is shorter"):
        read({"authority": {"crl_lifetime_seconds": 60}})


def test_many_revocations_stay_quick() -> None:
    """A CRL of ten thousand is made in about a second, however often it is made anew, and given at once when it is there."""
    with bench() as world:
        issued = world.issue()
        with world.house.book.transaction():
            for serial in range(1, 10_001):
                one = replace(issued.record, serial=f"{serial:x}", revoked_at=START, reason=4)
                world.house.book.put_certificate(one)
        url = crl_url(issued.leaf)
        for _ in range(2):
            world.later(DAY)
            began = perf_counter()
            assert len(world.crl(url)) == 10_000
            assert perf_counter() - began < QUICK_SECONDS
        began = perf_counter()
        for _ in range(10):
            world.get(url)
        assert perf_counter() - began < QUICK_SECONDS / 10
