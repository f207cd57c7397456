"""Gates: pure transitions from what is known of a CA to what is known next."""

from datetime import timedelta

from certworker.vault.resilience.gates import (
    LONGEST_PAUSE,
    LONGEST_REST,
    Gate,
    GateReason,
    after_answer,
    after_nothing,
    after_outage,
    after_spending,
    after_throttle,
    pause,
)
from tests.support.clock import START

MINUTE = timedelta(minutes=1)
OPEN = Gate("vault", "ca")


def closed() -> Gate:
    """Close a gate by three outages."""
    gate = OPEN
    for name in ("one", "two", "three"):
        gate = after_outage(gate, name, START, None)
    return gate


def test_three_certificates_in_a_row_close_the_gate() -> None:
    """One alone may be ill-fated, however often; an answer in between begins the count anew."""
    gate = OPEN
    for _ in range(10):
        gate = after_outage(gate, "one", START, None)
    assert not gate.is_closed(START)
    gate = after_outage(after_answer(after_outage(gate, "two", START, None)), "three", START, None)
    assert not gate.is_closed(START)
    assert closed().is_down
    assert closed().is_down_for_many
    assert closed().closed_until == START + MINUTE


def test_a_ca_that_cannot_be_reached_is_down_by_the_word_of_one() -> None:
    """Three times in a row, over ten minutes: neither sooner, nor where it has answered in between, if with a failure."""

    def noted(*outages: tuple[int, bool]) -> Gate:
        gate = OPEN
        for minute, unreachable in outages:
            gate = after_outage(gate, "one", START + minute * MINUTE, None, unreachable=unreachable)
        return gate

    down = noted((0, True), (1, True), (10, True))
    assert (down.is_down, down.is_down_for_many, down.since) == (True, False, START + 10 * MINUTE)
    assert down.closed_until == START + 11 * MINUTE
    assert after_answer(down) == OPEN
    assert not noted((0, True), (1, True), (9, True)).is_down
    assert not noted((0, True), (10, True)).is_down
    assert not noted((0, True), (1, True), (5, False), (10, True)).is_down
    assert noted((0, True), (1, True), (5, False), (6, True), (7, True), (16, True)).is_down
    assert not noted(*((minute, False) for minute in range(100))).is_down
    # a clock that was ahead for a year, and is set right
    assert not noted((525_600, True), (0, True), (9, True)).is_down
    assert noted((525_600, True), (0, True), (10, True)).is_down


def test_each_probe_that_fails_closes_it_for_longer() -> None:
    """1, 2, 4 minutes and so on, up to 30; others' late failures change nothing."""
    gate, at, pauses = closed(), START, []
    for _ in range(8):
        assert gate.closed_until is not None
        pauses.append(gate.closed_until - at)
        assert after_outage(gate, "late", at, None) == gate
        at = gate.closed_until
        gate = after_outage(gate, "probe", at, None)
    assert [one // MINUTE for one in pauses] == [1, 2, 4, 8, 16, 30, 30, 30]
    assert gate.since == START
    assert pause(1000) == LONGEST_PAUSE


def test_an_answer_opens_it() -> None:
    """Whoever answers is up, and nothing of the trouble is left."""
    assert after_answer(closed()) == OPEN
    assert after_answer(after_throttle(OPEN, "one", START, None)) == OPEN


def test_a_ca_says_when_it_wants_to_be_asked_again() -> None:
    """An outage's Retry-After wins over a shorter pause; a throttling's is kept for an hour, then a probe finds out."""
    gate = OPEN
    for name in ("one", "two", "three"):
        gate = after_outage(gate, name, START, START + 10 * MINUTE)
    assert gate.closed_until == START + 10 * MINUTE
    assert after_throttle(OPEN, "one", START, START + 20 * MINUTE).closed_until == START + 20 * MINUTE
    assert after_throttle(OPEN, "one", START, START + timedelta(days=2)).closed_until == START + LONGEST_REST
    assert after_throttle(OPEN, "one", START, None).closed_until == START + MINUTE
    assert after_throttle(OPEN, "one", START, START).closed_until == START + timedelta(seconds=1)


def test_a_ca_that_throttles_is_not_down() -> None:
    """A probe that is told to wait has found the CA up."""
    gate = after_throttle(closed(), "probe", START + MINUTE, START + 2 * MINUTE)
    assert (gate.reason, gate.is_down, gate.witnesses) == (GateReason.THROTTLED, False, ())


def test_a_probe_that_says_nothing_lets_another_go() -> None:
    """What was refused without asking the CA, or deleted, is no reason to wait."""
    probing = Gate("vault", "ca", GateReason.OUTAGE, START + 3 * MINUTE, START, 1, ("ONE",), probe="WEB")
    assert after_nothing(probing, "other", START) == probing
    assert after_nothing(probing, "web", START + MINUTE).closed_until == START + MINUTE
    freed = after_nothing(probing, "web", START)
    assert (freed.probe, freed.closed_until, freed.is_down) == (None, START, True)


def test_a_budget_closes_only_what_is_open() -> None:
    """It closes until the next token, opens when there is one, and hides no outage."""
    spent = after_spending(OPEN, START, START + MINUTE)
    assert (spent.reason, spent.closed_until) == (GateReason.BUDGET, START + MINUTE)
    assert after_answer(spent).closed_until == START + MINUTE
    assert after_spending(OPEN, START, START + timedelta(days=100)).closed_until == START + LONGEST_REST
    assert not after_spending(spent, START + MINUTE, START).is_closed(START + MINUTE)
    assert after_spending(closed(), START, START + timedelta(hours=1)) == closed()
