"""No kind of limit grants more than it promises, and none refuses who keeps to its pace."""

import math
from collections import Counter
from collections.abc import Callable
from itertools import accumulate, pairwise

import pytest
from hypothesis import example, given, strategies as st

from vcgen.sim.rate_windows import (
    WINDOW_S,
    FixedWindow,
    RateWindow,
    RefillingBucket,
    SlidingWindow,
)

Makers = dict[str, Callable[[int], RateWindow]]
KINDS: Makers = {
    "sliding": SlidingWindow,
    "fixed": FixedWindow,
    "bucket of a minute": lambda limit: RefillingBucket(limit, WINDOW_S),
    "bucket of a second": lambda limit: RefillingBucket(limit, 1.0),
    "strict": lambda limit: RefillingBucket(limit, 0.0),
}
# Times that floats hold exactly, so that a minute's turn is one.
GAPS = st.sampled_from([0, 1, 64, 60 * 64 - 1, 60 * 64]) | st.integers(0, 20 * 64)
TIMES = st.lists(GAPS, min_size=1, max_size=150).map(
    lambda gaps: [time / 64 for time in accumulate(gaps)]
)
AMOUNTS = st.lists(st.integers(1, 9), min_size=150, max_size=150)
LIMITS = st.integers(1, 60)
Grants = list[tuple[float, int]]


def granted(window: RateWindow, times: list[float], amounts: list[int]) -> Grants:
    """What a window grants of amounts that come at those times, and never come again."""
    grants = []
    for now, amount in zip(times, amounts, strict=False):
        if window.wait_s(amount, now) == 0:
            window.take(amount, now)
            grants.append((now, amount))
    return grants


@given(LIMITS, TIMES, AMOUNTS)
def test_no_60_seconds_hold_more_than_a_sliding_window_allows(
    limit: int, times: list[float], amounts: list[int]
) -> None:
    grants = granted(SlidingWindow(limit), times, amounts)
    for began, _ in grants:
        held = sum(amount for now, amount in grants if began <= now < began + WINDOW_S)
        assert held <= limit


@given(LIMITS, TIMES, AMOUNTS)
def test_no_minute_of_the_clock_holds_more_than_a_fixed_window_allows(
    limit: int, times: list[float], amounts: list[int]
) -> None:
    minutes: Counter[int] = Counter()
    for now, amount in granted(FixedWindow(limit), times, amounts):
        minutes[int(now // WINDOW_S)] += amount
    assert all(held <= limit for held in minutes.values())


@given(LIMITS, st.sampled_from([0.0, 1.0, 10.0, WINDOW_S]), TIMES, AMOUNTS)
def test_no_time_holds_more_than_a_bucketful_and_the_refill(
    limit: int, burst_s: float, times: list[float], amounts: list[int]
) -> None:
    grants = granted(RefillingBucket(limit, burst_s), times, amounts)
    for at, (began, _) in enumerate(grants):
        held = 0
        for now, amount in grants[at:]:
            held += amount
            bucketful = max(burst_s * limit / WINDOW_S, amount)
            assert held <= bucketful + (now - began) * limit / WINDOW_S + 1e-6


@given(LIMITS, TIMES)
def test_a_strict_limit_spaces_requests_evenly(limit: int, times: list[float]) -> None:
    grants = granted(RefillingBucket(limit, 0.0), times, [1] * len(times))
    gaps = [late - early for (early, _), (late, _) in pairwise(grants)]
    assert all(gap >= WINDOW_S / limit - 1e-6 for gap in gaps)


@pytest.mark.parametrize("kind", KINDS)
@given(limit=st.integers(1, 5000), start=st.integers(0, 10**6))
@example(limit=11, start=0)  # 11 * (60 / 11) < 60
def test_whoever_keeps_exactly_to_the_pace_is_never_refused(
    kind: str, limit: int, start: int
) -> None:
    window = KINDS[kind](limit)
    for number in range(min(2 * limit + 1, 500)):
        now = start / 64 + number * (WINDOW_S / limit)
        assert window.wait_s(1, now) == 0
        window.take(1, now)


@pytest.mark.parametrize("kind", KINDS)
def test_after_a_burst_that_took_all_an_exact_pace_is_kept_up_for_a_day(kind: str) -> None:
    # Months from the clock's start floats are coarse, and sums of them go astray soonest.
    window, began = KINDS[kind](37), 1e7
    while window.wait_s(1, began) == 0:
        window.take(1, began)
    start = began + window.wait_s(1, began)
    for number in range(37 * 60 * 24):
        now = start + number * (WINDOW_S / 37)
        assert window.wait_s(1, now) == 0
        window.take(1, now)


@pytest.mark.parametrize("kind", KINDS)
@given(limit=LIMITS, times=TIMES, amounts=AMOUNTS)
def test_whoever_waits_as_told_is_let_in_and_not_a_moment_before(
    kind: str, limit: int, times: list[float], amounts: list[int]
) -> None:
    window = KINDS[kind](limit)
    for now, amount in zip(times, amounts, strict=False):
        wait_s = window.wait_s(amount, now)
        if amount > limit:
            assert math.isinf(wait_s)
        elif wait_s == 0:
            window.take(amount, now)
        else:
            assert window.wait_s(amount, now + wait_s / 2) > 0
            assert window.wait_s(amount, now + wait_s) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_none_of_a_limit_is_used_once_its_reset_has_come(kind: str) -> None:
    window = KINDS[kind](6)
    assert window.usage(7.0) == (0, 0.0)
    window.take(1, 7.0)
    used, reset_s = window.usage(7.0)
    assert used == 1
    assert reset_s == {"sliding": 60, "fixed": 53}.get(kind, 10)
    assert window.usage(7.0 + reset_s) == (0, 0.0)
