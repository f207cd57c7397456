"""What the GlobalSign provider does when an operation is cancelled, a certificate revoked, or the issuer examined."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from certworker.vault.issuance import Pending
from certworker.vault.operations import Progress
from tests.issuers.atlas import SECRET, Errand, make_request, open_errand, with_credential
from tests.support.clock import FakeClock


@pytest.fixture
def errand(clock: FakeClock) -> Iterator[Errand]:
    """Be let in at an authority with default settings."""
    with open_errand(clock) as errand:
        yield errand


def cancel(errand: Errand, progress: Progress | None = None) -> list[str]:
    """Cancel as the worker does, four times at most; give what was told on the way, empty for a mere wait."""
    told: list[str] = []
    current = progress or errand.progress or {}
    for minutes in (1, 10, 100, 0):
        pending = errand.provider.cancel(errand.request, current, errand.clock())
        if pending is None:
            return told
        told.append(pending.failure or "")
        current = pending.progress
        errand.clock.advance(timedelta(minutes=minutes))
    return told


def revoked(errand: Errand) -> list[int | None]:
    """List the reasons of what the CA's book has, none for what is not revoked."""
    return [certificate.reason for certificate in errand.certificates()]


def test_nothing_is_told_where_nothing_was_asked_for(errand: Errand) -> None:
    """Before the request is recorded, and before it is sent; it is not sent afterwards."""
    assert cancel(errand) == []
    errand.until_step("ordering")
    errand.asked.clear()
    assert cancel(errand) == []
    assert errand.asked == []
    errand.step()
    assert "POST certificates" not in errand.asked


def test_what_was_issued_is_revoked(errand: Errand) -> None:
    """With the reason that it is not used any more."""
    errand.until_step("ordered")
    assert cancel(errand) == []
    assert revoked(errand) == [5]


@pytest.mark.parametrize("lag", [0, 200])
def test_what_was_not_heard_of_is_found_and_revoked(clock: FakeClock, lag: int) -> None:
    """As soon as the statistics tell of it."""
    with open_errand(clock, stats_lag_seconds=lag) as errand:
        errand.arm(kind="drop-after", at=["globalsign.request"], count=1)
        errand.failing()
        assert set(cancel(errand)) <= {""}
        assert revoked(errand) == [5]


def test_what_was_never_issued_is_looked_for_in_vain(errand: Errand) -> None:
    """For some minutes; then the operation is over."""
    errand.until_step("ordering")
    errand.restart()
    begun = errand.clock()
    assert cancel(errand) == ["", ""]
    assert errand.clock() - begun < timedelta(minutes=15)
    assert errand.certificates() == []


def test_a_ca_that_is_down_is_told_later(errand: Errand) -> None:
    """What was recorded is kept."""
    errand.until_step("ordered")
    errand.arm(kind="error", at=["globalsign.revoke"], count=1, seconds=30)
    pending = errand.provider.cancel(errand.request, errand.progress or {}, errand.clock())
    assert isinstance(pending, Pending)
    assert pending.failure
    assert pending.retry_at == errand.clock() + timedelta(seconds=30)
    assert cancel(errand, pending.progress) == []
    assert revoked(errand) == [5]


def test_a_certificate_is_revoked_and_stays_so(errand: Errand) -> None:
    """A second time counts as done; a reason that is the CA's own, and a certificate of somebody else, are refused."""
    leaf = errand.issued().chain[0]
    bare = make_request()
    assert "those are unspecified (0)" in errand.provider.revoke(bare, leaf, 9, errand.clock()).message
    assert errand.provider.revoke(bare, leaf, 1, errand.clock()).done
    assert errand.provider.revoke(bare, leaf, 4, errand.clock()).done
    assert revoked(errand) == [1]
    assert errand.presented
    unknown = errand.provider.revoke(bare, errand.presented.certificates[0], 1, errand.clock())
    assert (unknown.done, unknown.retry_at) == (False, None)
    assert "no such certificate" in unknown.message


def test_a_revocation_is_asked_for_again_when_the_ca_says(errand: Errand) -> None:
    """It is not done, and the time to ask again is told."""
    leaf = errand.issued().chain[0]
    errand.arm(kind="throttle", at=["globalsign.revoke"], count=1, seconds=90)
    result = errand.provider.revoke(make_request(), leaf, 4, errand.clock())
    assert (result.done, result.retry_at) == (False, errand.clock() + timedelta(seconds=90))
    assert revoked(errand) == [None]


def test_an_examination_asks_for_nothing(errand: Errand) -> None:
    """It tells what the account may do."""
    result = errand.provider.examine(make_request(), errand.clock())
    assert result.passed
    assert [
        words in found for words, found in zip(("API key", "198 days", "1000000", "0 verified"), result.findings, strict=True)
    ]
    assert errand.certificates() == []


@pytest.mark.parametrize(
    ("settings", "credential", "says"),
    [
        ({}, "not-the-secret", "API secret is wrong"),
        ({}, None, "credentials are missing"),
        ({"quota": 0}, SECRET, "whether they cover"),
    ],
)
def test_an_examination_tells_what_is_wrong(
    clock: FakeClock, settings: dict[str, object], credential: str | None, says: str
) -> None:
    """And does not pass."""
    with open_errand(clock, **settings) as errand:
        result = errand.provider.examine(with_credential(make_request(), credential), clock())
        assert not result.passed
        assert says in result.findings[-1]
