"""Estimates: accepted rate over the last minute, tokens of a request, latency."""

from math import inf
from random import Random
from statistics import fmean

import pytest
from hypothesis import given, strategies as st

from vcgen.engine.chat import Usage
from vcgen.engine.limits.estimates import (
    LEAST_PROBE_S,
    PROBE_PART,
    PROBE_TIMES,
    AcceptedRate,
    LatencyEstimate,
    TokenEstimate,
)
from vcgen.engine.limits.per_limit import WINDOW_S
from vcgen.engine.limits.permit import RequestSize


def test_accepted_requests_are_counted_over_the_last_minute() -> None:
    accepted = AcceptedRate()
    for second in range(180):
        accepted.add(second, 1.0)
        accepted.add(second + 0.5, 1.0)
    assert accepted.per_minute(179.9, 0.0) == 120
    assert accepted.per_minute(600.0, 0.0) == 0


def test_rate_is_extrapolated_from_less_than_a_minute() -> None:
    accepted = AcceptedRate()
    for at in range(30):
        accepted.add(100 + at, 1.0)
    assert accepted.per_minute(130.0, 100.0) == 60
    assert AcceptedRate().per_minute(5.0, inf) == 0


@given(st.lists(st.tuples(st.floats(0, 3), st.booleans()), max_size=60), st.floats(0.1, 10))
def test_refused_requests_are_not_accepted(sent: list[tuple[float, bool]], factor: float) -> None:
    accepted, now, kept = AcceptedRate(), 0.0, 0
    for later, is_refused in sent:
        now += later
        accepted.add(now, 1.0)
        if is_refused:
            accepted.remove(now, 1.0)
        kept += not is_refused and now > sum(gap for gap, _ in sent) - WINDOW_S + 1
    accepted.scale(factor)
    assert accepted.per_minute(now, now - WINDOW_S) >= factor * kept - 1e-6


def test_refusal_of_a_forgotten_request_counts_nothing_twice() -> None:
    accepted = AcceptedRate()
    accepted.add(0.0, 1.0)
    accepted.add(100.0, 1.0)
    assert accepted.per_minute(100.0, 0.0) == 1
    accepted.remove(0.0, 1.0)
    assert accepted.per_minute(100.0, 0.0) == 1


def test_estimate_takes_the_whole_room_until_a_reply_came() -> None:
    estimate = TokenEstimate()
    size = RequestSize(3000, 1024)
    assert estimate.of(size) == (991, 1024)
    estimate.learn(3000, Usage(750, 100))
    assert estimate.of(size) < (991, 101)
    for _ in range(200):
        estimate.learn(3000, Usage(750, 100))
    assert estimate.of(size) == pytest.approx((751, 100), abs=2)
    assert estimate.of(RequestSize(3000, 40)) == pytest.approx((751, 40), abs=2)


def test_reply_without_usage_teaches_nothing() -> None:
    estimate = TokenEstimate()
    estimate.learn(3000, Usage(0, 0))
    assert estimate == TokenEstimate()


def test_probe_gets_a_few_times_as_long_as_most_replies() -> None:
    random = Random(0)  # noqa: S311 - repeatable
    times, took = LatencyEstimate(), [random.lognormvariate(2.0, 0.5) for _ in range(5000)]
    for took_s in took:
        times.learn(took_s)
    most = sorted(took)[round(0.99 * len(took))]
    assert most < times.probe_s(0.0) < 5 * most
    assert times.mean_s == pytest.approx(fmean(took), rel=0.3)


def test_probe_gets_longer_with_the_outage_and_a_minimum() -> None:
    times = LatencyEstimate()
    assert times.probe_s(0.0) == inf  # no latency is known yet
    times.learn(0.01)
    assert times.probe_s(0.0) == LEAST_PROBE_S
    assert times.probe_s(400.0) == PROBE_PART * 400
    times.learn(100.0)
    assert times.probe_s(0.0) > PROBE_TIMES * times.mean_s
