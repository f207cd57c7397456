"""Issuance at Pebble, a real ACME server that refuses three of ten good nonces."""

from dataclasses import replace
from pathlib import Path

import pytest

from certworker.issuers.acme import AcmeIssuerSettings
from certworker.vault.issuance import Issued, Pending, Rejected
from tests.issuers.journey import Journey, assert_issued, make_request
from tests.issuers.memory import MemoryBoard, Responder, WrongBoard
from tests.issuers.pebble import BINDING_KEY, Pebble, running_pebble

pytestmark = pytest.mark.system("pebble", "pebble-challtestsrv")


def steps_of(journey: Journey) -> list[str]:
    """Tell the steps that were recorded, each once."""
    recorded = [result.progress.get("step", "") for result in journey.seen if isinstance(result, Pending | Issued)]
    return list(dict.fromkeys(recorded))


def test_a_certificate_is_issued(journey: Journey) -> None:
    """Step by step, with a provider that forgot everything before each, an issuance goes through to the chain."""
    assert_issued(journey.run(), "www.example.test")
    assert steps_of(journey) == ["account", "ordered", "answered", "cleared", "finalized", "issued"]
    assert not [result for result in journey.seen if isinstance(result, Pending) and result.failure]


def test_responses_are_up_only_while_they_are_needed(journey: Journey) -> None:
    """The board is empty before the order is finalized."""
    journey.until_step("answered")
    assert len(journey.board.responses) == 1
    journey.until_step("cleared")
    assert journey.board.responses == {}


def test_one_provider_can_do_it_all(journey: Journey) -> None:
    """A provider that lives on reads the directory once and gets there as well."""
    provider = journey.provider()
    while isinstance(result := journey.step(provider), Pending):
        pass
    assert_issued(result, "www.example.test")


def test_many_names_are_proven_in_batches(journey: Journey) -> None:
    """Twelve names take two steps to answer, and none is left on the board."""
    names = [f"host{number}.example.test" for number in range(12)]
    journey.ask_for(*names)
    journey.until_step("ordered")
    batch = journey.step()
    assert isinstance(batch, Pending)
    assert (batch.progress["step"], batch.progress["answered"]) == ("ordered", "10")
    assert_issued(journey.run(), *names)
    assert len(journey.board.seen) == 12
    assert journey.board.responses == {}


def test_an_account_is_opened_once(journey: Journey, pebble: Pebble) -> None:
    """A second issuance uses the account that is there, and begins with the order."""
    journey.run()
    second = replace(journey, request=make_request(pebble.directory, "two.example.test"), progress=None, seen=[])
    assert_issued(second.run(), "two.example.test")
    assert steps_of(second)[0] == "ordered"


def test_the_account_of_a_key_is_found_again(journey: Journey) -> None:
    """Killed after the CA opened the account and before that was recorded: the same account is found by its key."""
    first = journey.step()
    assert isinstance(first, Pending)
    ((place, account),) = journey.accounts.accounts.items()
    journey.accounts.accounts[place] = replace(account, url=None)
    journey.progress = None
    again = journey.step()
    assert isinstance(again, Pending)
    assert again.progress == first.progress


@pytest.mark.parametrize("name", ["account", "ordered", "answered", "cleared", "finalized"])
def test_a_step_can_be_taken_twice(journey: Journey, name: str) -> None:
    """Killed between the CA's answer and its recording: the same step again, from the old progress, goes on."""
    before = journey.until_step(name)
    lost = journey.step()
    if isinstance(lost, Pending):
        journey.progress = before.progress
        assert_issued(journey.run(), "www.example.test")
    else:
        assert_issued(lost, "www.example.test")


def test_an_order_is_not_finalized_twice(journey: Journey) -> None:
    """Killed after finalization and before that was recorded: the certificate of that very order is fetched."""
    journey.until_step("cleared")
    recorded = journey.progress
    finalized = journey.step()
    assert isinstance(finalized, Pending)
    first = journey.run()
    journey.progress = recorded
    second = journey.step()
    assert isinstance(first, Issued)
    assert isinstance(second, Issued)
    assert first.chain == second.chain


def test_what_cannot_be_validated_is_rejected(journey: Journey, responder: Responder) -> None:
    """A wrong response makes the order invalid: the name and the reason are told, the token is not."""
    journey.board = responder.board = WrongBoard()
    result = journey.run()
    assert isinstance(result, Rejected)
    assert result.code == "Request rejected"
    assert "www.example.test" in result.message
    assert not result.configuration
    (token,) = journey.board.seen
    assert token not in result.message
    assert journey.board.responses == {}


def test_a_name_that_the_ca_refuses_is_a_fault_of_the_request(journey: Journey) -> None:
    """A name on the CA's list of refused ones blames the configuration."""
    journey.ask_for("blocked.example.test")
    result = journey.run()
    assert isinstance(result, Rejected)
    assert (result.code, result.configuration) == ("Request rejected", True)
    assert "blocked.example.test" in result.message


def test_a_wildcard_needs_another_challenge(journey: Journey) -> None:
    """There is no http-01 for a wildcard: the message says what the CA offers."""
    journey.ask_for("*.example.test")
    result = journey.run()
    assert isinstance(result, Rejected)
    assert result.configuration
    assert "dns-01" in result.message


def test_a_forgotten_account_is_opened_anew(journey: Journey) -> None:
    """A CA that does not know the account gets the same key again, and the issuance begins anew."""
    journey.until_step("ordered")
    ((place, account),) = journey.accounts.accounts.items()
    journey.accounts.accounts[place] = replace(account, url=f"{account.url}0")
    result = journey.step()
    assert isinstance(result, Pending)
    assert result.progress == {"restarts": "1"}
    assert_issued(journey.run(), "www.example.test")
    assert journey.accounts.accounts[place] == account


def test_an_order_that_is_gone_is_placed_again(journey: Journey) -> None:
    """An order URL that the CA does not know is followed by a new order under the same operation."""
    ordered = journey.until_step("ordered")
    journey.progress = {**ordered.progress, "order_url": ordered.progress["order_url"] + "0"}
    assert_issued(journey.run(), "www.example.test")
    assert journey.seen[2] == Pending({"restarts": "1"}, journey.seen[1].retry_at)  # type: ignore[union-attr]


def test_a_proven_name_is_not_proven_again(responder: Responder, board: MemoryBoard, tmp_path: Path) -> None:
    """Where the CA reuses authorizations, the second order puts nothing on the board."""
    with running_pebble(tmp_path, responder.port, AUTHZREUSE="100") as pebble:
        settings = AcmeIssuerSettings(ca_bundle=pebble.ca_bundle)
        first = Journey(make_request(pebble.directory), board, settings)
        assert_issued(first.run(), "www.example.test")
        second = replace(first, progress=None, seen=[])
        assert_issued(second.run(), "www.example.test")
        assert len(board.seen) == 1


def test_an_external_account_is_bound(responder: Responder, board: MemoryBoard, tmp_path: Path) -> None:
    """A CA that asks for an external account is not asked without; a wrong one is refused, the right one is bound."""
    with running_pebble(tmp_path, responder.port, binding=True) as pebble:
        settings = AcmeIssuerSettings(ca_bundle=pebble.ca_bundle, contacts=("pki@example.test",))
        bare = Journey(make_request(pebble.directory), board, settings)
        for journey in (bare, bare.with_credential("kid-1:AAAA"), bare.with_credential("kid-2:" + BINDING_KEY)):
            result = journey.step()
            assert isinstance(result, Rejected), result
            assert BINDING_KEY not in result.message
        assert_issued(bare.with_credential("kid-1:" + BINDING_KEY).run(), "www.example.test")


def test_a_ca_that_cannot_prove_itself_is_not_spoken_to(journey: Journey) -> None:
    """A certificate that no trusted authority signed is a failure that is tried again, and says so."""
    journey.settings = AcmeIssuerSettings()
    result = journey.failing()
    assert result.retry_at is None
    assert "certificate verify failed" in str(result.failure)
    assert "localhost" in str(result.failure)
