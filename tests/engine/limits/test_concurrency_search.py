"""Requests in flight where nobody says: the knee is found, kept and followed, and growth is not."""

import asyncio
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import pairwise
from statistics import mean
from typing import NamedTuple

import anyio
import pytest
from hypothesis import given, strategies as st

from tests.support.common import run
from vcgen import ChatRequest, Endpoint, Engine, Limits, Message
from vcgen.engine.limits.concurrency_search import FULL, ConcurrencyController
from vcgen.sim import (
    Capacity,
    Latency,
    Scenario,
    ServerLimits,
    SimTransport,
    Simulator,
    Slots,
    TimedTransport,
)

UNEVEN = Latency(2.0, sigma=0.5)
ALIKE = Latency(2.0)
STRAGGLING = Latency(2.0, 0.5, straggler_share=0.01, straggler_times=10.0)
SHORT_AND_LONG = Latency(1.0, 0.2, straggler_share=0.1, straggler_times=20.0)
WILD = Latency(2.0, sigma=1.0)
UNLIMITED = 10**6


class Moment(NamedTuple):
    """One reply: when, how long it took, and the limit after it."""

    at: float
    latency_s: float
    limit: int


def drive(
    conditions: Scenario,
    *,
    requests: int,
    seed: int = 0,
    callers: Callable[[float], int] = lambda _: UNLIMITED,
    most: int = 10_000,
) -> list[Moment]:
    """Search at a server without engine or loop; `callers` ask for one at a time."""
    search, slots = ConcurrencyController(most), Slots(conditions.slots or UNLIMITED)
    now, sent, capacity = 0.0, 0, 1.0
    flying: list[tuple[float, int, float]] = []
    moments: list[Moment] = []
    while len(moments) < requests:
        while len(flying) < min(search.limit, callers(now)):
            sent += 1
            done_s = slots.serve(conditions.latency.draw(seed, sent), now)
            heappush(flying, (now + done_s, sent, now))
        now, _, sent_at = heappop(flying)
        waiting = max(0, callers(now) - len(flying) - 1)
        search.succeed(sent_at, now, len(flying) + 1, waiting)
        moments.append(Moment(now, now - sent_at, search.limit))
        if (changed := conditions.capacity_at(now)) != capacity:
            capacity = changed
            slots.scale(capacity, now)
    return moments


def typical_limit(moments: list[Moment], from_s: float = 0.0, to_s: float = 1e9) -> float:
    return mean(moment.limit for moment in moments if from_s <= moment.at < to_s)


def engine_over(transport: SimTransport, limits: Limits) -> Engine:
    endpoint = Endpoint(model="sim", base_url="http://in.memory/v1")
    return Engine(endpoint, limits=limits, transport=transport)


def seconds_and_p95(limits: Limits, conditions: Scenario) -> tuple[float, float]:
    """Of 4,000 samples all asked for at once."""
    transport = TimedTransport(Simulator(conditions))
    request = ChatRequest(messages=(Message("user", "Hi"),), max_tokens=8)
    ended: list[float] = []

    async def main() -> None:
        engine = engine_over(transport, limits)
        async with asyncio.TaskGroup() as group:
            for _ in range(4000):
                group.create_task(engine.complete(request))
        ended.append(anyio.current_time())

    run(main)
    return ended[0], sorted(transport.latencies)[3800]


@pytest.mark.parametrize("latency", [UNEVEN, ALIKE, STRAGGLING])
def test_samples_take_a_tenth_longer_than_at_best_at_most(
    latency: Latency,
) -> None:
    conditions = Scenario(latency=latency, slots=64)
    seconds, p95 = seconds_and_p95(Limits(), conditions)
    # More than the slots are no faster, fewer are slower: 64 in flight is the best there is.
    best_seconds, best_p95 = seconds_and_p95(Limits(concurrency=64), conditions)
    assert seconds <= 1.1 * best_seconds
    assert p95 <= 2.001 * best_p95


@pytest.mark.parametrize(
    ("slots", "latency", "requests"),
    [
        (1, Latency(0.2, 0.5), 4000),
        (8, UNEVEN, 4000),
        (8, Latency(20.0, 0.5), 4000),
        (64, SHORT_AND_LONG, 8000),
        (64, WILD, 8000),
        (256, Latency(0.2, 0.5), 10_000),
        (256, STRAGGLING, 10_000),
        (1000, Latency(20.0, 0.5), 30_000),
    ],
)
@pytest.mark.parametrize("seed", range(3))
def test_the_knee_of_a_server_is_found_and_kept(
    slots: int, latency: Latency, requests: int, seed: int
) -> None:
    moments = drive(Scenario(latency=latency, slots=slots), requests=requests, seed=seed)
    settled = moments[requests // 2 :]
    work_s = mean(latency.draw(seed, number) for number in range(requests))
    used = len(settled) * work_s / (settled[-1].at - settled[0].at) / slots
    assert used > 0.85
    assert typical_limit(settled) < 2.5 * slots + 2


@pytest.mark.parametrize("latency", [UNEVEN, STRAGGLING])
@pytest.mark.parametrize("seed", range(3))
def test_slots_that_go_away_and_come_back_are_followed(latency: Latency, seed: int) -> None:
    halved = (Capacity(300.0, 0.5), Capacity(700.0, 1.0))
    conditions = Scenario(latency=latency, slots=64, capacity=halved)
    moments = drive(conditions, requests=22_000, seed=seed)
    assert typical_limit(moments, 450.0, 700.0) < 2 * 32
    assert 60 < typical_limit(moments, 760.0, 900.0) < 2 * 64


@pytest.mark.parametrize("latency", [UNEVEN, ALIKE, STRAGGLING, SHORT_AND_LONG, WILD])
@pytest.mark.parametrize("seed", range(3))
def test_latency_that_only_varies_shrinks_nothing(latency: Latency, seed: int) -> None:
    moments = drive(Scenario(latency=latency), requests=10_000, seed=seed)
    assert all(before.limit <= after.limit for before, after in pairwise(moments))
    reached = next(moment.at for moment in moments if moment.limit >= 4096)
    assert reached <= 2.5 * 10  # nine doublings from 8


@pytest.mark.parametrize("slots", [64, UNLIMITED])
@pytest.mark.parametrize("callers", [5, 20, 50])
def test_caller_who_sends_little_keeps_the_limit_small(callers: int, slots: int) -> None:
    conditions = Scenario(latency=UNEVEN, slots=slots)
    moments = drive(conditions, requests=4000, callers=lambda _: callers)
    assert max(moment.limit for moment in moments) <= max(8, callers / FULL + 1)


def test_a_caller_who_pauses_is_not_taken_for_a_queue() -> None:
    moments = drive(
        Scenario(latency=UNEVEN),
        requests=6000,
        callers=lambda now: 200 if now % 20 < 10 else 1,
    )
    assert typical_limit(moments[1000:]) > 150


@pytest.mark.parametrize("most", [1, 2, 60])
def test_most_is_reached_and_never_exceeded(most: int) -> None:
    grown = (Capacity(200.0, 100.0),)
    conditions = Scenario(latency=UNEVEN, slots=8, capacity=grown)
    moments = drive(conditions, requests=15_000, most=most)
    assert max(moment.limit for moment in moments) == most
    assert typical_limit(moments[-3000:]) > 0.7 * most


@given(
    most=st.integers(1, 200),
    replies=st.lists(
        st.tuples(st.floats(0, 50), st.floats(0, 100), st.integers(1, 300), st.integers(0, 300)),
        max_size=40,
    ),
    times=st.integers(1, 40),
)
def test_limit_stays_within_its_bounds_and_reports_changes(
    most: int, replies: list[tuple[float, float, int, int]], times: int
) -> None:
    search, now = ConcurrencyController(most), 0.0
    for gap, latency_s, in_flight, waiting in replies * times:
        before, now = search.limit, now + gap
        changed = search.succeed(now - latency_s, now, in_flight, waiting)
        assert changed == (search.limit != before)
        assert 1 <= search.limit <= most


@given(st.lists(st.tuples(st.floats(0, 5), st.floats(0, 100), st.floats(0, 1)), max_size=200))
def test_limit_that_is_not_used_never_changes(
    replies: list[tuple[float, float, float]],
) -> None:
    search, now = ConcurrencyController(), 0.0
    for _ in range(100):
        now += 0.1
        search.succeed(now - 1, now, search.limit)
    limit = search.limit
    assert limit > 100
    for gap, latency_s, used in replies:
        now += gap
        assert not search.succeed(now - latency_s, now, int(used * (FULL * limit - 1)))
    assert search.limit == limit


@pytest.mark.parametrize(
    ("limits", "conditions", "most"),
    [
        (Limits(concurrency=5), Scenario(latency=ALIKE), 5),
        (Limits(rpm=600), Scenario(latency=ALIKE), 100),
        (Limits(), Scenario(latency=ALIKE, limits=ServerLimits(rpm=600)), 100),
        (Limits(), Scenario(latency=ALIKE), 400),
    ],
)
def test_search_is_for_endpoints_without_number_and_rate(
    limits: Limits, conditions: Scenario, most: int
) -> None:
    request = ChatRequest(messages=(Message("user", "Hi"),), max_tokens=8)
    seen = [0]

    async def main() -> None:
        engine = engine_over(SimTransport(Simulator(conditions)), limits)

        async def ask() -> None:
            await engine.complete(request)
            seen.append(engine.in_flight)

        async with asyncio.TaskGroup() as group:
            for _ in range(1000):
                group.create_task(ask())

    run(main)
    assert max(seen) <= most if most < 400 else max(seen) > most
