"""Authorities that serve for all tests of the room: one that takes accounts from everybody, one from those it knows."""

from collections.abc import Iterator

import pytest

from tests.clients.acme.authority import Authority, serving_authority
from tests.support.ports import free_ports


@pytest.fixture(scope="session", params=["open"])
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    """Serve an authority that validates on free ports."""
    (http01,) = free_ports(1)
    with serving_authority(tmp_path_factory.mktemp("authority"), http01) as running:
        yield running
