"""Closing and opening again: one closing a burst, doubled, tested by one request."""

from random import Random

import pytest
from hypothesis import given, strategies as st

from tests.support.permits import permit, release
from vcgen.engine.chat import Usage
from vcgen.engine.config import Limits
from vcgen.engine.limits.backoff import (
    BACKOFF_CAP_S,
    BACKOFF_S,
    LONGEST_TEST_S,
    STARVED_AGAIN_S,
    Backoff,
    backoff_s,
)
from vcgen.engine.limits.circuit_breaker import CircuitBreaker
from vcgen.engine.limits.concurrency import Concurrency
from vcgen.engine.limits.permit import (
    Abandoned,
    Completed,
    Failed,
    Outcome,
    Refused,
    Starved,
    Stray,
    Throttled,
    Unreachable,
)

THROTTLED = Throttled(None)


class Longest(Random):
    """Draws the longest jitter."""

    def random(self) -> float:
        return 1.0


def make(*, is_rate_known: bool = True) -> Backoff:
    slots = Concurrency(Limits(concurrency=8), most=8)
    return Backoff(CircuitBreaker(), slots, Longest(), is_rate_known=is_rate_known)


def send(backoff: Backoff, now: float) -> None:
    backoff.on_acquire(permit(now), now)


def test_burst_closes_once_and_the_longest_hint_counts() -> None:
    backoff = make()
    for at in range(50):
        release(backoff, THROTTLED, 0.0, 1.0 + at / 100)
    assert (backoff.closings, backoff.opens_at) == (1, 1.0 + BACKOFF_S)
    release(backoff, Throttled(20.0), 0.5, 1.9)
    release(backoff, Throttled(10.0), 0.5, 1.9)
    assert (backoff.closings, backoff.opens_at) == (1, 21.9)


def test_after_a_second_refusal_one_request_goes_ahead() -> None:
    backoff = make()
    release(backoff, THROTTLED, 0.0, 2.0)
    send(backoff, 3.0)
    assert backoff.opens_at == 3.0
    release(backoff, THROTTLED, 3.0, 5.0)
    assert (backoff.closings, backoff.opens_at) == (2, 7.0)
    send(backoff, 7.0)
    assert backoff.opens_at == 7.0 + 1.5 * 2.0
    send(backoff, 10.0)  # nothing came back of the one ahead
    assert (backoff.closings, backoff.opens_at) == (0, 10.0)
    send(backoff, 10.1)
    assert backoff.opens_at == 10.0


@pytest.mark.parametrize(
    ("is_rate_known", "hint_s", "is_tested"),
    [(False, None, True), (True, None, False), (False, 3.0, False)],
)
def test_first_refusal_is_tested_where_nothing_else_is_known(
    hint_s: float | None, *, is_rate_known: bool, is_tested: bool
) -> None:
    backoff = make(is_rate_known=is_rate_known)
    release(backoff, Throttled(hint_s), 0.0, 2.0)
    opens_at = backoff.opens_at
    send(backoff, opens_at)
    assert (backoff.opens_at > opens_at) == is_tested


def test_test_request_is_not_waited_for_longer_than_a_bound() -> None:
    backoff = make(is_rate_known=False)
    release(backoff, THROTTLED, 0.0, 90.0)
    send(backoff, 100.0)
    assert backoff.opens_at == 100.0 + LONGEST_TEST_S


def test_only_a_success_sent_after_closing_ends_backing_off() -> None:
    backoff = make()
    release(backoff, THROTTLED, 1.0, 2.0)
    release(backoff, Completed(Usage()), 1.5, 2.5)
    assert backoff.closings == 1
    release(backoff, Completed(Usage()), 3.5, 4.0)
    assert backoff.closings == 0


@pytest.mark.parametrize(
    "outcome", [Abandoned(), Stray(9.0), Refused(), Failed(has_replied=True)], ids=repr
)
def test_outcome_of_one_request_closes_nothing(outcome: Outcome) -> None:
    backoff = make()
    release(backoff, outcome, 1.0, 2.0)
    assert backoff.opens_at < 0


def test_want_of_a_connection_closes_where_no_request_can_free_one() -> None:
    backoff = make()
    backoff.concurrency.in_flight = 1
    release(backoff, Starved(), 1.0, 2.0)
    assert backoff.opens_at < 0
    backoff.concurrency.in_flight = 0
    release(backoff, Starved(), 1.0, 2.0)
    assert (backoff.closings, backoff.opens_at) == (0, 2.0 + STARVED_AGAIN_S)


def test_lost_connection_closes_and_so_does_a_failed_probe() -> None:
    backoff = make()
    release(backoff, Unreachable(4.0), 1.0, 2.0)
    assert backoff.opens_at < 0  # only an outage keeps the others back
    backoff.circuit.opened_at = 1.5
    release(backoff, Unreachable(4.0), 1.0, 2.0)
    assert backoff.opens_at == 6.0
    release(backoff.circuit, Unreachable(None), 1.0, 2.0)
    release(backoff, Failed(has_replied=True), 7.0, 8.0)
    assert backoff.opens_at == 8.0 + 2 * BACKOFF_S


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_backing_off_doubles_up_to_its_cap(closings: int, draw: float) -> None:
    most = min(BACKOFF_CAP_S, BACKOFF_S * 2.0 ** min(closings - 1, 10))
    assert most / 2 <= backoff_s(closings, draw) <= most
