"""The queue before endpoints: first come first served, by the endpoint that can send soonest."""

import asyncio
import gc
from collections.abc import Callable
from contextlib import suppress

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given, settings, strategies as st

from tests.support.common import run
from tests.support.permits import (
    ABANDONED,
    DONE,
    acquire,
    closing,
    most_in_a_window,
    one_endpoint,
    scheduler,
)
from vcgen.engine.chat import Usage
from vcgen.engine.config import Limits
from vcgen.engine.limits.circuit_breaker import FAILURES
from vcgen.engine.limits.limiter import EndpointLimiter, LimiterState
from vcgen.engine.limits.per_limit import PerLimit
from vcgen.engine.limits.permit import (
    Completed,
    Failed,
    Outcome,
    Permit,
    Refused,
    Throttled,
    Unreachable,
)
from vcgen.engine.limits.queue import Priority
from vcgen.engine.limits.scheduler import NoEndpointLeft, Scheduler
from vcgen.errors import RunStopped


def test_begun_work_goes_before_new_and_each_in_its_order() -> None:
    left: list[str] = []

    async def main() -> None:
        queue = one_endpoint(rpm=60)
        await acquire(queue)

        async def one(name: str, priority: Priority) -> None:
            await acquire(queue, priority=priority)
            left.append(name)

        async with anyio.create_task_group() as tasks:
            for at in range(3):
                tasks.start_soon(one, f"new {at}", Priority.NEW)
                tasks.start_soon(one, f"hedge {at}", Priority.HEDGE)
            for at in range(3):
                tasks.start_soon(one, f"begun {at}", Priority.CONTINUATION)

    run(main)
    # The first new one is being paid for already when the begun ones come.
    new, begun, hedges = ([f"{name} {at}" for at in range(3)] for name in ("new", "begun", "hedge"))
    assert left == [new[0], *begun, *new[1:], *hedges]


def test_requests_leave_in_their_order_whatever_their_size() -> None:
    order: list[int] = []

    async def main() -> None:
        queue = one_endpoint(rpm=60, tpm=1000, concurrency=3)

        async def one(number: int) -> None:
            permit = await acquire(queue, max_tokens=5 if number % 3 else 900)
            order.append(number)
            await anyio.lowlevel.checkpoint()
            queue.release(permit, ABANDONED)

        async with anyio.create_task_group() as tasks:
            for number in range(30):
                tasks.start_soon(one, number)

    run(main)
    assert order == list(range(30))


def test_cancelled_requests_do_not_pile_up_in_the_queue() -> None:
    async def main() -> None:
        queue = one_endpoint(concurrency=1)
        await acquire(queue)
        for _ in range(100):
            with anyio.move_on_after(1):
                await acquire(queue, priority=Priority.HEDGE)
        assert queue.waiting <= 1

    run(main)


def test_hedge_leaves_once_a_tenth_of_the_slots_is_free() -> None:
    async def main() -> None:
        queue = one_endpoint(concurrency=20)
        permits = [await acquire(queue) for _ in range(20)]
        hedges: list[float] = []

        async def one() -> None:
            hedges.append((await acquire(queue, priority=Priority.HEDGE)).sent_at)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(one)
            for _ in range(2):
                await anyio.sleep(1)
                queue.release(permits.pop(), DONE)
                assert not hedges
            await anyio.sleep(1)
            queue.release(permits.pop(), DONE)
        assert len(hedges) == 1

    run(main)


def test_requests_leave_by_the_endpoint_that_is_open() -> None:
    async def main() -> None:
        queue = scheduler(Limits(concurrency=1000), Limits(concurrency=1000))
        first, second = queue.limiters
        permit = await acquire(queue)
        assert permit.limiter is first
        queue.release(permit, closing(20.0))
        for _ in range(50):
            assert (await acquire(queue)).limiter is second
        await anyio.sleep(20)
        assert (await acquire(queue)).limiter is first

    run(main)


def test_payment_at_a_closing_endpoint_moves_to_another() -> None:
    async def main() -> None:
        queue = scheduler(Limits(tpm=600), Limits(rpm=1))
        permits = [await acquire(queue) for _ in range(2)]
        assert {permit.limiter for permit in permits} == set(queue.limiters)
        left: list[Permit] = []

        async def one(max_tokens: int) -> None:
            left.append(await acquire(queue, max_tokens=max_tokens))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(one, 600)  # a minute's worth: is paid for at one of the endpoints
            await anyio.sleep(30)
            mine = next(limiter for limiter in queue.limiters if limiter.is_taken)
            queue.release(next(p for p in permits if p.limiter is mine), closing(500.0))
        [permit] = left
        assert permit.limiter is not mine
        assert permit.sent_at < 100

    run(main)


def test_each_endpoint_keeps_its_rate_and_all_reach_the_sum() -> None:
    left: list[Permit] = []

    async def main() -> None:
        queue = scheduler(Limits(rpm=60), Limits(rpm=600), Limits(rpm=6))

        async def ask() -> None:
            while anyio.current_time() < 120:
                permit = await acquire(queue)
                left.append(permit)
                await anyio.sleep(1)
                queue.release(permit, ABANDONED)

        async with anyio.create_task_group() as tasks:
            for _ in range(64):
                tasks.start_soon(ask)
        for limiter, rpm in zip(queue.limiters, (60, 600, 6), strict=True):
            times = [permit.sent_at for permit in left if permit.limiter is limiter]
            assert most_in_a_window([(at, 1) for at in times]) <= rpm
            assert len(times) > 0.9 * 2 * rpm

    run(main)


def test_disabled_endpoint_frees_the_request_it_holds() -> None:
    async def main() -> None:
        queue = scheduler(Limits(rpm=1), Limits(rpm=600))
        disabled = queue.limiters[0]
        for _ in range(2):
            await acquire(queue)
        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(acquire, queue)
            await anyio.sleep(0.05)
            disabled.disable("no key")
            queue.offer_all()
            with anyio.fail_after(2):
                assert (await acquire(queue)).limiter is not disabled

    run(main)


def test_endpoint_that_is_out_is_probed_by_one_request_at_a_time() -> None:
    async def main() -> None:
        queue = one_endpoint(concurrency=100)
        limiter = queue.limiters[0]
        probes = 0

        async def ask() -> None:
            nonlocal probes
            while anyio.current_time() < 100:
                permit = await acquire(queue)
                probes += limiter.circuit.is_open
                assert not limiter.circuit.is_open or queue.in_flight == 1
                await anyio.sleep(0.4)
                queue.release(permit, Failed(has_replied=True))
            while True:
                permit = await acquire(queue)
                await anyio.sleep(0.4)
                queue.release(permit, DONE)
                if limiter.state is LimiterState.OPEN:
                    return

        async with anyio.create_task_group() as tasks:
            for _ in range(FAILURES):
                tasks.start_soon(ask)
        assert 4 < probes < 15
        assert anyio.current_time() < 300

    run(main)


@pytest.mark.parametrize(("preferred_s", "stays"), [(1.0, True), (1.9, True), (9.0, False)])
def test_work_stays_at_its_endpoint_unless_that_is_much_slower(
    preferred_s: float, *, stays: bool
) -> None:
    async def main() -> None:
        queue = scheduler(Limits(concurrency=10), Limits(concurrency=10))
        other, preferred = queue.limiters
        permits = [await acquire(queue) for _ in range(2)]
        for permit in permits:
            took_s = preferred_s if permit.limiter is preferred else 1.0
            permit.limiter.latency.learn(took_s)
            queue.release(permit, ABANDONED)
        assert other.latency.mean_s == 1.0
        chosen = [
            (await acquire(queue, priority=Priority.CONTINUATION, preferred=preferred)).limiter
            for _ in range(3)
        ]
        assert all(limiter is preferred for limiter in chosen) == stays

    run(main)


OUTCOMES = st.sampled_from(
    [
        *(Completed(Usage(10, 100)), Completed(Usage()), ABANDONED),
        *(Throttled(None), Throttled(0.5), closing(7.0), closing(None)),
        *(Failed(has_replied=True), Failed(has_replied=False), Unreachable(None), Unreachable(2.0)),
    ]
)
ACTS = st.lists(
    st.tuples(
        st.sampled_from([Priority.CONTINUATION, Priority.NEW]),
        st.floats(0, 3),
        st.floats(0.01, 5),
        st.booleans(),
        OUTCOMES,
        st.sampled_from([None, 300, 6000]),
    ),
    max_size=60,
)
Act = tuple[Priority, float, float, bool, Outcome, int | None]


@settings(max_examples=60, deadline=None)
@given(ACTS, st.integers(1, 3))
def test_every_request_leaves_or_is_cancelled_and_none_leaks(acts: list[Act], count: int) -> None:
    left = cancelled = 0

    async def main() -> None:
        queue = scheduler(*[Limits(rpm=600, tpm=60_000, concurrency=3)] * count)

        async def one(act: Act) -> None:
            nonlocal left, cancelled
            priority, _, took_s, is_patient, outcome, rpm = act
            permit = None
            with anyio.move_on_after(None if is_patient else took_s):
                permit = await acquire(queue, 30, 100, priority)
            if permit is None:
                cancelled += 1
                return
            left += 1
            await anyio.sleep(took_s)
            queue.release(permit, outcome, PerLimit(rpm, None, None, None))

        async with anyio.create_task_group() as tasks:
            for act in acts:
                await anyio.sleep(act[1])
                tasks.start_soon(one, act)
        assert queue.in_flight == 0
        assert not any(limiter.is_taken for limiter in queue.limiters)
        queue.stop(RunStopped("over"))
        with pytest.raises(RunStopped):
            await acquire(queue)

    run(main)
    assert left + cancelled == len(acts)


def test_cancelled_waiters_leak_nothing() -> None:
    async def main() -> None:
        queue = one_endpoint(rpm=60, tpm=60_000, concurrency=20)

        async def one() -> None:
            permit = await acquire(queue, 400, 500)
            try:
                await anyio.sleep(5)
            finally:
                queue.release(permit, ABANDONED)

        for _ in range(10):
            with anyio.move_on_after(7):
                async with anyio.create_task_group() as tasks:
                    for _ in range(60):
                        tasks.start_soon(one)
            assert queue.in_flight == 0
        with anyio.fail_after(60):
            async with anyio.create_task_group() as tasks:
                for _ in range(20):
                    tasks.start_soon(one)

    run(main)


@pytest.mark.parametrize(
    ("make", "closed_s"),
    [
        pytest.param(lambda: one_endpoint(concurrency=2), 0, id="for a slot"),
        pytest.param(lambda: one_endpoint(rpm=1), 0, id="for the rate"),
        pytest.param(lambda: one_endpoint(tpm=60), 0, id="for tokens"),
        pytest.param(one_endpoint, 500, id="at a closed endpoint"),
    ],
)
def test_stop_wakes_all_who_wait(make: Callable[[], Scheduler], closed_s: float) -> None:
    ended: list[float] = []

    async def main() -> None:
        queue = make()
        first = await acquire(queue)
        second = await acquire(queue)
        if closed_s:
            queue.release(first, closing(closed_s))

        async def one() -> None:
            with pytest.raises(RunStopped, match="enough"):
                await acquire(queue, max_tokens=1000)
            ended.append(anyio.current_time())

        async with anyio.create_task_group() as tasks:
            for _ in range(10):
                tasks.start_soon(one)
            await anyio.sleep(0.01)
            queue.stop(RunStopped("enough"))
        await one()
        assert max(ended) - second.sent_at < 0.1
        assert queue.in_flight == (1 if closed_s else 2)

    run(main)
    assert len(ended) == 11


def test_stop_logs_nothing_of_requests_cancelled_meanwhile() -> None:
    complaints: list[dict[str, object]] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: complaints.append(context))
        queue = one_endpoint(concurrency=1)
        await acquire(queue)

        async def one() -> None:
            with suppress(RunStopped):
                await acquire(queue)

        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(one)
            await anyio.sleep(1)
            queue.stop(RunStopped("over"))
            tasks.cancel_scope.cancel()
        gc.collect()

    run(main)
    assert not complaints


@pytest.mark.parametrize("use_uvloop", [False, True], ids=["asyncio", "uvloop"])
@pytest.mark.parametrize("delay_s", [0.0001, 0.0004, 0.02])
def test_closed_endpoint_opens_after_less_than_a_timer_tick(
    delay_s: float, *, use_uvloop: bool
) -> None:
    """Uvloop's `call_at` returns a plain handle for a time less than 0.5 ms away."""

    async def main() -> None:
        queue = one_endpoint(rpm=100_000)
        limiter: EndpointLimiter = queue.limiters[0]
        permits = [await acquire(queue) for _ in range(2)]
        queue.release(permits[0], closing(delay_s))
        async with anyio.create_task_group() as tasks:
            for _ in range(5):  # each joins while the alarm is set
                tasks.start_soon(acquire, queue)
            await anyio.lowlevel.checkpoint()
            queue.release(permits[1], closing(delay_s))  # moves the alarm
        assert limiter.concurrency.in_flight == 5

    async def bounded() -> None:
        with anyio.fail_after(5):
            await main()

    anyio.run(bounded, backend_options={"use_uvloop": use_uvloop})


def test_refused_request_waits_for_a_peer_and_not_for_the_free_endpoint() -> None:
    async def main() -> None:
        queue = scheduler(Limits(concurrency=1), Limits(concurrency=1))
        refusing, peer = queue.limiters
        busy = await acquire(queue, excluded={refusing})
        assert busy.limiter is peer
        got: list[Permit] = []

        async def ask() -> None:
            got.append(await acquire(queue, excluded={refusing}))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            await anyio.sleep(100)
            assert not got
            assert queue.waiting_elsewhere == 1
            assert (await acquire(queue)).limiter is refusing  # not kept free for it
            queue.release(busy, DONE)
        assert got[0].limiter is peer

    run(main)


@pytest.mark.parametrize("is_closed", [False, True])
def test_refusal_counts_once_its_last_peer_is_disabled(*, is_closed: bool) -> None:
    """Also where it waits already, and the peer is closed."""

    async def main() -> None:
        queue = scheduler(Limits(concurrency=1), Limits(concurrency=1))
        refusing, peer = queue.limiters
        busy = await acquire(queue, excluded={refusing})
        if is_closed:
            queue.release(await acquire(queue, excluded={peer}), DONE)
            queue.release(busy, closing(1e6))
        async with anyio.create_task_group() as tasks:

            async def ask() -> None:
                with pytest.raises(NoEndpointLeft):
                    await acquire(queue, excluded={refusing})

            tasks.start_soon(ask)
            await anyio.sleep(1)
            assert queue.waiting_elsewhere == 1
            peer.disable("it is gone")
            queue.release(await acquire(queue), Refused())
        with pytest.raises(NoEndpointLeft):
            await acquire(queue, excluded={refusing})
        assert not queue.waiting

    run(main)


def test_quick_refusals_take_no_more_new_requests_than_slots() -> None:
    async def main() -> None:
        queue = scheduler(Limits(concurrency=4), Limits(concurrency=4))
        refusing, peer = queue.limiters
        held = [await acquire(queue, excluded={peer}) for _ in range(4)]
        for permit in held:
            queue.release(permit, Refused())
            queue.hold(refusing)
        for _ in range(4):
            assert (await acquire(queue)).limiter is peer
        assert queue.bottleneck == "concurrency"
        with anyio.move_on_after(60) as late:
            await acquire(queue)
        assert late.cancelled_caught
        queue.settle({refusing: "No."}, None)
        assert (await acquire(queue)).limiter is refusing

    run(main)


def test_held_refusals_hold_nothing_while_no_peer_is_open() -> None:
    async def main() -> None:
        queue = scheduler(Limits(concurrency=1), Limits(concurrency=1))
        refusing, peer = queue.limiters
        queue.release(await acquire(queue, excluded={refusing}), closing(1000))
        queue.release(await acquire(queue, excluded={peer}), Refused())
        queue.hold(refusing)
        with anyio.fail_after(1):
            assert (await acquire(queue)).limiter is refusing

    run(main)


def test_slot_of_a_failure_is_held_as_long_as_an_answer_takes() -> None:
    async def main() -> None:
        queue = scheduler(Limits(concurrency=1), Limits(concurrency=1))
        failing, peer = queue.limiters
        answered = await acquire(queue, excluded={failing})
        await anyio.sleep(8)
        queue.release(answered, DONE)
        failed = await acquire(queue, excluded={peer})
        queue.release(failed, Failed(has_replied=True))
        queue.hold_failed(failed, 0.0)
        assert (await acquire(queue)).limiter is peer
        began = anyio.current_time()
        assert (await acquire(queue)).limiter is failing
        assert anyio.current_time() - began == pytest.approx(8)

    run(main)


def test_disputed_refusals_disable_an_endpoint_and_quote_it() -> None:
    async def main() -> None:
        queue = scheduler(Limits(concurrency=1), Limits(concurrency=1))
        refusing, peer = queue.limiters
        for _ in range(10):
            assert not refusing.is_disabled
            queue.hold(refusing)
            queue.settle({refusing: "no such path"}, peer)
        assert refusing.disabled_because is not None
        assert refusing.disabled_because.endswith(
            "10 requests that another endpoint answered: no such path"
        )
        assert not peer.is_disabled

    run(main)


def test_endpoints_that_dispute_each_other_are_not_left_out() -> None:
    async def main() -> None:
        queue = scheduler(Limits(concurrency=1), Limits(concurrency=1))
        one, other = queue.limiters
        for _ in range(100):
            for refusing, peer in ((one, other), (other, one)):
                queue.hold(refusing)
                queue.settle({refusing: "No."}, peer)
        assert not one.is_disabled
        assert not other.is_disabled

    run(main)


def test_endpoint_that_answers_nine_of_ten_is_not_left_out() -> None:
    async def main() -> None:
        queue = scheduler(Limits(concurrency=1), Limits(concurrency=1))
        refusing, peer = queue.limiters
        for _ in range(50):
            queue.hold(refusing)
            queue.settle({refusing: "No."}, peer)
            for _ in range(9):
                queue.release(await acquire(queue, excluded={peer}), DONE)
        assert not refusing.is_disabled

    run(main)
