"""Authorities that serve for all tests of the room: one that takes accounts from everybody, one from those it knows."""

from collections.abc import Iterator

import pytest

from tests.clients.acme.authority import Authority, serving_authority
from tests.support.named import Named, serving_zone


@pytest.fixture(scope="session", params=["open"])
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    """Serve an authority that validates on free ports."""
    with serving_authority(tmp_path_factory.mktemp("authority")) as running:
        yield running


@pytest.fixture(scope="session")
def named(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Named]:
    """Serve a zone that clients change by dynamic updates."""
    with serving_zone(tmp_path_factory.mktemp("named"), "dns.example.com") as running:
        yield running
