"""The judge of lists and one that others wrote agree, but where it is known that they do not, and why."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from random import Random
from typing import Final

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from certworker.crypto.revocation import Result, judge_by_lists
from tests.crypto.revocation_cases import AT, List, Point, Question, World, draw
from tests.crypto.second_judge import second_by_lists

DRAWN: Final = 640
GOOD, REVOKED, UNKNOWN = Result.GOOD, Result.REVOKED, Result.UNKNOWN
AUTHORITY, SIGNER = Point(), Point(by="signer")
BASE, DELTA = List(freshest=True), List(number=8, base=5)
ONLY_SOME, ONLY_REST = List(reasons="some"), List(reasons="rest")


@pytest.fixture(scope="module")
def world() -> World:
    """Make the authority and the signer of lists once."""
    return World()


def both(world: World, question: Question) -> tuple[Result, Result]:
    """Give our judge's result and the other's."""
    certificate = world.certificate(question)
    der, lists = certificate.public_bytes(Encoding.DER), world.lists(question, certificate)
    ours = judge_by_lists(der, world.authority.der, lists, AT, other_certificates=[world.signer.der])
    return ours.result, second_by_lists([world.authority.der, der], lists, AT, [world.signer.der])


def complete(asked: Question) -> list[List]:
    """Choose the complete lists."""
    return [one for one in asked.lists if one.base is None]


def deltas(asked: Question) -> list[tuple[List, int]]:
    """Choose the deltas, each with its base's number."""
    return [(one, one.base) for one in asked.lists if one.base is not None]


def scope(one: List) -> tuple[str, str, str, bool, str]:
    """Tell what a list is about."""
    return (one.point, one.only, one.reasons, one.indirect, one.signer)


@dataclass(frozen=True)
class Difference:
    """A rule that the judges do not share: when it can matter, and a question where it does, with our result and theirs."""

    why: str
    applies: Callable[[Question], bool]
    example: Question
    ours: Result
    theirs: Result


def lacks_delta(asked: Question) -> bool:
    """Whether a list names a delta, and none that can be used is there."""
    usable = any(not delta.forged and not delta.critical and delta.ends > timedelta(0) for delta, _ in deltas(asked))
    return any(one.freshest for one in asked.lists) and not usable


def has_numbers_apart(asked: Question) -> bool:
    """Whether a delta and a list are no pair by their numbers."""
    return any(not base <= one.number < delta.number for delta, base in deltas(asked) for one in complete(asked))


def has_scopes_apart(asked: Question) -> bool:
    """Whether a delta and a list are no pair by what they are about."""
    return any(scope(delta) != scope(one) for delta, _ in deltas(asked) for one in complete(asked))


def has_unnamed_delta(asked: Question) -> bool:
    """Whether there is a delta, and a list that names none."""
    return bool(deltas(asked)) and any(not one.freshest for one in complete(asked))


def stands_for_itself(asked: Question) -> bool:
    """Whether a certificate names other points than its issuer, and its issuer has a list for all the same."""
    elsewhere = any(point.by == "signer" for point in asked.points)
    own = [one.point for one in asked.lists if one.signer == "authority"]
    return bool(asked.points) and ("authority" in own or ("none" in own and elsewhere))


def overlaps(asked: Question) -> bool:
    """Whether two lists tell of the same reasons, and not the same of the certificate."""
    lists = complete(asked)
    return "all" in {one.reasons for one in lists} and len({one.entry for one in lists}) > 1


DIFFERENCES: Final = (
    Difference(
        "To the other, a list that names a delta is nothing without one that is signed and in time; we use the list.",
        lacks_delta,
        Question((AUTHORITY,), (BASE,)),
        GOOD,
        UNKNOWN,
    ),
    Difference(
        "The other puts a delta on any list, whatever the numbers; we go by RFC 5280 section 5.2.4.",
        has_numbers_apart,
        Question((AUTHORITY,), (BASE, replace(DELTA, base=7, entry="keyCompromise"))),
        GOOD,
        REVOKED,
    ),
    Difference(
        "The other takes nothing from a list whose delta is about something else; we leave such a delta aside.",
        has_scopes_apart,
        Question((AUTHORITY,), (BASE, replace(DELTA, only="cas"))),
        GOOD,
        UNKNOWN,
    ),
    Difference(
        "The other uses a delta only where the list names one; we use what is at hand.",
        has_unnamed_delta,
        Question((AUTHORITY,), (List(), replace(DELTA, entry="keyCompromise"))),
        REVOKED,
        GOOD,
    ),
    Difference(
        "The other does not look at the reasons of a distribution point (6.3.3 (d)).",
        lambda asked: any(point.reasons != "all" for point in asked.points),
        Question((Point(reasons="some"),), (List(point="one"),)),
        UNKNOWN,
        GOOD,
    ),
    Difference(
        "The other looks for unknown critical extensions in the certificate's own entry; we look in all (section 5.3).",
        lambda asked: any(one.critical == "other entry" or (one.critical == "entry" and one.entry) for one in asked.lists),
        Question((AUTHORITY,), (List(critical="other entry"),)),
        UNKNOWN,
        GOOD,
    ),
    Difference(
        "The other mixes names and signers of several distribution points; to us they belong together.",
        lambda asked: len(asked.points) > 1,
        Question((AUTHORITY, Point("two", by="signer")), (List("signer", "one", indirect=True),)),
        UNKNOWN,
        GOOD,
    ),
    Difference(
        "The other forgets that the issuer is a distribution point of each certificate (6.3.3, at the end).",
        stands_for_itself,
        Question((AUTHORITY,), (List(point="authority"),)),
        GOOD,
        UNKNOWN,
    ),
    Difference(
        "Of several lists about the same, the other counts the worst; we count the newest.",
        overlaps,
        Question((AUTHORITY,), (List(begins=timedelta(hours=-2)), List(begins=timedelta(hours=-3), entry="certificateHold"))),
        GOOD,
        REVOKED,
    ),
)


@pytest.mark.parametrize("difference", DIFFERENCES, ids=lambda difference: difference.why)
def test_a_known_difference_is_one(world: World, difference: Difference) -> None:
    """Each difference that explains a disagreement is seen in an example that nothing else explains."""
    assert [one.why for one in DIFFERENCES if one.applies(difference.example)] == [difference.why]
    assert both(world, difference.example) == (difference.ours, difference.theirs)


def test_no_disagreement_is_left_unexplained(world: World) -> None:
    """Of hundreds of certificates and lists drawn at random, both say the same where no known difference can matter."""
    agreed = Counter[Result]()
    drawn = (draw(Random(seed)) for seed in range(DRAWN))
    for asked in drawn:
        # where one can matter, there is nothing to compare: each has an example above
        if not any(difference.applies(asked) for difference in DIFFERENCES):
            ours, theirs = both(world, asked)
            assert ours is theirs, asked
            agreed[ours] += 1
    assert agreed.total() > 250
    assert min(agreed[result] for result in Result) > 50
