"""Rates by the minute: kept, settled by use, followed as announced, guessed where unknown."""

from itertools import pairwise
from random import Random

import anyio
import pytest
from hypothesis import given, settings, strategies as st

from tests.support.common import run
from tests.support.permits import (
    ABANDONED,
    DONE,
    acquire,
    change,
    closing,
    most_in_a_window,
    one_endpoint,
    scheduler,
)
from vcgen.engine.chat import Usage
from vcgen.engine.config import Limits
from vcgen.engine.limits.per_limit import UNKNOWN, WINDOW_S, PerLimit
from vcgen.engine.limits.permit import Completed, Permit, Stray, Throttled, Unreachable
from vcgen.engine.limits.rate_limits import LEAST_RPM, RateLimits
from vcgen.engine.limits.scheduler import Scheduler
from vcgen.engine.limits.token_bucket import MARGIN_S


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 400), st.lists(st.sampled_from([0, 0, 0, 0.1, 1, 30, 70]), max_size=300))
def test_no_minute_holds_more_requests_than_allowed(rpm: int, gaps: list[float]) -> None:
    left: list[tuple[float, int]] = []

    async def main() -> None:
        queue = one_endpoint(rpm)

        async def one() -> None:
            permit = await acquire(queue, 10, 10)
            left.append((permit.sent_at, 1))
            queue.release(permit, ABANDONED)

        async with anyio.create_task_group() as tasks:
            for gap in gaps:
                await anyio.sleep(gap)
                tasks.start_soon(one)

    run(main)
    assert len(left) == len(gaps)
    assert most_in_a_window(left) <= rpm


@settings(max_examples=20, deadline=None)
@given(st.integers(5_000, 50_000), st.floats(0.1, 20), st.integers(1, 1000), st.integers(0, 9))
def test_no_minute_holds_more_tokens_than_allowed(
    tpm: int, latency_s: float, used: int, seed: int
) -> None:
    left: list[tuple[float, int]] = []
    random = Random(seed)  # noqa: S311 - repeatable

    async def main() -> None:
        queue = one_endpoint(tpm=tpm, concurrency=50)

        async def one() -> None:
            permit = await acquire(queue, 400, 4000)
            completion = random.randint(1, used)
            left.append((permit.sent_at, 100 + completion))
            await anyio.sleep(latency_s)
            queue.release(permit, Completed(Usage(100, completion)))

        async with anyio.create_task_group() as tasks:
            for _ in range(200):
                tasks.start_soon(one)

    run(main)
    assert most_in_a_window(left) <= 1.02 * tpm + 4100


def test_request_larger_than_a_minutes_tokens_is_sent() -> None:
    async def main() -> None:
        permit = await acquire(one_endpoint(tpm=1000), max_tokens=5000)
        assert 250 < permit.sent_at < 350

    run(main)


@pytest.mark.parametrize("limits", [Limits(input_tpm=6000), Limits(output_tpm=6000)], ids=str)
def test_input_and_output_are_counted_apart(limits: Limits) -> None:
    async def main() -> None:
        queue = scheduler(limits)
        for _ in range(100):
            permit = await acquire(queue, 300, 100)  # about 100 tokens each way
            queue.release(permit, Completed(Usage(100, 100)))
        assert 95 < anyio.current_time() < 115

    run(main)


def test_input_read_from_a_cache_is_not_counted() -> None:
    async def main() -> None:
        queue = scheduler(Limits(input_tpm=6000))
        for _ in range(100):
            permit = await acquire(queue, 300, 100)
            queue.release(permit, Completed(Usage(100, 100, cached_tokens=100)))
        assert anyio.current_time() < 70

    run(main)


def test_next_request_pays_for_use_beyond_the_estimate() -> None:
    async def main() -> None:
        queue = one_endpoint(tpm=6000)
        first = await acquire(queue, 30, 90)
        queue.release(first, Completed(Usage(10, 90 + 3000)))
        assert (await acquire(queue, 30, 90)).sent_at - first.sent_at > 29

    run(main)


def test_unused_tokens_are_given_back_at_most_a_request_deep() -> None:
    async def main() -> None:
        queue = one_endpoint(tpm=6000)
        permits = [await acquire(queue, 30, 90) for _ in range(20)]
        for permit in permits:
            queue.release(permit, Completed(Usage(1, 1)))
        began = anyio.current_time()
        for _ in range(600):
            await acquire(queue, 30, 90)
        assert anyio.current_time() - began > 5

    run(main)


def test_payment_at_an_endpoint_that_closed_is_not_asked_again() -> None:
    async def main() -> None:
        queue = one_endpoint(tpm=600)
        permit = await acquire(queue)

        async def close() -> None:
            await anyio.sleep(50)
            queue.release(permit, Unreachable(1.0))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(close)
            assert (await acquire(queue, max_tokens=600)).sent_at < 65

    run(main)


def test_late_refusals_slow_down_an_endpoint_that_is_open_again() -> None:
    async def main() -> None:
        queue = one_endpoint(rpm=1200)
        flight = [await acquire(queue) for _ in range(40)]
        queue.release(flight[20], closing(0.1))
        await acquire(queue)
        for permit in flight[21:]:
            queue.release(permit, Throttled(None))
        times = [(await acquire(queue)).sent_at for _ in range(5)]
        gaps = [after - before for before, after in pairwise(times[1:])]
        assert min(gaps) > 3 * 60 / 1200

    run(main)


def test_unknown_rate_is_guessed_from_the_accepted_one() -> None:
    async def main() -> None:
        queue = one_endpoint()
        for _ in range(60):
            queue.release(await acquire(queue), DONE)
            await anyio.sleep(1)
        queue.release(await acquire(queue), closing(0.1))
        await anyio.sleep(1)
        began = anyio.current_time()
        for _ in range(60):
            await acquire(queue)
        assert 59 < anyio.current_time() - began < 62

    run(main)


def test_unknown_rate_is_guessed_only_after_a_throttle() -> None:
    """A stray leaves an endpoint without a known rate."""

    async def main() -> None:
        queue = one_endpoint()
        rates = queue.limiters[0].rates
        for _ in range(300):
            queue.release(await acquire(queue), DONE)
        assert isinstance(queue.release(await acquire(queue), Throttled(2.0)), Stray)
        assert rates.rpm is None
        assert queue.release(await acquire(queue), closing(2.0)) == closing(2.0)
        assert rates.rpm is not None
        assert rates.rpm >= LEAST_RPM

    run(main)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 300), st.floats(0, 100), st.sampled_from([0.0, 0.3]), st.integers(1, 299))
def test_part_handed_on_a_minute_later_keeps_the_whole_limit(
    rpm: int, ends_at: float, latency_s: float, part: int
) -> None:
    """Two processes share a limit; one ends, and the other uses all of it from a minute later."""
    first = one_endpoint(part % (rpm - 1) + 1)
    second = one_endpoint(rpm - part % (rpm - 1) - 1)
    left: list[tuple[float, int]] = []

    async def ask(queue: Scheduler, until: float) -> None:
        while anyio.current_time() < until:
            permit = await acquire(queue)
            left.append((permit.sent_at, 1))
            await anyio.sleep(latency_s)
            queue.release(permit, ABANDONED)

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(ask, second, ends_at + 250)
            await ask(first, ends_at)
            await anyio.sleep(WINDOW_S + MARGIN_S)
            change(second, Limits(rpm=rpm, concurrency=1000))

    run(main)
    assert most_in_a_window(sorted(left)) <= rpm


def test_changed_limits_hold_from_the_next_request_on() -> None:
    async def main() -> None:
        queue = one_endpoint(rpm=60)
        await acquire(queue)
        change(queue, Limits(rpm=600))
        began = anyio.current_time()
        for _ in range(101):
            queue.release(await acquire(queue), ABANDONED)
        assert 10 < anyio.current_time() - began < 10.5
        change(queue, Limits(concurrency=5))  # a rate that is not given stays
        for _ in range(100):
            queue.release(await acquire(queue), ABANDONED)
        assert anyio.current_time() - began > 20

    run(main)


def test_reply_without_limits_leaves_the_announced_one_in_force() -> None:
    async def main() -> None:
        queue = one_endpoint(rpm=1200)
        for _ in range(10):
            queue.release(await acquire(queue), DONE, PerLimit(600, None, None, None))
            queue.release(await acquire(queue), DONE, UNKNOWN)
            queue.release(await acquire(queue), DONE, PerLimit(None, None, None, None))
        began = anyio.current_time()
        for _ in range(300):
            await acquire(queue)
        assert 29 < anyio.current_time() - began < 33

    run(main)


def test_announced_limit_is_divided_among_the_processes_left() -> None:
    async def main() -> None:
        queue = scheduler(Limits(concurrency=1000, processes=3))
        queue.limiters[0].rates.observe(PerLimit(900, None, None, None))
        for _ in range(100):
            await acquire(queue)
        change(queue, Limits(concurrency=1000))
        began = anyio.current_time()
        for _ in range(300):
            await acquire(queue)
        assert 19 < anyio.current_time() - began < 22

    run(main)


def test_announcement_that_is_known_changes_nothing() -> None:
    async def main() -> None:
        rates = RateLimits(Limits(), "endpoint")
        assert rates.observe(PerLimit(600, None, None, None))
        assert not rates.observe(PerLimit(600, None, None, None))
        assert not rates.observe(UNKNOWN)
        assert (rates.rpm, len(rates.buckets)) == (600, 1)

    run(main)


@pytest.mark.parametrize(
    ("limits", "limit"), [(Limits(rpm=1), "rpm"), (Limits(tpm=600), "tpm"), (Limits(), None)]
)
def test_limit_that_a_request_waits_for_is_named(limits: Limits, limit: str | None) -> None:
    async def main() -> None:
        queue = scheduler(limits)
        permits: list[Permit] = []

        async def ask() -> None:
            permits.append(await acquire(queue, max_tokens=300))

        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(ask)
            await anyio.sleep(0.1)
            assert queue.limiters[0].rates.short_of == limit
        assert queue.limiters[0].rates.short_of is None

    run(main)
