"""What is asked of the token is counted, and it is told whether it answers."""

from contextlib import suppress
from pathlib import Path

import pytest

from certworker.errors import Unavailable
from certworker.hsm.token import open_token
from certworker.metrics.counters import Counters
from tests.hsm.test_sessions import eventually, make, removed, signs
from tests.metrics.test_counted_doors import counted
from tests.support.softhsm import SoftToken

pytestmark = pytest.mark.system("softhsm2-util")


def test_a_token_that_is_taken_away_is_down_until_it_is_back(tmp_path: Path, soft_token: SoftToken) -> None:
    """By what it was asked for; a token with no session to spare is not down."""
    counters = Counters(tmp_path)
    with open_token(soft_token.settings.model_copy(update={"wait_seconds": 0.2}), measures=counters) as token:
        assert counted(counters, "hsm_up") == {"": 1}
        key = make(token)
        assert signs(key)
        with removed(soft_token), suppress(Unavailable):
            key.sign("ES256", bytes(32))
        assert counted(counters, "hsm_up") == {"": 0}
        assert eventually(lambda: signs(key))
        assert counted(counters, "hsm_up") == {"": 1}
    found = counted(counters, "hsm_operations_total")
    assert (found["generate done"], found["find done"]) == (1, 1)
    assert found["use done"] >= 2
    assert found["use failed"] >= 1
    with suppress(Unavailable):
        signs(key)  # the pool is closed: what the token would say is not known
    assert counted(counters, "hsm_up") == {"": 1}
