"""What the simulated authority tells of its certificates is judged as it is meant: lists, shards, deltas, and OCSP."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from asn1crypto import ocsp as asn1_ocsp  # type: ignore[import-untyped]
from cryptography.hazmat.primitives.serialization import Encoding

from ca_sim.faults.rules import Breakage, FaultKind
from certworker.crypto.revocation import (
    Judgement,
    Result,
    judge_by_lists,
    judge_by_ocsp,
    ocsp_request,
    points_of,
    read_list,
)
from tests.ca_sim.issued import Bench, Issued, bench
from tests.crypto.second_judge import second_by_lists, second_by_ocsp
from tests.support.clock import START

HOUR = timedelta(hours=1)
Judge = Callable[..., Judgement]


def ders(issued: Issued) -> tuple[bytes, bytes]:
    """Give the leaf and its issuer as DER."""
    return issued.leaf.public_bytes(Encoding.DER), issued.issuer.public_bytes(Encoding.DER)


def lists_of(world: Bench, leaf: bytes) -> list[bytes]:
    """Fetch all lists that a leaf points to, and what these point to."""
    bodies = [world.get(url).body for group in points_of(leaf).crl_urls for url in group]
    deltas = [url for body in bodies for url in read_list(body).delta_urls]
    return bodies + [world.get(url).body for url in deltas]


def by_lists(world: Bench, issued: Issued, at: datetime = START) -> Judgement:
    """Judge a leaf by its lists; a second judge says the same."""
    leaf, issuer = ders(issued)
    lists = lists_of(world, leaf)
    judgement = judge_by_lists(leaf, issuer, lists, at)
    root = world.house.authority.root.certificate.public_bytes(Encoding.DER)
    assert second_by_lists([root, issuer, leaf], lists + lists_of(world, issuer), at) is judgement.result
    return judgement


def by_ocsp(world: Bench, issued: Issued, at: datetime = START) -> Judgement:
    """Judge a leaf by the responder's answer; a second judge says the same."""
    leaf, issuer = ders(issued)
    response = world.ask_bytes(ocsp_request(leaf, issuer)).body
    judgement = judge_by_ocsp(leaf, issuer, response, at)
    assert second_by_ocsp([issuer, leaf], response, at) is judgement.result
    return judgement


@pytest.mark.parametrize("shards", [1, 8])
@pytest.mark.parametrize("judge", [by_lists, by_ocsp])
def test_a_revocation_is_seen(shards: int, judge: Judge) -> None:
    """Good before, and revoked after, with time and reason; without one where none was given; a third stays good."""
    with bench(crl_shards=shards) as world:
        first, second, third = world.issue(), world.issue(), world.issue()
        assert judge(world, first).result is Result.GOOD
        world.later(HOUR)
        world.revoke(first, 1)
        world.revoke(second, 0)
        # to the second judge, a certificate is good in the very second of its revocation
        world.later(HOUR)
        at = START + 2 * HOUR
        found = judge(world, first, at)
        assert (found.result, found.reason, found.revoked_at) == (Result.REVOKED, "keyCompromise", START + HOUR)
        assert judge(world, second, at).reason is None
        assert judge(world, third, at).result is Result.GOOD


def test_a_shard_of_another_leaf_does_not_count() -> None:
    """A list that is good but another's tells nothing, whatever is in it."""
    with bench(crl_shards=16) as world:
        first = world.issue()
        leaf, issuer = ders(first)
        own = points_of(leaf).crl_urls
        other = next(one for one in iter(world.issue, None) if points_of(ders(one)[0]).crl_urls != own)
        found = judge_by_lists(leaf, issuer, lists_of(world, ders(other)[0]), START)
        assert found.result is Result.UNKNOWN
        assert "is of another distribution point" in found.why


def test_a_delta_tells_what_the_list_does_not_know_yet() -> None:
    """The list is made once a day, the delta every hour: together they know; alone the list does not, nor does the delta."""
    with bench(delta_crl_seconds=3600) as world:
        issued = world.issue()
        leaf, issuer = ders(issued)
        assert by_lists(world, issued).result is Result.GOOD
        world.later(2 * HOUR)
        world.revoke(issued)
        world.later(2 * HOUR)
        at = START + 4 * HOUR
        found = by_lists(world, issued, at)
        assert (found.result, found.reason) == (Result.REVOKED, "superseded")
        assert "delta list" in found.why
        assert found.fresh_until == at + 2 * HOUR
        complete, delta = lists_of(world, leaf)
        assert judge_by_lists(leaf, issuer, [complete], at).result is Result.GOOD
        alone = judge_by_lists(leaf, issuer, [delta], at)
        assert (alone.result, alone.why) == (
            Result.UNKNOWN,
            "There is a delta list, and not the complete one that it follows.",
        )


def test_of_several_answers_in_one_the_right_one_counts() -> None:
    """One question about two certificates: one is revoked, and the other is not."""
    with bench() as world:
        first, second, third = world.issue(), world.issue(), world.issue()
        world.revoke(second)
        question, other = (asn1_ocsp.OCSPRequest.load(ocsp_request(*ders(one))) for one in (first, second))
        question["tbs_request"]["request_list"].append(other["tbs_request"]["request_list"][0])
        answer = world.ask_bytes(question.dump(force=True)).body
        found = [judge_by_ocsp(*ders(one), answer, START).result for one in (first, second, third)]
        assert found == [Result.GOOD, Result.REVOKED, Result.UNKNOWN]


@pytest.mark.parametrize("kind", ["ec", "rsa", "ml-dsa"])
def test_keys_of_all_kinds_are_judged(kind: str) -> None:
    """Lists and answers may be signed with EC, RSA and ML-DSA."""
    with bench(profiles={"other": {"validity_seconds": 86_400 * 30, "issuer": kind}}) as world:
        issued = world.issue("other")
        leaf, issuer = ders(issued)
        world.revoke(issued, 4)
        assert judge_by_lists(leaf, issuer, lists_of(world, leaf), START).result is Result.REVOKED
        response = world.ask_bytes(ocsp_request(leaf, issuer)).body
        assert judge_by_ocsp(leaf, issuer, response, START).result is Result.REVOKED


@pytest.mark.parametrize(
    ("kind", "breakage", "why"),
    [
        (FaultKind.STALE, Breakage.GARBAGE, "ran out on"),
        (FaultKind.BROKEN, Breakage.GARBAGE, "not a revocation list"),
        (FaultKind.BROKEN, Breakage.SIGNATURE, "is not signed by its issuer's key"),
    ],
)
def test_a_list_that_is_wrong_tells_nothing(kind: FaultKind, breakage: Breakage, why: str) -> None:
    """Stale, garbage, forged: unknown, and why."""
    with bench() as world:
        issued = world.issue()
        leaf, issuer = ders(issued)
        world.break_(kind, "public.crl", seconds=3600, breakage=breakage)
        found = judge_by_lists(leaf, issuer, [world.get(points_of(leaf).crl_urls[0][0]).body], START)
        assert found.result is Result.UNKNOWN
        assert why in found.why


@pytest.mark.parametrize(
    ("kind", "breakage", "why"),
    [
        (FaultKind.STALE, Breakage.GARBAGE, "ran out on"),
        (FaultKind.BROKEN, Breakage.GARBAGE, "not an OCSP answer"),
        (FaultKind.BROKEN, Breakage.SIGNATURE, "signed neither by"),
        (FaultKind.BROKEN, Breakage.TRY_LATER, "asked later"),
        (FaultKind.BROKEN, Breakage.INTERNAL_ERROR, "internal error"),
        (FaultKind.BROKEN, Breakage.UNAUTHORIZED, "does not answer for this certificate"),
    ],
)
def test_an_answer_that_is_wrong_tells_nothing(kind: FaultKind, breakage: Breakage, why: str) -> None:
    """Stale, garbage, forged, or none: unknown, and why."""
    with bench() as world:
        issued = world.issue()
        world.break_(kind, "public.ocsp", seconds=3600, breakage=breakage)
        found = by_ocsp(world, issued)
        assert found.result is Result.UNKNOWN
        assert why in found.why
