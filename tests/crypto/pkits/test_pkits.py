"""NIST's PKITS: every test of the sections on CRLs is judged as published."""

from collections.abc import Sequence
from typing import Final

import pytest

from certworker.crypto.revocation import Judgement, Result, RevocationList, judge_by_lists
from tests.crypto.pkits.published import PUBLISHED
from tests.crypto.pkits.suite import ANCHOR, AT, GOOD, UNKNOWN, Published, all_crls, certificate, crl
from tests.crypto.second_judge import second_by_lists

pytestmark = pytest.mark.filterwarnings("ignore:Parsed a serial number which wasn't positive")


EXPLAINED: Final = {
    "4.4.2": (UNKNOWN, "it asks again what became of the issuer, which was judged before as one of the path"),
    "4.5.8": (GOOD, "it asks about lists alone, and not whether the issuer's key may sign certificates"),
}


def judgements(test: Published, lists: Sequence[bytes | RevocationList]) -> list[tuple[Result, Judgement]]:
    """Judge each certificate of a path; what is published stands first."""
    names = [ANCHOR, *(f"{name}Cert" for name in test.path), *test.signers]
    others = [certificate(name) for name in names]
    return [
        (published, judge_by_lists(certificate(name), certificate(issuer), lists, AT, other_certificates=others))
        for name, issuer, published in test.certificates()
    ]


def assert_as_published(test: Published, judged: list[tuple[Result, Judgement]]) -> None:
    """Fail where one is not as published, or says no reason for it."""
    for published, judgement in judged:
        assert judgement.result is published, judgement.why
    assert judged[-1][1].reason == test.reason


@pytest.mark.parametrize("test", PUBLISHED, ids=str)
def test_each_certificate_of_a_path_is_judged_as_published(test: Published) -> None:
    """The lists that a test names lead to its published result."""
    lists = [crl("TrustAnchorRootCRL"), *(crl(name) for name in test.lists)]
    assert_as_published(test, judgements(test, lists))


@pytest.mark.parametrize("test", PUBLISHED, ids=str)
def test_all_other_lists_of_the_suite_change_nothing(test: Published) -> None:
    """Among all 173 lists of the suite, the right ones are found, and no other is taken for one."""
    assert_as_published(test, judgements(test, all_crls()))


@pytest.mark.parametrize("test", PUBLISHED, ids=str)
def test_a_second_judge_says_the_same(test: Published) -> None:
    """Another library judges the last certificate of each path as published, but for what is explained."""
    path = [certificate(name) for name in (ANCHOR, *(f"{name}Cert" for name in test.path), f"{test.last}EE")]
    lists = [crl("TrustAnchorRootCRL"), *(crl(name) for name in test.lists)]
    second = second_by_lists(path, lists, AT, [certificate(name) for name in test.signers])
    expected, _why = EXPLAINED.get(test.number, (test.result, ""))
    assert second is expected


def test_the_table_is_whole_and_agrees_with_the_names() -> None:
    """All 74 tests of the sections are there, and one called valid is good all along its path."""
    sections = {"4.4": 21, "4.5": 8, "4.14": 35, "4.15": 10}
    numbers = [f"{section}.{number}" for section, count in sections.items() for number in range(1, count + 1)]
    assert [test.number for test in PUBLISHED] == numbers
    for test in PUBLISHED:
        valid = all(result is GOOD for _, _, result in test.certificates())
        assert valid == test.last.startswith("Valid"), test
