"""Limits that are not as told, in virtual time: few refusals, little time and no sample lost."""

import anyio
import pytest

from tests.support.common import run
from vcgen.engine.chat import ChatRequest, Message
from vcgen.engine.config import Endpoint, Limits
from vcgen.engine.engine import Engine
from vcgen.sim import (
    Capacity,
    Latency,
    Scenario,
    ServerLimits,
    SimTransport,
    Simulator,
    parse_faults,
)

RPM, SAMPLES = 600, 3000
HELLO = ChatRequest(messages=(Message("user", "Say hello."),), max_tokens=40)
STRICT = ServerLimits(rpm=RPM, kind="strict", headers="none")
SLOW = ServerLimits(rpm=RPM, kind="strict", headers="none", refusal_s=2.0, retry_after=False)
BUCKET = ServerLimits(rpm=RPM, kind="bucket", burst_s=6.0, headers="none")
SLIDING = ServerLimits(rpm=RPM, kind="sliding", headers="none", retry_after=False)
FIXED = ServerLimits(rpm=RPM, kind="fixed", headers="none")


def storm(simulator: Simulator, limits: Limits, samples: int = SAMPLES) -> float:
    """Ask for samples; the seconds it took. A sample that is lost fails the test."""
    ended = 0.0

    async def main() -> None:
        nonlocal ended
        endpoint = Endpoint(model="sim", base_url="http://in.memory/v1")
        numbers = iter(range(samples))
        async with Engine(endpoint, limits=limits, transport=SimTransport(simulator)) as engine:

            async def work() -> None:
                for _ in numbers:
                    await engine.complete(HELLO)

            async with anyio.create_task_group() as tasks:
                for _ in range(limits.in_flight or 500):
                    tasks.start_soon(work)
            ended = anyio.current_time()

    run(main)
    return ended


@pytest.mark.parametrize(
    ("allowed", "times", "wasted", "goodput"),
    [
        pytest.param(STRICT, 2, 0.01, 0.93, id="no burst, 2x"),
        pytest.param(STRICT, 10, 0.02, 0.9, id="no burst, 10x"),
        pytest.param(SLOW, 2, 0.03, 0.9, id="no burst, slow 429s, 2x"),
        pytest.param(BUCKET, 2, 0.01, 0.93, id="bucket, 2x"),
        pytest.param(SLIDING, 2, 0.01, 0.85, id="sliding window, 2x"),
        pytest.param(FIXED, 10, 0.02, 0.9, id="fixed window, 10x"),
        pytest.param(STRICT, None, 0.02, 0.8, id="no burst, none given"),
        pytest.param(BUCKET, None, 0.03, 0.8, id="bucket, none given"),
    ],
)
def test_a_limit_that_is_not_as_told_is_found(
    allowed: ServerLimits, times: int | None, wasted: float, goodput: float
) -> None:
    simulator = Simulator(Scenario(limits=allowed, latency=Latency(1.8, 0.4)))
    seconds = storm(simulator, Limits(rpm=None if times is None else RPM * times))
    assert simulator.statuses[200] == SAMPLES
    assert simulator.statuses[429] <= wasted * simulator.requests
    assert goodput * (seconds - 5) <= SAMPLES / (RPM / 60)


def test_halved_capacity_is_followed_down_and_up() -> None:
    halved = (Capacity(60.0, 0.5), Capacity(180.0, 1.0))
    conditions = Scenario(limits=STRICT, latency=Latency(1.8, 0.4), capacity=halved)
    simulator = Simulator(conditions)
    seconds = storm(simulator, Limits(rpm=RPM))
    assert simulator.statuses[429] < 0.01 * simulator.requests
    assert 0.85 * (seconds - 5) <= SAMPLES / (RPM / 60) + 60


@pytest.mark.parametrize("allowed", [STRICT, BUCKET, SLIDING, FIXED])
def test_a_limit_that_is_right_is_used_and_never_refused(allowed: ServerLimits) -> None:
    simulator = Simulator(Scenario(limits=allowed, latency=Latency(1.8, 0.4)), log_arrivals=True)
    storm(simulator, Limits(rpm=RPM), samples=1200)
    assert simulator.statuses.keys() == {200}
    assert simulator.arrivals is not None
    assert simulator.arrivals[-1].time_s < 120 / 0.98


@pytest.mark.parametrize("retry_after", [True, False])
def test_refusals_at_any_rate_slow_nothing_down_for_ever(*, retry_after: bool) -> None:
    allowed = ServerLimits(retry_after=retry_after, headers="none")
    conditions = Scenario(limits=allowed, latency=Latency(1.8, 0.4))
    simulator = Simulator(conditions, faults=parse_faults("429:0.05"), log_arrivals=True)
    storm(simulator, Limits(rpm=RPM), samples=6000)
    assert simulator.arrivals is not None
    came = [arrival.time_s for arrival in simulator.arrivals[-2000:]]
    assert (came[-1] - came[0]) / 60 < 2000 / (0.6 * RPM)


def test_tokens_beyond_what_is_allowed_slow_requests_down_too() -> None:
    allowed = ServerLimits(tpm=20_000, headers="none")
    simulator = Simulator(Scenario(limits=allowed, latency=Latency(1.8, 0.4)), log_arrivals=True)
    seconds = storm(simulator, Limits(rpm=6000, tpm=40_000), samples=1500)
    assert simulator.arrivals is not None
    tokens = sum(arrival.tokens for arrival in simulator.arrivals)
    assert simulator.statuses[429] < 0.02 * simulator.requests
    assert tokens >= 0.8 * 20_000 * (seconds - 5) / 60


def test_rare_429_within_announced_limits_slows_nothing_down() -> None:
    simulator = Simulator(
        Scenario(limits=ServerLimits(rpm=RPM), latency=Latency(0.5, 0.3)),
        faults=parse_faults("429:0.005"),
    )
    assert storm(simulator, Limits(rpm=RPM), samples=6000) < 1.15 * 6000 / RPM * 60
