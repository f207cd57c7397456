"""What the tests of the token stand on."""

from collections.abc import Iterator

import pytest

from certworker.hsm.token import Token, open_token
from tests.support.softhsm import SoftToken


@pytest.fixture
def token(soft_token: SoftToken) -> Iterator[Token]:
    """Open the token."""
    with open_token(soft_token.settings) as token:
        yield token
