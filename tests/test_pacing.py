"""Rates as arithmetic: buckets, the share in use, what was accepted, backing off, estimates."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vcgen.pacing import (
    BACKOFF_CAP_S,
    CUT,
    ENOUGH,
    GROWTH,
    GROWTH_EVERY_S,
    LEAST_SHARE,
    WINDOW_S,
    Accepted,
    Share,
    TokenEstimate,
    backoff_s,
    bucket,
)


@given(st.floats(1, 1e7))
def test_a_full_bucket_and_its_refill_stay_within_the_limit(per_minute: float) -> None:
    capacity, period_s = bucket(per_minute)
    most = capacity + WINDOW_S * capacity / period_s
    # Requests are whole: where they leave one by one, the part of one that is left leaves none.
    assert (math.floor(most) <= math.ceil(per_minute)) if capacity == 1 else most <= per_minute


@given(st.floats(1, 1e7))
def test_a_bucket_gives_up_at_most_one_percent_of_the_limit(per_minute: float) -> None:
    capacity, period_s = bucket(per_minute)
    assert WINDOW_S * capacity / period_s >= 0.99 * per_minute


def busy(share: Share, sent_at: float, *, part: float = 0.0) -> None:
    """Let as many replies come as a judgement stands on, that part of them throttled."""
    for at in range(ENOUGH):
        if at < part * ENOUGH:
            share.throttled(sent_at, sent_at)
        else:
            share.passed(sent_at, sent_at)


def test_one_flight_cuts_once() -> None:
    share = Share()
    busy(share, 1.0)
    assert share.throttled(1.0, 2.0)
    assert share.share == pytest.approx(CUT)
    assert not any(share.throttled(1.5, 3.0) for _ in range(100))
    assert share.share == pytest.approx(CUT)


def test_few_replies_judge_no_rate() -> None:
    share = Share()
    assert not any(share.throttled(1.0, 2.0) for _ in range(ENOUGH - 1))
    assert share.throttled(1.0, 2.0)


def test_the_share_grows_by_steps_and_never_above_one() -> None:
    share = Share(0.97)
    grown = [share.passed(at, at) for at in range(1, 200)]
    assert grown.count(True) == math.ceil(0.03 / GROWTH)
    assert share.share == 1.0
    steps = [at for at, step in enumerate(grown) if step]
    assert all(after - before >= GROWTH_EVERY_S for before, after in pairwise(steps))


def test_throttling_that_less_rate_does_not_lessen_is_put_up_with() -> None:
    share, now = Share(), 0.0
    for _ in range(2000):
        now += 0.1
        for at in range(5):
            if at == 0:
                share.throttled(now, now)
            else:
                share.passed(now, now)
    assert share.share == 1.0


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 20)), max_size=300))
def test_the_share_stays_within_its_bounds(replies: list[tuple[bool, float]]) -> None:
    share, now = Share(), 0.0
    for passed, later in replies:
        now += later
        before = share.share
        changed = (share.passed if passed else share.throttled)(now - later / 2, now)
        assert changed or share.share == before
        assert LEAST_SHARE <= share.share <= 1


def test_accepted_requests_are_counted_over_the_last_minute() -> None:
    accepted = Accepted()
    for second in range(180):
        accepted.add(second)
        accepted.add(second + 0.5)
    assert accepted.per_minute(179.9, 0.0) == 120
    assert accepted.per_minute(600.0, 0.0) == 0


def test_a_rate_is_told_from_less_than_a_minute() -> None:
    accepted = Accepted()
    for at in range(30):
        accepted.add(100 + at)
    assert accepted.per_minute(130.0, 100.0) == 60
    assert Accepted().per_minute(5.0, float("inf")) == 0


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
