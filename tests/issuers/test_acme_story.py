"""The whole way at Pebble, which refuses three of ten good nonces: issue, renew, exchange the account's key, revoke."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from certworker.crypto.renewal_info import certificate_id
from certworker.issuers.acme import AcmeIssuerSettings, AcmeProvider
from certworker.vault.issuance import KeyRoll, Pending, Revocation
from tests.issuers.journey import Journey, assert_issued, make_request
from tests.issuers.memory import MemoryAccounts, MemoryBoard, Responder
from tests.issuers.pebble import BINDING_KEY, Pebble, running_pebble

pytestmark = pytest.mark.system("pebble", "pebble-challtestsrv")


@dataclass(frozen=True)
class Story:
    """A Pebble, and an issuance at it."""

    pebble: Pebble
    journey: Journey


@pytest.fixture(params=[False, True], ids=["open", "bound"])
def story(
    request: pytest.FixtureRequest, responder: Responder, board: MemoryBoard, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Story]:
    """Begin an issuance at a Pebble that asks for an external account, and at one that does not."""
    folder = tmp_path_factory.mktemp("pebble")
    with running_pebble(folder, responder.port, binding=request.param, WFE_NONCEREJECT="30") as pebble:
        settings = AcmeIssuerSettings(ca_bundle=pebble.ca_bundle, contacts=("pki@example.test",))
        credential = f"kid-1:{BINDING_KEY}" if request.param else None
        yield Story(pebble, Journey(make_request(pebble.directory, credential=credential), board, settings))


def test_a_certificate_lives_and_ends(story: Story) -> None:
    """Each step is by a provider that knows nothing but what was recorded; the CA goes by the new key at the end."""
    pebble, journey = story.pebble, story.journey
    first = assert_issued(journey.run(), "www.example.test")
    renewing = replace(journey.request, replaces=first.chain[0], replaced=first.progress)
    second = replace(journey, request=renewing, progress=None, seen=[])
    renewed = assert_issued(second.run(), "www.example.test")
    assert certificate_id(renewed.chain[0]) != certificate_id(first.chain[0])
    provider = second.provider()
    assert isinstance(provider, AcmeProvider)
    ((_, before),) = journey.accounts.accounts.items()
    assert provider.roll_key(journey.request, journey.at) == KeyRoll(done=True)
    ((_, after),) = journey.accounts.accounts.items()
    assert (after.url, after.document) == (before.url, before.document)
    assert after.key != before.key
    for _ in range(2):  # the second time it is revoked already, which is as good
        assert provider.revoke(journey.request, first.chain[0], 4, journey.at) == Revocation(done=True)
    assert pebble.status(first.chain[0]) == ("Revoked", 4)
    assert pebble.status(renewed.chain[0]) == ("Valid", None)
    third = replace(journey, progress=None, seen=[])
    assert_issued(third.run(), "www.example.test")


def test_what_another_account_got_is_not_ours_to_revoke(story: Story) -> None:
    """The CA's own words are given back, and asking again would change nothing; there must be an account at all."""
    journey = story.journey
    issued = assert_issued(journey.run(), "www.example.test")
    stranger = replace(journey, accounts=MemoryAccounts(), progress=None, seen=[])
    provider = stranger.provider()
    assert isinstance(provider, AcmeProvider)
    assert "no account" in provider.revoke(stranger.request, issued.chain[0], 0, stranger.at).message
    stranger.until_step("account")
    refused = provider.revoke(stranger.request, issued.chain[0], 0, stranger.at)
    assert (refused.done, refused.retry_at) == (False, None)
    assert "unauthorized" in refused.message
    assert story.pebble.status(issued.chain[0])[0] == "Valid"


def test_a_cancelled_order_comes_to_nothing(story: Story) -> None:
    """What is pending of it is given up at the CA, and no response stays up."""
    journey = story.journey
    journey.ask_for("one.example.test", "two.example.test")
    ordered = journey.until_step("ordered")
    provider = journey.provider()
    assert isinstance(provider, AcmeProvider)
    assert provider.cancel(journey.request, ordered.progress, journey.at) is None
    after = journey.step()
    assert after == Pending({"restarts": "1"}, journey.at)  # somebody who went on all the same would have to begin anew
    assert journey.board.responses == {}
