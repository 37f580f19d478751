"""One endpoint's limiter: closed for all requests, opened again, and never for a stray."""

import asyncio
from collections.abc import Mapping
from itertools import pairwise
from random import Random

import anyio
import orjson
import pytest
from hypothesis import given, settings, strategies as st

from tests.support.common import run
from tests.support.permits import (
    ABANDONED,
    DONE,
    SIZE,
    acquire,
    change,
    closing,
    one_endpoint,
)
from vcgen.engine.chat import ChatRequest, Message
from vcgen.engine.config import Endpoint, Limits
from vcgen.engine.engine import Engine
from vcgen.engine.limits.circuit_breaker import UNREACHED
from vcgen.engine.limits.estimates import LEAST_PROBE_S
from vcgen.engine.limits.limiter import EndpointLimiter, LimiterState
from vcgen.engine.limits.permit import Disabled, Stray, Throttled, Unreachable
from vcgen.engine.transport.base import Reply
from vcgen.sim import Latency, Scenario, SimTransport, Simulator

HELLO = ChatRequest(messages=(Message("user", "Say hello."),), max_tokens=40)
ENDPOINT = Endpoint(model="sim", base_url="http://in.memory/v1")


def test_throttle_closes_for_all() -> None:
    async def main() -> None:
        queue = one_endpoint()
        queue.release(await acquire(queue), closing(20.0))
        assert queue.limiters[0].state is LimiterState.CLOSED
        for _ in range(5):
            assert (await acquire(queue)).sent_at >= 20

    run(main)


def test_lone_refusal_closes_nothing() -> None:
    async def main() -> None:
        queue = one_endpoint(rpm=100_000)
        for _ in range(100):
            queue.release(await acquire(queue), DONE)
        refused = queue.release(await acquire(queue), Throttled(20.0))
        assert refused == Stray(20.0)
        assert (await acquire(queue)).sent_at < 1

    run(main)


def test_refusals_of_one_flight_close_it() -> None:
    async def main() -> None:
        queue = one_endpoint(rpm=100_000)
        flight = [await acquire(queue) for _ in range(50)]
        outcomes = [queue.release(permit, Throttled(20.0)) for permit in flight[:6]]
        assert isinstance(outcomes[0], Stray)
        assert isinstance(outcomes[-1], Throttled)
        assert queue.limiters[0].state is LimiterState.CLOSED

    run(main)


def test_closing_stops_a_request_that_is_being_paid_for() -> None:
    async def main() -> None:
        queue = one_endpoint(rpm=1)
        permit = await acquire(queue)

        async def close() -> None:
            await anyio.sleep(60)
            queue.release(permit, closing(30.0))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(close)
            assert (await acquire(queue)).sent_at >= 90

    run(main)


def test_burst_backs_off_once_and_a_success_ends_it() -> None:
    async def main() -> None:
        queue = one_endpoint(rpm=100_000)
        backoff = queue.limiters[0].backoff
        for permit in [await acquire(queue) for _ in range(50)]:
            queue.release(permit, Throttled(None))
        assert backoff.closings == 1
        later = await acquire(queue)
        assert 0.5 <= later.sent_at <= 1.01
        queue.release(later, Throttled(None))
        assert backoff.closings == 2
        queue.release(await acquire(queue), DONE)
        assert backoff.closings == 0

    run(main)


def test_requests_leave_one_by_one_once_it_opens() -> None:
    async def main() -> None:
        queue = one_endpoint(rpm=600)
        queue.release(await acquire(queue), closing(20.0))
        times: list[float] = []

        async def one() -> None:
            times.append((await acquire(queue)).sent_at)

        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(one)
        assert times[0] == pytest.approx(20, abs=0.01)
        assert min(after - before for before, after in pairwise(times)) > 60 / 600

    run(main)


def test_disabled_endpoint_permits_nothing_for_ever() -> None:
    async def main() -> None:
        limiter = EndpointLimiter(Limits(rpm=1), Random(0))  # noqa: S311 - jitter
        permit = await limiter.acquire(SIZE)
        assert permit is not None
        limiter.release(permit, Disabled("the key is refused"))
        assert limiter.state is LimiterState.DISABLED
        assert not limiter.may_send
        assert await limiter.acquire(SIZE) is None

    run(main)


def test_probe_has_a_shorter_deadline() -> None:
    async def main() -> None:
        limiter = EndpointLimiter(Limits(), Random(0))  # noqa: S311 - jitter
        limiter.latency.learn(0.1)
        before = await limiter.acquire(SIZE)
        assert before is not None
        assert limiter.timeout_s(before, 120.0) == 120
        for _ in range(UNREACHED):
            limiter.release(before, Unreachable(None))
        states = [limiter.state]
        await anyio.sleep(2)
        assert [*states, limiter.state] == [LimiterState.CLOSED, LimiterState.PROBING]
        probe = await limiter.acquire(SIZE)
        assert probe is not None
        assert limiter.timeout_s(probe, 120.0) == LEAST_PROBE_S
        assert limiter.timeout_s(before, 120.0) == 120

    run(main)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 12), st.sampled_from([0, 0.4, 1, 7])), max_size=12))
def test_slots_grow_and_shrink_without_losing_one(changes: list[tuple[int, float]]) -> None:
    allowed = [5]

    async def main() -> None:
        queue = one_endpoint(concurrency=5)

        async def ask() -> None:
            with anyio.move_on_after(20):  # some are cancelled while they wait
                permit = await acquire(queue)
                try:
                    await anyio.sleep(1)
                finally:
                    queue.release(permit, ABANDONED)

        async with anyio.create_task_group() as tasks:
            for concurrency, pause_s in changes:
                for _ in range(15):
                    tasks.start_soon(ask)
                await anyio.sleep(pause_s)
                change(queue, Limits(concurrency=concurrency))
                allowed.append(concurrency)
        assert queue.in_flight == 0
        async with anyio.create_task_group() as tasks:
            for _ in range(30):
                tasks.start_soon(ask)
            await anyio.sleep(0.5)
            assert queue.in_flight == allowed[-1]

    run(main)


def test_fewer_slots_take_hold_as_requests_come_back() -> None:
    async def main() -> None:
        queue = one_endpoint(concurrency=4)
        permits = [await acquire(queue) for _ in range(4)]
        change(queue, Limits(concurrency=2))
        for left in (3, 2, 1):
            queue.release(permits.pop(), DONE)
            assert queue.in_flight == left
        await acquire(queue)
        with anyio.move_on_after(60) as waited:
            await acquire(queue)
        assert waited.cancelled_caught

    run(main)


@pytest.mark.parametrize("rpm", [None, 60, 1200, 12_000])
def test_announced_limit_holds_from_the_first_reply_on(rpm: int | None) -> None:
    simulator = Simulator(rpm=600, latency_s=0.5)

    async def main() -> None:
        limits = Limits(rpm=rpm, concurrency=64)
        async with Engine(ENDPOINT, limits=limits, transport=SimTransport(simulator)) as engine:

            async def work() -> None:
                while anyio.current_time() < 180:
                    await engine.complete(HELLO)

            async with anyio.create_task_group() as tasks:
                for _ in range(64):
                    tasks.start_soon(work)

    run(main)
    assert simulator.statuses.keys() == {200}
    assert simulator.statuses[200] > 0.95 * 3 * min(rpm or 600, 600)


class Exhausted:
    """A simulator that refuses one request, with nothing remaining, and notes all arrivals."""

    def __init__(self, refuse_at: int) -> None:
        self.arrivals: list[float] = []
        self.closed_at = 0.0
        self._refuse_at = refuse_at
        self._simulated = SimTransport(Simulator(Scenario(latency=Latency(2.0, 0.5)), seed=1))

    async def post(
        self, url: str, headers: Mapping[str, str], body: bytes, timeout_s: float
    ) -> Reply:
        self.arrivals.append(asyncio.get_running_loop().time())
        if len(self.arrivals) != self._refuse_at:
            return await self._simulated.post(url, headers, body, timeout_s)
        await anyio.sleep(0.05)
        self.closed_at = anyio.current_time()
        told = {"retry-after": "10", "x-ratelimit-remaining-requests": "0"}
        return Reply(429, told, orjson.dumps({"error": {"message": "Rate limit reached."}}))

    async def aclose(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize("hedge", [False, True])
@pytest.mark.parametrize("workers", [1, 8, 64, 512])
def test_nothing_is_sent_within_a_retry_after(workers: int, *, hedge: bool) -> None:
    """Of 600 requests the 520th is refused, while hundreds wait for the slots of those before."""
    transport = Exhausted(refuse_at=520)

    async def main() -> None:
        limits = Limits(concurrency=workers)
        numbers = iter(range(600))
        async with Engine(ENDPOINT, limits=limits, transport=transport, hedge=hedge) as engine:

            async def work() -> None:
                for _ in numbers:
                    await engine.complete(HELLO)

            async with anyio.create_task_group() as tasks:
                for _ in range(min(600, 2 * workers)):
                    tasks.start_soon(work)

    run(main)
    assert transport.closed_at
    closed_until = transport.closed_at + 10
    assert not [at for at in transport.arrivals if transport.closed_at < at < closed_until - 1e-3]
    assert [at for at in transport.arrivals if at >= closed_until - 1e-3]
