"""The queue before several gates: who leaves first, and through which of them."""

import asyncio
import gc
from contextlib import suppress
from random import Random

import anyio
import pytest
from hypothesis import given, settings, strategies as st

from tests.support.common import run
from vcgen.engine.chat import Usage
from vcgen.engine.config import Limits
from vcgen.engine.limits.circuit_breaker import FAILURES
from vcgen.engine.limits.limiter import EndpointLimiter, Permit
from vcgen.engine.limits.per_limit import PerLimit
from vcgen.engine.limits.queue import Priority
from vcgen.engine.limits.scheduler import Scheduler
from vcgen.errors import RunStopped


def queue(*limits: Limits) -> Scheduler:
    return Scheduler([EndpointLimiter(each, Random(0)) for each in limits])  # noqa: S311 - jitter


def test_begun_work_goes_before_new_work_and_each_in_its_order() -> None:
    left: list[str] = []

    async def main() -> None:
        admission = queue(Limits(rpm=60))
        await admission.enter(1, 1)

        async def one(name: str, rank: Priority) -> None:
            await admission.enter(1, 1, rank)
            left.append(name)

        async with anyio.create_task_group() as tasks:
            for at in range(3):
                tasks.start_soon(one, f"new {at}", Priority.NEW)
                tasks.start_soon(one, f"spare {at}", Priority.SPARE)
            for at in range(3):
                tasks.start_soon(one, f"begun {at}", Priority.BEGUN)

    run(main)
    # The first new one stands in the gate already when the begun ones come.
    new, begun, spare = ([f"{name} {at}" for at in range(3)] for name in ("new", "begun", "spare"))
    assert left == [new[0], *begun, *new[1:], *spare]


def test_requests_that_gave_up_do_not_pile_up_in_the_queue() -> None:
    async def main() -> None:
        admission = queue(Limits(concurrency=1))
        await admission.enter(1, 1)
        for _ in range(100):
            with anyio.move_on_after(1):
                await admission.enter(1, 1, Priority.SPARE)
        assert admission.waiting <= 1

    run(main)


def test_a_spare_request_leaves_once_a_tenth_of_the_slots_is_free() -> None:
    async def main() -> None:
        admission = queue(Limits(concurrency=20))
        departures = [await admission.enter(1, 1) for _ in range(20)]
        spare: list[float] = []

        async def one() -> None:
            spare.append((await admission.enter(1, 1, Priority.SPARE)).at)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(one)
            for _ in range(2):
                await anyio.sleep(1)
                admission.leave(departures.pop())
                assert not spare
            await anyio.sleep(1)
            admission.leave(departures.pop())
        assert len(spare) == 1

    run(main)


def test_requests_leave_through_the_gate_that_is_open() -> None:
    async def main() -> None:
        admission = queue(Limits(concurrency=1000), Limits(concurrency=1000))
        first, second = admission.gates
        departure = await admission.enter(1, 1)
        assert departure.gate is first
        first.throttled(departure, 20.0)
        for _ in range(50):
            assert (await admission.enter(1, 1)).gate is second
        await anyio.sleep(20)
        assert (await admission.enter(1, 1)).gate is first

    run(main)


def test_who_pays_in_a_gate_that_closes_leaves_through_another_at_once() -> None:
    async def main() -> None:
        admission = queue(Limits(tpm=600), Limits(rpm=1))
        slow, other = admission.gates
        departures = [await admission.enter(1, 1) for _ in range(2)]
        assert {departure.gate for departure in departures} == {slow, other}
        gates: list[tuple[EndpointLimiter, float]] = []

        async def one(max_tokens: int) -> None:
            departure = await admission.enter(1, max_tokens)
            gates.append((departure.gate, departure.at))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(one, 600)  # a minute's worth: pays at one of the gates
            await anyio.sleep(30)
            mine = next(gate for gate in admission.gates if gate.taken)
            mine.throttled(next(d for d in departures if d.gate is mine), 500.0)
        [(gate, at)] = gates
        assert gate is not mine
        assert at < 100

    run(main)


def test_what_a_request_paid_at_a_gate_that_closed_is_not_paid_again() -> None:
    async def main() -> None:
        admission = queue(Limits(tpm=600))
        departure = await admission.enter(1, 1)

        async def close() -> None:
            await anyio.sleep(50)
            admission.gates[0].throttled(departure, 1.0)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(close)
            assert (await admission.enter(1, 600)).at < 65

    run(main)


def test_each_gate_keeps_its_own_rate_and_together_they_reach_the_sum() -> None:
    left: list[Permit] = []

    async def main() -> None:
        admission = queue(Limits(rpm=60), Limits(rpm=600), Limits(rpm=6))

        async def ask() -> None:
            while anyio.current_time() < 120:
                departure = await admission.enter(1, 1)
                left.append(departure)
                await anyio.sleep(1)
                admission.leave(departure)

        async with anyio.create_task_group() as tasks:
            for _ in range(64):
                tasks.start_soon(ask)
        for gate, rpm in zip(admission.gates, (60, 600, 6), strict=True):
            times = [departure.at for departure in left if departure.gate is gate]
            for at in times:
                assert sum(1 for other in times if at <= other < at + 60) <= rpm
            assert len(times) > 0.9 * 2 * rpm

    run(main)


def test_a_dead_gate_lets_nobody_out_and_frees_who_stands_in_it() -> None:
    async def main() -> None:
        admission = queue(Limits(rpm=1), Limits(rpm=600))
        dead = admission.gates[0]
        for _ in range(2):
            await admission.enter(1, 1)
        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(admission.enter, 1, 1)
            await anyio.sleep(0.05)
            dead.dead = True
            dead.wake()
            admission.offer_all()
            with anyio.fail_after(2):
                assert (await admission.enter(1, 1)).gate is not dead

    run(main)


def test_an_endpoint_that_is_out_is_probed_by_one_request_at_a_time() -> None:
    async def main() -> None:
        admission = queue(Limits(concurrency=100))
        gate = admission.gates[0]
        probes = 0

        async def ask() -> None:
            nonlocal probes
            while anyio.current_time() < 100:
                departure = await admission.enter(1, 1)
                probes += gate.is_out
                assert not gate.is_out or gate.in_flight == 1
                await anyio.sleep(0.4)
                admission.leave(departure)
                gate.failed(departure)
                admission.offer_all()
            while True:
                departure = await admission.enter(1, 1)
                await anyio.sleep(0.4)
                admission.leave(departure)
                gate.passed(departure, Usage())
                if not gate.is_out:
                    return

        async with anyio.create_task_group() as tasks:
            for _ in range(FAILURES):
                tasks.start_soon(ask)
        assert 4 < probes < 15
        assert anyio.current_time() < 300

    run(main)


@pytest.mark.parametrize("which", ["input_tpm", "output_tpm"])
def test_input_and_output_are_metered_apart(which: str) -> None:
    limits = Limits(input_tpm=6000) if which == "input_tpm" else Limits(output_tpm=6000)

    async def main() -> None:
        admission = queue(limits)
        for _ in range(100):
            departure = await admission.enter(300, 100)  # about 100 tokens each way
            admission.leave(departure)
            admission.gates[0].passed(departure, Usage(100, 100))
        assert 95 < anyio.current_time() < 115

    run(main)


def test_input_read_from_a_cache_is_not_counted_as_input() -> None:
    async def main() -> None:
        admission = queue(Limits(input_tpm=6000))
        for _ in range(100):
            departure = await admission.enter(300, 100)
            admission.leave(departure)
            admission.gates[0].passed(departure, Usage(100, 100, cached_tokens=100))
        assert anyio.current_time() < 70

    run(main)


ranks = st.sampled_from([Priority.BEGUN, Priority.NEW])
acts = st.lists(st.tuples(ranks, st.floats(0, 3), st.floats(0.01, 5), st.booleans()), max_size=60)


@settings(max_examples=60, deadline=None)
@given(acts, st.integers(1, 3), st.integers(0, 10**6))
def test_whatever_happens_everybody_leaves_or_gives_up_and_nothing_leaks(
    acts: list[tuple[Priority, float, float, bool]], gates: int, seed: int
) -> None:
    random = Random(seed)  # noqa: S311 - repeatable
    left = gave_up = 0

    async def main() -> None:
        admission = queue(*[Limits(rpm=600, tpm=60_000, concurrency=3)] * gates)

        async def one(rank: Priority, took_s: float, patient: bool) -> None:  # noqa: FBT001 - an act
            nonlocal left, gave_up
            departure = None
            with anyio.move_on_after(None if patient else took_s):
                departure = await admission.enter(30, 100, rank)
            if departure is None:
                gave_up += 1
                return
            left += 1
            await anyio.sleep(took_s)
            admission.leave(departure)
            match random.randrange(5):
                case 0:
                    departure.gate.throttled(departure, random.choice([None, 0.5, 7.0]))
                case 1:
                    departure.gate.failed(departure)
                case 2:
                    departure.gate.unreached(departure, None)
                case _:
                    departure.gate.passed(departure, Usage(10, 100))
            departure.gate.told(PerLimit(random.choice([None, 300, 6000]), None, None, None))
            admission.offer_all()

        async with anyio.create_task_group() as tasks:
            for rank, pause_s, took_s, patient in acts:
                await anyio.sleep(pause_s)
                tasks.start_soon(one, rank, took_s, patient)
        assert admission.in_flight == 0
        assert not any(gate.taken for gate in admission.gates)
        admission.stop(RunStopped("over"))
        with pytest.raises(RunStopped):
            await admission.enter(1, 1)

    run(main)
    assert left + gave_up == len(acts)


def test_a_stop_is_complained_of_by_nobody_who_was_cancelled_meanwhile() -> None:
    complaints: list[dict[str, object]] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: complaints.append(context))
        admission = queue(Limits(concurrency=1))
        await admission.enter(1, 1)

        async def one() -> None:
            with suppress(RunStopped):
                await admission.enter(1, 1)

        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(one)
            await anyio.sleep(1)
            admission.stop(RunStopped("over"))
            tasks.cancel_scope.cancel()
        gc.collect()

    run(main)
    assert not complaints
