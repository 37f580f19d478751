"""Order of requests: begun work goes on where it was, and no request waits for ever for that."""

import asyncio
from collections.abc import Callable, Sequence
from random import Random

from hypothesis import given, settings, strategies as st

from tests.support.common import run
from vcgen.engine.config import Limits
from vcgen.engine.limits.limiter import EndpointLimiter
from vcgen.engine.limits.queue import PATIENCE, Priority, RequestQueue, Waiter


def limiters(count: int, limits: Limits | None = None) -> list[EndpointLimiter]:
    each = limits or Limits(concurrency=1000)
    return [EndpointLimiter(each, Random(0)) for _ in range(count)]  # noqa: S311 - jitter


def waiter() -> Waiter:
    return asyncio.get_running_loop().create_future()


def in_loop(test: Callable[[], None]) -> None:
    async def main() -> None:
        test()

    run(main)


def taken(queue: RequestQueue, limiter: EndpointLimiter, names: dict[str, Waiter]) -> list[str]:
    """Names of the requests that one endpoint takes, in order."""
    left = []
    while (out := queue.take(limiter)) is not None:
        left += [name for name, each in names.items() if each is out]
    return left


def test_endpoint_takes_its_own_then_new_then_others_requests() -> None:
    def check() -> None:
        here, there = limiters(2)
        queue = RequestQueue([here, there])
        names: dict[str, Waiter] = {}
        for name, priority, preferred in (
            ("hedge", Priority.HEDGE, None),
            ("theirs", Priority.CONTINUATION, there),
            ("new", Priority.NEW, None),
            ("ours", Priority.CONTINUATION, here),
            ("free", Priority.CONTINUATION, None),
            ("requeued", Priority.REQUEUED, there),
        ):
            names[name] = waiter()
            queue.join(names[name], priority, preferred)
        order = ["requeued", "free", "ours", "new", "theirs", "hedge"]
        assert taken(queue, here, names) == order
        assert not queue.waiting

    in_loop(check)


def test_request_of_a_disabled_endpoint_goes_by_any() -> None:
    def check() -> None:
        here, there = limiters(2)
        queue = RequestQueue([here, there])
        names = {"theirs": waiter(), "new": waiter()}
        queue.join(names["new"], Priority.NEW, None)
        queue.join(names["theirs"], Priority.CONTINUATION, there)
        there.disable("no key")
        assert taken(queue, here, names) == ["theirs", "new"]

    in_loop(check)


def test_request_of_an_idle_endpoint_goes_by_another_in_time() -> None:
    def check() -> None:
        here, there = limiters(2)
        queue, theirs = RequestQueue([here, there]), waiter()
        queue.join(theirs, Priority.CONTINUATION, there)
        for _ in range(2 * PATIENCE + 1):
            queue.join(waiter(), Priority.NEW, None)
            assert queue.take(here) is not theirs
        queue.join(waiter(), Priority.NEW, None)
        assert queue.take(here) is theirs

    in_loop(check)


acts = st.lists(
    st.tuples(
        st.sampled_from(["join", "join", "take", "cancel", "disable"]),
        st.sampled_from(Priority),
        st.integers(0, 2),
        st.integers(0, 2),
    ),
    max_size=200,
)


# Queued requests, with how many may still go before one that continues work.
Waits = dict[Waiter, tuple[Priority, int]]


def take_and_check(queue: RequestQueue, limiter: EndpointLimiter, waits: Waits) -> None:
    out = queue.take(limiter)
    if out is None:
        assert not waits
        return
    rank, _ = waits.pop(out)
    assert rank is not Priority.HEDGE or all(other is rank for other, _ in waits.values())
    if rank is Priority.REQUEUED:  # goes before all
        return
    for each, (other, may_pass) in waits.items():
        if other is Priority.CONTINUATION:
            assert may_pass > 0
            waits[each] = other, may_pass - 1


@settings(max_examples=100, deadline=None)
@given(acts, st.integers(1, 3), st.integers(0, 3))
def test_no_request_is_lost_or_passed_over_for_ever(
    acts: Sequence[tuple[str, Priority, int, int]], count: int, patience: int
) -> None:
    def check() -> None:
        endpoints = limiters(count)
        queue = RequestQueue(endpoints)
        queue._patience = patience
        waits: Waits = {}
        for what, rank, at, home in acts:
            if what == "join":
                begun = sum(other is Priority.CONTINUATION for other, _ in waits.values())
                waits[each := waiter()] = rank, patience + 1 + begun
                queue.join(each, rank, endpoints[home] if home < count else None)
            elif what == "take":
                take_and_check(queue, endpoints[at % count], waits)
            elif what == "disable":
                endpoints[at % count].disable("no key")
            elif waits:
                given_up = list(waits)[at % len(waits)]
                given_up.cancel()
                del waits[given_up]
            assert queue.waiting >= len(waits)
        while waits:
            take_and_check(queue, endpoints[0], waits)
        assert queue.take(endpoints[0]) is None
        assert not queue.waiting

    in_loop(check)


def test_refused_request_goes_first_and_never_to_an_endpoint_that_refused_it() -> None:
    def check() -> None:
        first, second, third = limiters(3)
        queue = RequestQueue([first, second, third])
        names = {name: waiter() for name in ("new", "once", "twice")}
        queue.join(names["new"], Priority.NEW, None)
        queue.join_refused(names["once"], frozenset({first}))
        queue.join_refused(names["twice"], frozenset({first, second}))
        assert queue.waiting_refused == 2
        assert queue.take_refused(first) is None
        assert taken(queue, second, names) == ["once", "new"]
        assert queue.waiting == 1
        assert taken(queue, third, names) == ["twice"]
        assert not queue.waiting
        assert not queue.waiting_refused

    in_loop(check)


def test_requests_that_all_usable_endpoints_refused_are_stranded() -> None:
    def check() -> None:
        first, second, third = limiters(3)
        queue = RequestQueue([first, second, third])
        names = {name: waiter() for name in ("once", "twice", "left")}
        queue.join_refused(names["once"], frozenset({first}))
        queue.join_refused(names["left"], frozenset({first, second}))
        queue.join_refused(names["twice"], frozenset({first, second}))
        names["left"].cancel()
        assert [*queue.take_stranded([first, second])] == [names["twice"]]
        assert [*queue.take_stranded([first, second])] == []
        assert [*queue.take_all()] == [names["once"]]
        assert not queue.waiting

    in_loop(check)
