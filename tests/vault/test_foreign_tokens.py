"""What the tokens of others say is believed only where it can be meant."""

from datetime import timedelta
from uuid import UUID

import pytest

from certworker.errors import Unauthenticated
from certworker.vault.sign_in.foreign import foreign_id
from certworker.vault.sign_in.times import check_span
from tests.support.clock import START

NOW = START.timestamp()


@pytest.mark.parametrize("end", [float("nan"), float("inf"), 10**400, True, "9999999999", None, NOW + 86402, NOW - 61])
def test_a_token_ends_at_a_time(end: object) -> None:
    """Soon, and at a number: some readers of JSON take NaN, which is never over."""
    with pytest.raises(Unauthenticated):
        check_span({"exp": end, "iat": NOW - 61}, START, timedelta(seconds=60), timedelta(days=1))


def test_no_issuer_names_the_people_of_another() -> None:
    """Two issuers that tell the same GUID do not mean the same, nor somebody of our own directory, be they deleted."""
    person = "11111111-2222-3333-4444-555555555555"
    one, other = (foreign_id(f"https://{name}.test/", person) for name in ("one", "other"))
    assert len({UUID(one), UUID(other), UUID(person)}) == 3
    assert one == foreign_id("https://one.test", person)
