"""Latencies of the simulated endpoint, and its slots."""

import math
from itertools import accumulate
from statistics import median

import orjson
import pytest
from hypothesis import given, strategies as st

from vcgen.sim import (
    Capacity,
    Latency,
    Scenario,
    SimReply,
    Simulator,
)
from vcgen.sim.latency import Slots

BODY = orjson.dumps({"model": "sim", "messages": [{"role": "user", "content": "Hello."}]})


def answers(simulator: Simulator, *times: float) -> list[SimReply]:
    return [simulator.answer({}, BODY, now) for now in times]


def test_latency_has_the_median_the_spread_and_the_stragglers_asked_for() -> None:
    latency = Latency(2.0, sigma=0.5, straggler_share=0.01)
    drawn = [latency.draw(1, number) for number in range(20_000)]
    assert median(drawn) == pytest.approx(2.0, rel=0.03)
    logs = [math.log(seconds / 2) for seconds in drawn if seconds < 15]
    assert math.sqrt(sum(log * log for log in logs) / len(logs)) == pytest.approx(0.5, rel=0.03)
    stragglers = [seconds for seconds in drawn if seconds >= 15]
    assert len(stragglers) == pytest.approx(200, rel=0.2)
    assert median(stragglers) == pytest.approx(40, rel=0.1)


def test_a_repeated_run_takes_as_long_and_a_copy_of_a_request_draws_anew() -> None:
    conditions = Scenario(latency=Latency(1.0, sigma=1.0))
    first, again, other = (
        answers(Simulator(conditions, seed=seed), *range(50)) for seed in (1, 1, 2)
    )
    assert first == again
    assert len({answer.delay_s for answer in first}) == 50
    assert len({answer.body for answer in first}) == 1
    assert not {answer.delay_s for answer in first} & {answer.delay_s for answer in other}


ARRIVALS = st.lists(
    st.tuples(st.integers(0, 640), st.integers(1, 640)), min_size=1, max_size=100
).map(
    lambda pairs: list(
        zip(
            accumulate(gap / 64 for gap, _ in pairs),
            (service / 64 for _, service in pairs),
            strict=True,
        )
    )
)


@given(st.integers(1, 8), ARRIVALS)
def test_a_server_works_on_as_many_requests_as_it_has_slots_and_idles_for_none(
    count: int, arrivals: list[tuple[float, float]]
) -> None:
    slots = Slots(count)
    served: list[tuple[float, float]] = []
    for now, service_s in arrivals:
        done_at = now + slots.serve(service_s, now)
        started_at = done_at - service_s
        busy = [done for started, done in served if started <= started_at < done]
        assert len(busy) < count
        if started_at > now:
            just_before = started_at - 1 / 128
            assert sum(begun <= just_before < done for begun, done in served) == count
        served.append((started_at, done_at))


def test_throughput_saturates_and_latency_grows_with_what_is_in_flight() -> None:
    conditions = Scenario(slots=4, latency=Latency(2.0))
    delays = [answer.delay_s for answer in answers(Simulator(conditions), *[0.0] * 12)]
    assert delays == [2.0] * 4 + [4.0] * 4 + [6.0] * 4


def test_slots_that_go_finish_their_work_and_come_back_empty() -> None:
    conditions = Scenario(
        slots=4, latency=Latency(10.0), capacity=[Capacity(5, 0.5), Capacity(100, 1.0)]
    )
    simulator = Simulator(conditions)
    started = answers(simulator, 0, 1, 2, 3, 6, 6, 100, 100, 100, 100, 100)
    waits = [answer.delay_s - 10 for answer in started]
    assert waits == [0, 0, 0, 0, 6, 7, 0, 0, 0, 0, 10]
