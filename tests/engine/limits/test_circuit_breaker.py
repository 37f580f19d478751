"""Outages told from failures, and retries kept from becoming most of the load."""

from math import inf
from random import Random
from statistics import fmean

import pytest
from hypothesis import given, strategies as st

from vcgen.engine.limits.circuit_breaker import FAILURES, OVER_S, CircuitBreaker
from vcgen.engine.limits.estimates import LEAST_PROBE_S, PROBE_PART, PROBE_TIMES, LatencyEstimate
from vcgen.engine.retry import MOST_RETRIES, RETRIES_A_SECOND, RETRIES_A_SUCCESS, RetryBudget


def test_failures_in_a_row_over_a_second_are_an_outage() -> None:
    circuit = CircuitBreaker()
    failed = [circuit.failed(at * 0.3, at * 0.3 + 0.1) for at in range(FAILURES)]
    assert failed == [False] * (FAILURES - 1) + [True]
    assert circuit.opened_at is not None


def test_a_burst_of_failures_is_none_before_it_lasts() -> None:
    circuit = CircuitBreaker()
    assert not any(circuit.failed(at * 0.001, 0.5) for at in range(500))
    assert circuit.failed(OVER_S, OVER_S + 0.1)


def test_a_success_sent_between_them_breaks_a_row_and_an_earlier_one_does_not() -> None:
    circuit = CircuitBreaker()
    for at in range(1, FAILURES):
        circuit.failed(at, at)
    circuit.passed(0.5)
    assert circuit.failed(FAILURES, FAILURES)
    circuit = CircuitBreaker()
    for at in range(1, FAILURES):
        circuit.failed(at, at)
    circuit.passed(FAILURES - 0.5)
    assert not circuit.failed(FAILURES, FAILURES)


def test_who_was_in_flight_is_not_blamed_and_a_probe_is() -> None:
    circuit = CircuitBreaker()
    circuit.open(10.0)
    assert circuit.failed(9.0, 12.0)
    assert not circuit.failed(11.0, 12.0)


def test_only_a_request_sent_since_ends_an_outage() -> None:
    circuit = CircuitBreaker()
    circuit.open(10.0)
    circuit.passed(9.9)
    assert circuit.opened_at == 10.0
    circuit.passed(10.1)
    assert circuit.opened_at is None


@given(st.lists(st.booleans(), max_size=400))
def test_an_endpoint_that_fails_at_most_every_other_request_is_never_out(fails: list[bool]) -> None:
    circuit, before = CircuitBreaker(), False
    for at, fail in enumerate(fails):
        fail_now = fail and not before
        before = fail_now
        if fail_now:
            assert not circuit.failed(at, at)
        else:
            circuit.passed(at)


def test_retries_wait_once_they_are_many_for_the_successes() -> None:
    budget = RetryBudget()
    assert all(budget.take(0.0) == 0 for _ in range(int(MOST_RETRIES)))
    assert budget.take(0.0) == pytest.approx(1 / RETRIES_A_SECOND)
    for _ in range(round(2 / RETRIES_A_SUCCESS)):
        budget.passed()
    assert budget.take(0.0) == 0


@given(st.lists(st.floats(0, 3), min_size=1, max_size=300))
def test_no_second_holds_more_retries_than_the_budget_has_and_earns(gaps: list[float]) -> None:
    budget, now, sent = RetryBudget(), 0.0, []
    for gap in gaps:
        now += gap / 50
        sent.append(now + budget.take(now))
    assert sent == sorted(sent)
    for at, first in enumerate(sent):
        within = sum(1 for other in sent[at:] if other < first + 1)
        assert within <= MOST_RETRIES + RETRIES_A_SECOND + 1


def test_a_probe_gets_a_few_times_as_long_as_almost_all_replies_took() -> None:
    random = Random(0)  # noqa: S311 - repeatable
    times, took = LatencyEstimate(), [random.lognormvariate(2.0, 0.5) for _ in range(5000)]
    for took_s in took:
        times.learn(took_s)
    most = sorted(took)[round(0.99 * len(took))]
    assert most < times.probe_s(0.0) < 5 * most
    assert times.mean_s == pytest.approx(fmean(took), rel=0.3)


def test_a_probe_gets_longer_the_longer_its_endpoint_is_out_and_a_while_at_least() -> None:
    times = LatencyEstimate()
    assert times.probe_s(0.0) == inf  # nobody knows yet
    times.learn(0.01)
    assert times.probe_s(0.0) == LEAST_PROBE_S
    assert times.probe_s(400.0) == PROBE_PART * 400
    times.learn(100.0)
    assert times.probe_s(0.0) > PROBE_TIMES * times.mean_s
