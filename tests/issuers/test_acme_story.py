"""The whole way at Pebble, which refuses three of ten good nonces: issue, renew, exchange the account's key, revoke."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from certworker.crypto.renewal_info import certificate_id
from certworker.issuers.acme import AcmeIssuerSettings, AcmeProvider
from certworker.vault.issuance import KeyRoll, Revocation
from tests.issuers.journey import Journey, assert_issued, make_request
from tests.issuers.memory import MemoryBoard, Responder
from tests.issuers.pebble import BINDING_KEY, running_pebble

pytestmark = pytest.mark.system("pebble", "pebble-challtestsrv")


@pytest.fixture(params=[False, True], ids=["open", "bound"])
def story(
    request: pytest.FixtureRequest, responder: Responder, board: MemoryBoard, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Journey]:
    """Begin an issuance at a Pebble that asks for an external account, and at one that does not."""
    folder = tmp_path_factory.mktemp("pebble")
    with running_pebble(folder, responder.port, binding=request.param, WFE_NONCEREJECT="30") as pebble:
        settings = AcmeIssuerSettings(ca_bundle=pebble.ca_bundle, contacts=("pki@example.test",))
        credential = f"kid-1:{BINDING_KEY}" if request.param else None
        yield Journey(make_request(pebble.directory, credential=credential), board, settings)


def test_a_certificate_lives_and_ends(story: Journey) -> None:
    """Each step is by a provider that knows nothing but what was recorded; the CA goes by the new key at the end."""
    first = assert_issued(story.run(), "www.example.test")
    second = replace(story, request=replace(story.request, replaces=first.chain[0]), progress=None, seen=[])
    renewed = assert_issued(second.run(), "www.example.test")
    assert certificate_id(renewed.chain[0]) != certificate_id(first.chain[0])
    provider = second.provider()
    assert isinstance(provider, AcmeProvider)
    ((_, before),) = story.accounts.accounts.items()
    assert provider.roll_key(story.request, story.at) == KeyRoll(done=True)
    ((_, after),) = story.accounts.accounts.items()
    assert (after.url, after.document) == (before.url, before.document)
    assert after.key != before.key
    for chain in (first.chain, renewed.chain):
        assert provider.revoke(story.request, chain[0], 4, story.at) == Revocation(done=True)
    third = replace(story, progress=None, seen=[])
    assert_issued(third.run(), "www.example.test")
