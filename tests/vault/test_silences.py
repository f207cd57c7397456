"""What a silence covers."""

import pytest

from certworker.vault.notification.ledger import Silence
from certworker.vault.notification.message import Topic
from certworker.vault.notification.telling import covers
from tests.support.clock import START


@pytest.mark.parametrize(
    ("named", "name", "topic", "covered"),
    [
        (None, "web-1", Topic.NEAR_EXPIRY, True),
        (None, "WEB-1", Topic.EXPIRED, True),
        (None, "mail", Topic.NEAR_EXPIRY, False),
        (None, "web-1", Topic.REVOKED, False),
        (None, "web-1", Topic.KEY_COMPROMISED, False),
        (Topic.REVOKED, "web-1", Topic.REVOKED, True),
        (Topic.NEAR_EXPIRY, "web-1", Topic.EXPIRED, False),
        (None, "", Topic.ISSUER_DOWN, False),
    ],
)
def test_a_silence_covers_what_it_is_about(named: Topic | None, name: str, topic: Topic, *, covered: bool) -> None:
    """Names by a pattern, one topic or all; but a revocation and a key that is known to others only by their topic's name."""
    silence = Silence("id", "vault", "web-*", named, START, "ada", "moves", START)
    assert covers(silence, name, topic) is covered
