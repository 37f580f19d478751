"""Outages: found from failures in a row, ended by one probe, never taken from single failures."""

import pytest
from hypothesis import given, strategies as st

from tests.support.permits import permit, release
from vcgen.engine.chat import Usage
from vcgen.engine.limits.circuit_breaker import FAILURES, OVER_S, CircuitBreaker
from vcgen.engine.limits.permit import (
    Abandoned,
    Completed,
    Disabled,
    Failed,
    Outcome,
    Refused,
    Stray,
    Throttled,
    Unreachable,
)

FAILED, DONE = Failed(has_replied=True), Completed(Usage())


def fail(circuit: CircuitBreaker, sent_at: float, now: float) -> bool:
    """Report a failure; returns whether the endpoint is out."""
    release(circuit, FAILED, sent_at, now)
    return circuit.is_open


def test_failures_in_a_row_over_a_second_are_an_outage() -> None:
    circuit = CircuitBreaker()
    opened = [fail(circuit, at * 0.3, at * 0.3 + 0.1) for at in range(FAILURES)]
    assert opened == [False] * (FAILURES - 1) + [True]


def test_burst_of_failures_is_no_outage_before_it_lasts() -> None:
    circuit = CircuitBreaker()
    assert not any(fail(circuit, at * 0.001, 0.5) for at in range(500))
    assert fail(circuit, OVER_S, OVER_S + 0.1)


@pytest.mark.parametrize(("sent_at", "is_open"), [(0.5, True), (FAILURES - 0.5, False)])
def test_only_success_sent_between_them_breaks_a_row(sent_at: float, *, is_open: bool) -> None:
    circuit = CircuitBreaker()
    for at in range(1, FAILURES):
        fail(circuit, at, at)
    release(circuit, DONE, sent_at, FAILURES)
    assert fail(circuit, FAILURES, FAILURES) == is_open


def in_flight(circuit: CircuitBreaker, count: int, sent_at: float) -> None:
    for number in range(100, 100 + count):
        circuit.on_acquire(permit(sent_at, number), sent_at)


@pytest.mark.parametrize(("others", "is_open"), [(FAILURES - 1, True), (FAILURES, False)])
def test_failures_are_no_outage_while_as_many_requests_may_succeed(
    others: int, *, is_open: bool
) -> None:
    circuit = CircuitBreaker(lambda: 8.0)
    in_flight(circuit, others, 0.0)
    for at in range(1, FAILURES):
        assert not fail(circuit, at, at)
    assert fail(circuit, FAILURES, FAILURES) == is_open


def test_requests_in_flight_for_long_are_not_expected_to_succeed() -> None:
    circuit = CircuitBreaker(lambda: 8.0)
    in_flight(circuit, 500, 0.0)
    assert not any(fail(circuit, at, at) for at in range(1, 9))
    assert fail(circuit, 9.0, 9.0)


@pytest.mark.parametrize(("others", "is_open"), [(0, True), (1, False), (500, False)])
def test_a_connection_that_fails_is_an_outage_if_nothing_else_may_succeed(
    others: int, *, is_open: bool
) -> None:
    circuit = CircuitBreaker(lambda: 8.0)
    in_flight(circuit, others, 0.5)
    release(circuit, Unreachable(None), 1.0, 1.1)
    assert circuit.is_open == is_open
    assert circuit.failing_s(2.0) == (1.0 if is_open else 0.0)


def test_lost_connection_is_an_outage_at_once() -> None:
    circuit = CircuitBreaker()
    release(circuit, Unreachable(None), 9.0, 10.0)
    assert circuit.opened_at == 10.0
    assert circuit.is_absent
    release(circuit, DONE, 9.5, 11.0)
    assert not circuit.is_absent


def test_failure_sent_before_an_outage_is_explained_by_it() -> None:
    circuit = CircuitBreaker()
    release(circuit, Unreachable(None), 9.0, 10.0)
    assert circuit.explains(permit(9.0))
    assert not circuit.explains(permit(11.0))


def test_only_a_request_sent_since_ends_an_outage() -> None:
    circuit = CircuitBreaker()
    release(circuit, Unreachable(None), 9.0, 10.0)
    release(circuit, DONE, 9.9, 12.0)
    assert circuit.opened_at == 10.0
    release(circuit, DONE, 10.1, 12.0)
    assert not circuit.is_open


def test_one_probe_is_in_flight_until_it_is_released() -> None:
    circuit = CircuitBreaker()
    circuit.on_acquire(permit(1.0, 1), 1.0)
    assert not circuit.is_probed
    release(circuit, Unreachable(None), 1.0, 2.0)
    circuit.on_acquire(permit(3.0, 2), 3.0)
    assert circuit.is_probed
    assert circuit.is_probe(permit(3.0, 2))
    circuit.on_release(permit(1.5, 1), FAILED, 4.0)
    assert circuit.is_probed
    circuit.on_release(permit(3.0, 2), Abandoned(), 4.0)
    assert not circuit.is_probed
    assert circuit.is_open


def test_time_without_a_success_counts_from_the_first_sent() -> None:
    circuit = CircuitBreaker()
    assert circuit.failing_s(50.0) == 0
    release(circuit, Throttled(None), 10.0, 11.0)
    release(circuit, Throttled(None), 20.0, 21.0)
    assert circuit.failing_s(50.0) == 40
    release(circuit, DONE, 30.0, 51.0)
    assert circuit.failing_s(60.0) == 0


@pytest.mark.parametrize(
    "outcome", [DONE, Refused(), Disabled("no key"), Throttled(None), FAILED], ids=repr
)
def test_any_reply_shows_that_an_endpoint_is_there(outcome: Outcome) -> None:
    circuit = CircuitBreaker()
    release(circuit, Unreachable(None), 0.0, 1.0)
    assert circuit.is_absent
    release(circuit, outcome, 2.0, 3.0)
    assert circuit.is_reached
    assert not circuit.is_absent


@pytest.mark.parametrize("outcome", [Abandoned(), Stray(None), Refused()], ids=repr)
def test_outcome_of_one_request_is_no_outage(outcome: Outcome) -> None:
    circuit = CircuitBreaker()
    for at in range(50):
        release(circuit, outcome, at, at + 0.5)
    assert not circuit.is_open
    assert not circuit.failing_s(50.0)


@given(st.lists(st.booleans(), max_size=400))
def test_failing_every_other_request_is_never_an_outage(fails: list[bool]) -> None:
    circuit, before = CircuitBreaker(), False
    for at, is_failing in enumerate(fails):
        before = is_failing and not before
        if before:
            assert not fail(circuit, at, at)
        else:
            release(circuit, DONE, at, at)
