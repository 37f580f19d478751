"""The gate: never above the limits, first come first served, closed for all, woken by a stop."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from itertools import pairwise
from random import Random

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given, settings, strategies as st

from tests.support.common import run
from vcgen.engine.chat import ChatRequest, Message, Usage
from vcgen.engine.config import Endpoint, Limits
from vcgen.engine.engine import Engine
from vcgen.engine.limits.limiter import EndpointLimiter, Permit
from vcgen.engine.limits.per_limit import WINDOW_S, PerLimit
from vcgen.engine.limits.scheduler import Scheduler
from vcgen.engine.limits.token_bucket import MARGIN_S
from vcgen.errors import RunStopped
from vcgen.sim import SimTransport, Simulator


def queue(*limits: Limits) -> Scheduler:
    return Scheduler([EndpointLimiter(each, Random(0)) for each in limits])  # noqa: S311 - jitter


def gate(rpm: int | None = None, tpm: int | None = None, concurrency: int = 1000) -> Scheduler:
    return queue(Limits(rpm=rpm, tpm=tpm, concurrency=concurrency))


def change(admission: Scheduler, limits: Limits) -> None:
    admission.gates[0].change(limits)
    admission.offer_all()


def most_in_a_window(times: Sequence[tuple[float, int]]) -> int:
    """The largest sum of amounts within any 60 s."""
    window: deque[tuple[float, int]] = deque()
    most = total = 0
    for at, amount in times:
        window.append((at, amount))
        total += amount
        while window[0][0] <= at - 60:
            total -= window.popleft()[1]
        most = max(most, total)
    return most


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 400), st.lists(st.sampled_from([0, 0, 0, 0.1, 1, 30, 70]), max_size=300))
def test_no_minute_holds_more_requests_than_allowed(rpm: int, gaps: list[float]) -> None:
    left: list[tuple[float, int]] = []

    async def main() -> None:
        admission = gate(rpm)

        async def one() -> None:
            departure = await admission.enter(10, 10)
            left.append((departure.at, 1))
            admission.leave(departure)

        async with anyio.create_task_group() as tasks:
            for gap in gaps:
                await anyio.sleep(gap)
                tasks.start_soon(one)

    run(main)
    assert len(left) == len(gaps)
    assert most_in_a_window(left) <= rpm


@settings(max_examples=20, deadline=None)
@given(st.integers(5_000, 50_000), st.floats(0.1, 20), st.integers(1, 1000), st.integers(0, 9))
def test_no_minute_holds_more_tokens_than_allowed_and_one_requests(
    tpm: int, latency_s: float, used: int, seed: int
) -> None:
    left: list[tuple[float, int]] = []
    random = Random(seed)  # noqa: S311 - repeatable

    async def main() -> None:
        admission = gate(tpm=tpm, concurrency=50)

        async def one() -> None:
            departure = await admission.enter(400, 4000)
            completion = random.randint(1, used)
            left.append((departure.at, 100 + completion))
            await anyio.sleep(latency_s)
            admission.leave(departure)
            admission.gates[0].passed(departure, Usage(100, completion))

        async with anyio.create_task_group() as tasks:
            for _ in range(200):
                tasks.start_soon(one)

    run(main)
    assert most_in_a_window(left) <= 1.02 * tpm + 4100


def test_requests_leave_in_the_order_they_came_whatever_their_size() -> None:
    order: list[int] = []

    async def main() -> None:
        admission = gate(rpm=60, tpm=1000, concurrency=3)

        async def one(number: int) -> None:
            departure = await admission.enter(1, 5 if number % 3 else 900)
            order.append(number)
            await anyio.lowlevel.checkpoint()
            admission.leave(departure)

        async with anyio.create_task_group() as tasks:
            for number in range(30):
                tasks.start_soon(one, number)

    run(main)
    assert order == list(range(30))


def test_a_request_larger_than_a_minutes_tokens_is_admitted() -> None:
    async def main() -> None:
        departure = await gate(tpm=1000).enter(1, 5000)
        assert 250 < departure.at < 350

    run(main)


def test_cancelled_waiters_leak_nothing() -> None:
    async def main() -> None:
        admission = gate(rpm=60, tpm=60_000, concurrency=20)

        async def one() -> None:
            departure = await admission.enter(400, 500)
            try:
                await anyio.sleep(5)
            finally:
                admission.leave(departure)

        for _ in range(10):
            with anyio.move_on_after(7):
                async with anyio.create_task_group() as tasks:
                    for _ in range(60):
                        tasks.start_soon(one)
            assert admission.in_flight == 0
        with anyio.fail_after(60):
            async with anyio.create_task_group() as tasks:
                for _ in range(20):
                    tasks.start_soon(one)

    run(main)


@pytest.mark.parametrize(
    ("admission", "closed_s"),
    [
        pytest.param(lambda: gate(concurrency=2), 0, id="for a slot"),
        pytest.param(lambda: gate(rpm=1), 0, id="for the rate"),
        pytest.param(lambda: gate(tpm=60), 0, id="for tokens"),
        pytest.param(gate, 500, id="at a closed gate"),
    ],
)
def test_a_stop_wakes_all_who_wait(admission: Callable[[], Scheduler], closed_s: float) -> None:
    ended: list[float] = []

    async def main() -> None:
        opened, reason = admission(), RunStopped("enough")
        first = await opened.enter(1, 1)
        second = await opened.enter(1, 1)
        if closed_s:
            opened.gates[0].throttled(first, closed_s)

        async def one() -> None:
            with pytest.raises(RunStopped, match="enough"):
                await opened.enter(1, 1000)
            ended.append(anyio.current_time())

        async with anyio.create_task_group() as tasks:
            for _ in range(10):
                tasks.start_soon(one)
            await anyio.sleep(0.01)
            opened.stop(reason)
        await one()
        assert max(ended) - second.at < 0.1
        assert opened.in_flight == 2

    run(main)
    assert len(ended) == 11


def test_a_throttle_closes_the_gate_for_all() -> None:
    async def main() -> None:
        admission = gate()
        departure = await admission.enter(1, 1)
        admission.gates[0].throttled(departure, 20.0)
        for _ in range(5):
            assert (await admission.enter(1, 1)).at >= 20

    run(main)


def test_a_gate_closed_meanwhile_stops_whoever_has_paid() -> None:
    async def main() -> None:
        admission = gate(rpm=1)
        departure = await admission.enter(1, 1)

        async def close() -> None:
            await anyio.sleep(60)
            admission.gates[0].throttled(departure, 30.0)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(close)
            assert (await admission.enter(1, 1)).at >= 90

    run(main)


def test_one_burst_of_throttles_backs_off_once_and_a_success_ends_it() -> None:
    async def main() -> None:
        admission = gate(rpm=100_000)
        burst = [await admission.enter(1, 1) for _ in range(50)]
        for departure in burst:
            admission.gates[0].throttled(departure, None)
        assert admission.gates[0].closures.count == 1
        later = await admission.enter(1, 1)
        assert 0.5 <= later.at <= 1.01
        admission.gates[0].throttled(later, None)
        assert admission.gates[0].closures.count == 2
        admission.gates[0].passed(await admission.enter(1, 1), Usage())
        assert admission.gates[0].closures.count == 0

    run(main)


def test_the_next_request_pays_what_the_last_one_used_beyond_its_estimate() -> None:
    async def main() -> None:
        admission = gate(tpm=6000)
        first = await admission.enter(30, 90)
        admission.gates[0].passed(first, Usage(10, 90 + 3000))
        assert (await admission.enter(30, 90)).at - first.at > 29

    run(main)


def test_what_was_not_used_is_given_back_at_most_a_request_deep() -> None:
    async def main() -> None:
        admission = gate(tpm=6000)
        departures = [await admission.enter(30, 90) for _ in range(20)]
        for departure in departures:
            admission.gates[0].passed(departure, Usage(1, 1))
        began = anyio.current_time()
        for _ in range(600):
            await admission.enter(30, 90)
        assert anyio.current_time() - began > 5

    run(main)


def test_refusals_that_come_late_slow_down_a_gate_that_is_open_again() -> None:
    async def main() -> None:
        admission = gate(rpm=1200)
        flight = [await admission.enter(1, 1) for _ in range(40)]
        admission.gates[0].throttled(flight[20], 0.1)
        await admission.enter(1, 1)
        for departure in flight[21:]:
            admission.gates[0].throttled(departure, None)
        times = [(await admission.enter(1, 1)).at for _ in range(5)]
        gaps = [after - before for before, after in pairwise(times[1:])]
        assert min(gaps) > 3 * 60 / 1200

    run(main)


def test_requests_after_a_closed_gate_leave_one_by_one() -> None:
    async def main() -> None:
        admission = gate(rpm=600)
        departure = await admission.enter(1, 1)
        admission.gates[0].throttled(departure, 20.0)
        times: list[float] = []

        async def one() -> None:
            times.append((await admission.enter(1, 1)).at)

        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(one)
        assert times[0] == pytest.approx(20, abs=0.01)
        assert min(after - before for before, after in pairwise(times)) > 60 / 600

    run(main)


def test_an_unknown_rate_is_guessed_from_what_was_accepted() -> None:
    async def main() -> None:
        admission = gate()
        departure: Permit
        for _ in range(60):
            departure = await admission.enter(1, 1)
            admission.leave(departure)
            admission.gates[0].passed(departure, Usage())
            await anyio.sleep(1)
        admission.gates[0].throttled(departure, 0.1)
        await anyio.sleep(1)
        began = anyio.current_time()
        for _ in range(60):
            await admission.enter(1, 1)
        assert 59 < anyio.current_time() - began < 62

    run(main)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 300), st.floats(0, 100), st.sampled_from([0.0, 0.3]), st.integers(1, 299))
def test_a_share_handed_on_a_minute_after_its_end_keeps_every_minute_within_the_limit(
    rpm: int, ends_at: float, latency_s: float, part: int
) -> None:
    first, second = gate(part % (rpm - 1) + 1), gate(rpm - part % (rpm - 1) - 1)
    left: list[tuple[float, int]] = []

    async def ask(admission: Scheduler, until: float) -> None:
        while anyio.current_time() < until:
            departure = await admission.enter(1, 1)
            left.append((departure.at, 1))
            await anyio.sleep(latency_s)
            admission.leave(departure)

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
        admission = gate(rpm=60)
        await admission.enter(1, 1)
        change(admission, Limits(rpm=600))
        began = anyio.current_time()
        for _ in range(101):
            admission.leave(await admission.enter(1, 1))
        assert 10 < anyio.current_time() - began < 10.5
        change(admission, Limits(concurrency=5))  # a rate that is not given stays
        for _ in range(100):
            admission.leave(await admission.enter(1, 1))
        assert anyio.current_time() - began > 20

    run(main)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 12), st.sampled_from([0, 0.4, 1, 7])), max_size=12))
def test_slots_grow_and_shrink_without_losing_one(changes: list[tuple[int, float]]) -> None:
    allowed = [5]

    async def main() -> None:
        admission = gate(concurrency=5)

        async def ask() -> None:
            with anyio.move_on_after(20):  # some give up while they wait
                departure = await admission.enter(1, 1)
                try:
                    await anyio.sleep(1)
                finally:
                    admission.leave(departure)

        async with anyio.create_task_group() as tasks:
            for concurrency, pause_s in changes:
                for _ in range(15):
                    tasks.start_soon(ask)
                await anyio.sleep(pause_s)
                change(admission, Limits(concurrency=concurrency))
                allowed.append(concurrency)
        assert admission.in_flight == 0
        async with anyio.create_task_group() as tasks:
            for _ in range(30):
                tasks.start_soon(ask)
            await anyio.sleep(0.5)
            assert admission.in_flight == allowed[-1]

    run(main)


def test_fewer_slots_take_hold_as_requests_come_back() -> None:
    async def main() -> None:
        admission = gate(concurrency=4)
        departures = [await admission.enter(1, 1) for _ in range(4)]
        change(admission, Limits(concurrency=2))
        for left in (3, 2, 1):
            admission.leave(departures.pop())
            assert admission.in_flight == left
        await admission.enter(1, 1)
        with anyio.move_on_after(60) as waited:
            await admission.enter(1, 1)
        assert waited.cancelled_caught

    run(main)


@pytest.mark.parametrize("rpm", [None, 60, 1200, 12_000])
def test_an_announced_limit_holds_from_the_first_reply_on(rpm: int | None) -> None:
    simulator = Simulator(rpm=600, latency_s=0.5, log_arrivals=True)
    request = ChatRequest(messages=(Message("user", "Say hello."),), max_tokens=40)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        endpoint = Endpoint(model="sim", base_url="http://in.memory/v1")
        limits = Limits(rpm=rpm, concurrency=64)
        async with Engine(endpoint, limits=limits, transport=SimTransport(simulator)) as engine:

            async def work() -> None:
                while loop.time() < 180:
                    await engine.complete(request)

            async with anyio.create_task_group() as tasks:
                for _ in range(64):
                    tasks.start_soon(work)

    run(main)
    assert simulator.statuses.keys() == {200}
    assert simulator.statuses[200] > 0.95 * 3 * min(rpm or 600, 600)


def test_a_reply_that_announces_nothing_leaves_the_announced_limit_in_force() -> None:
    async def main() -> None:
        admission = gate(rpm=1200)
        for _ in range(10):
            admission.gates[0].told(PerLimit(600, None, None, None))
            admission.gates[0].told(PerLimit(None, None, None, None))
        began = anyio.current_time()
        for _ in range(300):
            await admission.enter(1, 1)
        assert 29 < anyio.current_time() - began < 33

    run(main)


def test_an_announced_limit_is_divided_anew_when_others_end() -> None:
    async def main() -> None:
        admission = queue(Limits(concurrency=1000, processes=3))
        admission.gates[0].told(PerLimit(900, None, None, None))
        for _ in range(100):
            await admission.enter(1, 1)
        change(admission, Limits(concurrency=1000))
        began = anyio.current_time()
        for _ in range(300):
            await admission.enter(1, 1)
        assert 19 < anyio.current_time() - began < 22

    run(main)
