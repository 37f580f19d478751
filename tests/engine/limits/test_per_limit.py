"""Rates as arithmetic: buckets, what was accepted, closing and backing off, estimates."""

import math

import pytest
from hypothesis import given, strategies as st

from vcgen.engine.limits.backoff import (
    BACKOFF_CAP_S,
    BACKOFF_S,
    LONGEST_PROBE_S,
    PUT_UP_WITH,
    Backoff,
    backoff_s,
)
from vcgen.engine.limits.estimates import AcceptedRate, TokenEstimate
from vcgen.engine.limits.per_limit import WINDOW_S
from vcgen.engine.limits.token_bucket import SLICE_S, SMOOTH_S, bucket_size


@given(st.floats(1, 1e7), st.sampled_from([SLICE_S, SMOOTH_S]))
def test_a_full_bucket_and_its_refill_stay_within_the_limit(
    per_minute: float, slice_s: float
) -> None:
    capacity, period_s = bucket_size(per_minute, slice_s)
    most = capacity + WINDOW_S * capacity / period_s
    # Requests are whole: where they leave one by one, the part of one that is left leaves none.
    assert (math.floor(most) <= math.ceil(per_minute)) if capacity == 1 else most <= per_minute


@given(st.floats(1, 1e7))
def test_a_bucket_gives_up_at_most_one_percent_of_the_limit(per_minute: float) -> None:
    capacity, period_s = bucket_size(per_minute)
    assert WINDOW_S * capacity / period_s >= 0.99 * per_minute


def test_accepted_requests_are_counted_over_the_last_minute() -> None:
    accepted = AcceptedRate()
    for second in range(180):
        accepted.add(second, 1.0)
        accepted.add(second + 0.5, 1.0)
    assert accepted.per_minute(179.9, 0.0) == 120
    assert accepted.per_minute(600.0, 0.0) == 0


def test_a_rate_is_told_from_less_than_a_minute() -> None:
    accepted = AcceptedRate()
    for at in range(30):
        accepted.add(100 + at, 1.0)
    assert accepted.per_minute(130.0, 100.0) == 60
    assert AcceptedRate().per_minute(5.0, float("inf")) == 0


@given(st.lists(st.tuples(st.floats(0, 3), st.booleans()), max_size=60), st.floats(0.1, 10))
def test_what_was_refused_is_not_accepted(sent: list[tuple[float, bool]], factor: float) -> None:
    accepted, now, kept = AcceptedRate(), 0.0, 0
    for later, is_refused in sent:
        now += later
        accepted.add(now, 1.0)
        if is_refused:
            accepted.refused(now, 1.0)
        kept += not is_refused and now > sum(gap for gap, _ in sent) - WINDOW_S + 1
    accepted.scale(factor)
    assert accepted.per_minute(now, now - WINDOW_S) >= factor * kept - 1e-6


def test_a_refusal_of_more_than_a_minute_ago_counts_nothing_twice() -> None:
    accepted = AcceptedRate()
    accepted.add(0.0, 1.0)
    accepted.add(100.0, 1.0)
    assert accepted.per_minute(100.0, 0.0) == 1
    accepted.refused(0.0, 1.0)
    assert accepted.per_minute(100.0, 0.0) == 1


def test_a_burst_of_refusals_closes_once_and_the_longest_hint_counts() -> None:
    closures = Backoff()
    for at in range(50):
        closures.refused(0.0, 1.0 + at / 100, None, 1.0, probe=False)
    assert (closures.count, closures.opens_at) == (1, 1.0 + BACKOFF_S)
    closures.refused(0.5, 1.9, 20.0, 1.0, probe=False)
    closures.refused(0.5, 1.9, 10.0, 1.0, probe=False)
    assert (closures.count, closures.opens_at) == (1, 21.9)


def test_after_a_second_refusal_in_a_row_one_request_goes_ahead() -> None:
    closures = Backoff()
    closures.refused(0.0, 2.0, None, 1.0, probe=False)
    closures.left(3.0)
    assert closures.opens_at == 3.0
    closures.refused(3.0, 5.0, None, 1.0, probe=False)
    assert (closures.count, closures.opens_at) == (2, 7.0)
    closures.left(7.0)
    assert closures.opens_at == 7.0 + 1.5 * 2.0
    closures.left(10.0)  # nothing came back of the one ahead
    assert (closures.count, closures.opens_at) == (0, 10.0)
    closures.left(10.1)
    assert closures.opens_at == 10.0


def test_nobody_waits_for_ever_for_the_one_ahead() -> None:
    closures = Backoff()
    closures.refused(0.0, 90.0, None, 1.0, probe=True)
    closures.left(100.0)
    assert closures.opens_at == 100.0 + LONGEST_PROBE_S


def test_only_a_success_sent_after_the_gate_closed_ends_the_backing_off() -> None:
    closures = Backoff()
    closures.refused(1.0, 2.0, None, 1.0, probe=False)
    closures.passed(1.5)
    assert closures.count == 1
    closures.passed(3.5)
    assert closures.count == 0


@given(st.lists(st.floats(0.01, 30), min_size=1, max_size=100))
def test_refusals_that_are_put_up_with_close_the_gate_for_a_small_part_of_the_time(
    gaps: list[float],
) -> None:
    closures, now, closed_s = Backoff(), 0.0, 0.0
    for gap in gaps:
        now = max(now, closures.opens_at) + gap
        closures.tolerated(now, now, None)
        closed_s += closures.opens_at - now
    assert closed_s <= PUT_UP_WITH * (now + BACKOFF_S)


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_backing_off_doubles_up_to_its_cap(closures: int, draw: float) -> None:
    most = min(BACKOFF_CAP_S, 2.0 ** min(closures - 1, 10))
    assert most / 2 <= backoff_s(closures, draw) <= most


def test_an_estimate_takes_the_room_until_a_reply_has_told_better() -> None:
    estimate = TokenEstimate()
    assert estimate.of(3000, 1024) == (991, 1024)
    estimate.learn(3000, 750, 100)
    assert estimate.of(3000, 1024) < (991, 101)
    for _ in range(200):
        estimate.learn(3000, 750, 100)
    assert estimate.of(3000, 1024) == pytest.approx((751, 100), abs=2)
    assert estimate.of(3000, 40) == pytest.approx((751, 40), abs=2)


def test_a_reply_without_usage_teaches_nothing() -> None:
    estimate = TokenEstimate()
    estimate.learn(3000, 0, 0)
    assert estimate == TokenEstimate()
