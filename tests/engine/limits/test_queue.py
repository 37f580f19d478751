"""Whose turn it is: work goes on where it was, and nobody waits for ever for that."""

import asyncio
from collections.abc import Callable, Sequence
from random import Random

import anyio
import pytest
from hypothesis import given, settings, strategies as st

from tests.support.common import run
from vcgen.engine.chat import Usage
from vcgen.engine.config import Limits
from vcgen.engine.limits.limiter import EndpointLimiter
from vcgen.engine.limits.queue import PATIENCE, Priority, RequestQueue, Waiter
from vcgen.engine.limits.scheduler import Scheduler


def gates(count: int, limits: Limits | None = None) -> list[EndpointLimiter]:
    each = limits or Limits(concurrency=1000)
    return [EndpointLimiter(each, Random(0)) for _ in range(count)]  # noqa: S311 - jitter


def waiter() -> Waiter:
    return asyncio.get_running_loop().create_future()


def in_loop(test: Callable[[], None]) -> None:
    async def main() -> None:
        test()

    run(main)


def taken(turns: RequestQueue, gate: EndpointLimiter, names: dict[str, Waiter]) -> list[str]:
    """Who leaves by a gate, in order, if nobody else does."""
    left = []
    while (out := turns.take(gate)) is not None:
        left += [name for name, each in names.items() if each is out]
    return left


def test_a_gate_lets_out_its_own_then_new_work_then_another_gates() -> None:
    def check() -> None:
        here, there = gates(2)
        turns, names = RequestQueue([here, there]), {}
        for name, rank, home in (
            ("spare", Priority.SPARE, None),
            ("theirs", Priority.BEGUN, there),
            ("new", Priority.NEW, None),
            ("ours", Priority.BEGUN, here),
            ("homeless", Priority.BEGUN, None),
            ("returned", Priority.RETURNED, there),
        ):
            names[name] = waiter()
            turns.join(names[name], rank, home)
        order = ["returned", "homeless", "ours", "new", "theirs", "spare"]
        assert taken(turns, here, names) == order
        assert not turns.waiting

    in_loop(check)


def test_work_whose_home_is_shut_waits_for_none() -> None:
    def check() -> None:
        here, there = gates(2)
        turns = RequestQueue([here, there])
        names = {"theirs": waiter(), "new": waiter()}
        turns.join(names["new"], Priority.NEW, None)
        turns.join(names["theirs"], Priority.BEGUN, there)
        there.dead = True
        assert taken(turns, here, names) == ["theirs", "new"]

    in_loop(check)


def test_work_whose_home_lets_nobody_out_leaves_by_another_after_some_turns() -> None:
    def check() -> None:
        here, there = gates(2)
        turns, theirs = RequestQueue([here, there]), waiter()
        turns.join(theirs, Priority.BEGUN, there)
        for _ in range(2 * PATIENCE + 1):
            turns.join(waiter(), Priority.NEW, None)
            assert turns.take(here) is not theirs
        turns.join(waiter(), Priority.NEW, None)
        assert turns.take(here) is theirs

    in_loop(check)


acts = st.lists(
    st.tuples(
        st.sampled_from(["join", "join", "take", "give up", "shut"]),
        st.sampled_from(Priority),
        st.integers(0, 2),
        st.integers(0, 2),
    ),
    max_size=200,
)


# Everybody who waits, and of work that has begun how many may still be let out before it.
Waits = dict[Waiter, tuple[Priority, int]]


def take_and_check(turns: RequestQueue, door: EndpointLimiter, waits: Waits) -> None:
    out = turns.take(door)
    if out is None:
        assert not waits
        return
    rank, _ = waits.pop(out)
    assert rank is not Priority.SPARE or all(other is rank for other, _ in waits.values())
    if rank is Priority.RETURNED:  # goes before everybody
        return
    for each, (other, may_pass) in waits.items():
        if other is Priority.BEGUN:
            assert may_pass > 0
            waits[each] = other, may_pass - 1


@settings(max_examples=100, deadline=None)
@given(acts, st.integers(1, 3), st.integers(0, 3))
def test_nobody_is_lost_and_nobody_is_passed_over_for_ever(
    acts: Sequence[tuple[str, Priority, int, int]], count: int, patience: int
) -> None:
    def check() -> None:
        doors = gates(count)
        turns = RequestQueue(doors)
        turns._patience = patience
        waits: Waits = {}
        for what, rank, at, home in acts:
            if what == "join":
                begun = sum(other is Priority.BEGUN for other, _ in waits.values())
                waits[each := waiter()] = rank, patience + 1 + begun
                turns.join(each, rank, doors[home] if home < count else None)
            elif what == "take":
                take_and_check(turns, doors[at % count], waits)
            elif what == "shut":
                doors[at % count].dead ^= True
            elif waits:
                given_up = list(waits)[at % len(waits)]
                given_up.cancel()
                del waits[given_up]
            assert turns.waiting >= len(waits)
        while waits:
            take_and_check(turns, doors[0], waits)
        assert turns.take(doors[0]) is None
        assert not turns.waiting

    in_loop(check)


@pytest.mark.parametrize(("home_s", "stays"), [(1.0, True), (1.9, True), (9.0, False)])
def test_work_stays_where_it_was_unless_replies_take_much_longer_there(
    home_s: float,
    stays: bool,  # noqa: FBT001 - a parameter
) -> None:
    async def main() -> None:
        other, home = gates(2, Limits(concurrency=10))
        admission = Scheduler([other, home])
        for gate, took_s in ((home, home_s), (other, 1.0)):
            departure = gate.let_out(1, 1, gate.charge(1, 1))
            await anyio.sleep(took_s)
            admission.leave(departure)
            gate.passed(departure, Usage())
        departures = [await admission.enter(1, 1, Priority.BEGUN, home) for _ in range(3)]
        assert all(departure.gate is home for departure in departures) == stays

    run(main)
