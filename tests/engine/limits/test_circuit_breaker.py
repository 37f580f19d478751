"""Outages: found from requests sent in the same time, ended by one probe; strays are none."""

from random import Random

import pytest
from hypothesis import given, strategies as st

from tests.support.permits import permit, release
from vcgen.engine.chat import Usage
from vcgen.engine.limits.circuit_breaker import (
    BY_CHANCE,
    COHORTS,
    FAILURES,
    OVER_S,
    UNREACHED,
    CircuitBreaker,
)
from vcgen.engine.limits.permit import (
    Abandoned,
    Completed,
    Disabled,
    Failed,
    Outcome,
    Permit,
    Refused,
    Stray,
    Throttled,
    Unreachable,
)

FAILED, DONE, UNREACHABLE = Failed(has_replied=True), Completed(Usage()), Unreachable(None)


class Endpoint:
    """Sends numbered requests through a circuit breaker."""

    def __init__(self) -> None:
        self.circuit = CircuitBreaker()
        self.sent = 0

    def send(self, at: float) -> Permit:
        self.sent += 1
        sent = permit(at, self.sent)
        self.circuit.on_acquire(sent, at)
        return sent

    def end(self, sent: Permit, outcome: Outcome, now: float | None = None) -> bool:
        """Report an outcome; returns whether the endpoint is out."""
        self.circuit.on_release(sent, outcome, sent.sent_at + 0.02 if now is None else now)
        return self.circuit.is_open

    def fail(self, at: float, outcome: Outcome = FAILED) -> bool:
        """Send a request that fails; returns whether the endpoint is out."""
        return self.end(self.send(at), outcome)


def out() -> Endpoint:
    """An endpoint found to be out at 10.22."""
    endpoint = Endpoint()
    for at in range(UNREACHED):
        endpoint.fail(10.0 + at / 10, UNREACHABLE)
    assert endpoint.circuit.opened_at == pytest.approx(10.22)
    return endpoint


def test_failures_in_a_row_over_a_second_are_an_outage() -> None:
    endpoint = Endpoint()
    opened = [endpoint.fail(at * 0.3) for at in range(FAILURES)]
    assert opened == [False] * (FAILURES - 1) + [True]


def test_burst_of_failures_is_no_outage_before_it_lasts() -> None:
    endpoint = Endpoint()
    burst = [endpoint.send(at * 0.0001) for at in range(500)]
    assert not any(endpoint.end(each, FAILED, 0.5) for each in burst)
    assert not endpoint.fail(OVER_S - 0.01)
    assert endpoint.fail(OVER_S)


def test_connections_refused_in_a_row_are_an_outage_at_once() -> None:
    endpoint = Endpoint()
    opened = [endpoint.fail(at * 0.001, UNREACHABLE) for at in range(UNREACHED)]
    assert opened == [False] * (UNREACHED - 1) + [True]


@pytest.mark.parametrize("outcome", [FAILED, UNREACHABLE], ids=repr)
@pytest.mark.parametrize("share", [0.01, 0.05, 0.3])
@pytest.mark.parametrize("per_second", [4, 64, 500])
def test_quick_strays_beside_slow_replies_are_no_outage(
    outcome: Outcome, share: float, per_second: int
) -> None:
    """For the eight seconds in which no reply can come, and on."""
    endpoint, open_requests = Endpoint(), list[Permit]()
    random = Random(1)  # noqa: S311 - repeatable
    for at in range(30 * per_second):
        sent = endpoint.send(at / per_second)
        if random.random() < share:
            assert not endpoint.end(sent, outcome)
        else:
            open_requests.append(sent)
        if open_requests and open_requests[0].sent_at <= sent.sent_at - 8:
            assert not endpoint.end(open_requests.pop(0), DONE, sent.sent_at)


@pytest.mark.parametrize("outcome", [FAILED, UNREACHABLE], ids=repr)
def test_outage_beside_slow_replies_is_found_while_they_are_on_their_way(outcome: Outcome) -> None:
    endpoint = Endpoint()
    for at in range(8 * 64):
        endpoint.send(at / 64)
    while not endpoint.fail(endpoint.sent / 64, outcome):
        assert endpoint.sent / 64 < 8 + OVER_S + 0.2
    assert outcome is FAILED or endpoint.sent <= 8 * 64 + 10


@pytest.mark.parametrize("order", ["as sent", "reversed", "shuffled"])
def test_everything_that_dies_at_once_is_an_outage(order: str) -> None:
    endpoint = Endpoint()
    in_flight = [endpoint.send(at / 64) for at in range(8 * 64)]
    if order == "reversed":
        in_flight.reverse()
    if order == "shuffled":
        Random(2).shuffle(in_flight)  # noqa: S311 - repeatable
    opened = [endpoint.end(each, FAILED, 8.0) for each in in_flight]
    assert opened[-1]


@pytest.mark.parametrize("per_second", [10, 500])
def test_a_few_requests_may_hang_in_an_outage(per_second: int) -> None:
    endpoint, opened = Endpoint(), False
    for at in range(3 * per_second):
        sent = endpoint.send(at / per_second)
        if at % 15:
            opened = opened or endpoint.end(sent, FAILED)
    assert opened


@pytest.mark.parametrize("jitter_s", [0.0, 0.5])
def test_slow_failures_in_any_order_are_an_outage(jitter_s: float) -> None:
    endpoint, random = Endpoint(), Random(3)  # noqa: S311 - repeatable
    sent = [endpoint.send(at / 64) for at in range(64 * 4)]
    ends = sorted((each.sent_at + 1 + jitter_s * random.random(), each) for each in sent)
    opened = [endpoint.end(each, FAILED, at) for at, each in ends]
    assert ends[opened.index(True)][0] < 1 + OVER_S + jitter_s + 0.2


def test_failures_that_are_frequent_take_more_of_them() -> None:
    """Half of all fail: as many in a row as chance brings once in 100,000 times."""
    endpoint = Endpoint()
    for at in range(1000):
        sent = endpoint.send(at)
        assert not endpoint.end(sent, UNREACHABLE if at % 2 else DONE)
    opened = [endpoint.fail(1000.0 + at, UNREACHABLE) for at in range(20)]
    assert 0.5 ** (opened.index(True) + 1) <= 4 * BY_CHANCE


@pytest.mark.parametrize(("replied", "is_open"), [(0, True), (2, False)])
def test_only_success_sent_between_them_breaks_a_row(replied: int, *, is_open: bool) -> None:
    endpoint = Endpoint()
    sent = [endpoint.send(float(at)) for at in range(FAILURES + 1)]
    for each in sent[1:-1]:
        if each is not sent[replied]:
            endpoint.end(each, FAILED, 9.0)
    endpoint.end(sent[replied], DONE, 9.0)
    assert endpoint.end(sent[-1], FAILED, 9.0) == is_open


def test_absent_is_what_refuses_connections_and_never_replied() -> None:
    endpoint = out()
    assert endpoint.circuit.is_absent
    assert endpoint.circuit.failing_since == 10.0
    endpoint.end(endpoint.send(11.0), DONE)
    assert not endpoint.circuit.is_absent


def test_failure_sent_before_an_outage_is_explained_by_it() -> None:
    circuit = out().circuit
    assert circuit.explains(permit(9.0))
    assert not circuit.explains(permit(11.0))


def test_only_a_request_sent_since_ends_an_outage() -> None:
    endpoint = out()
    release(endpoint.circuit, DONE, 9.9, 12.0)
    assert endpoint.circuit.is_open
    release(endpoint.circuit, DONE, 10.3, 12.0)
    assert not endpoint.circuit.is_open


def test_one_probe_is_in_flight_until_it_is_released() -> None:
    endpoint = Endpoint()
    first = endpoint.send(1.0)
    assert not endpoint.circuit.is_probed
    endpoint = out()
    first, probe = permit(9.0, 1), endpoint.send(12.0)
    assert endpoint.circuit.is_probed
    assert endpoint.circuit.is_probe(probe)
    endpoint.end(first, FAILED)
    assert endpoint.circuit.is_probed
    assert endpoint.end(probe, Abandoned())
    assert not endpoint.circuit.is_probed


def test_time_without_a_success_counts_from_the_first_sent() -> None:
    circuit = CircuitBreaker()
    assert circuit.failing_s(50.0) == 0
    release(circuit, Throttled(None), 10.0, 11.0)
    release(circuit, Throttled(None), 20.0, 21.0)
    assert circuit.failing_s(50.0) == 40
    release(circuit, DONE, 30.0, 51.0)
    assert circuit.failing_s(60.0) == 0


def test_failures_of_requests_sent_long_ago_are_ignored() -> None:
    endpoint = Endpoint()
    old = [endpoint.send(0.0) for _ in range(UNREACHED)]
    for at in range(COHORTS):
        last = endpoint.send(1.0 + at)
    assert not any(endpoint.end(each, UNREACHABLE, COHORTS + 1.0) for each in [*old, last])


@pytest.mark.parametrize(
    "outcome", [DONE, Refused(), Disabled("no key"), Throttled(None), FAILED], ids=repr
)
def test_any_reply_shows_that_an_endpoint_is_there(outcome: Outcome) -> None:
    circuit = out().circuit
    assert circuit.is_absent
    release(circuit, outcome, 12.0, 13.0)
    assert circuit.is_reached
    assert not circuit.is_absent


@pytest.mark.parametrize("outcome", [Abandoned(), Stray(None), Refused()], ids=repr)
def test_outcome_of_one_request_is_no_outage(outcome: Outcome) -> None:
    endpoint = Endpoint()
    assert not any(endpoint.fail(float(at), outcome) for at in range(50))
    assert not endpoint.circuit.failing_s(50.0)


@given(st.lists(st.booleans(), max_size=400))
def test_failing_every_other_request_is_never_an_outage(fails: list[bool]) -> None:
    endpoint, before = Endpoint(), False
    for at, is_failing in enumerate(fails):
        before = is_failing and not before
        assert not endpoint.fail(float(at), FAILED if before else DONE)
