"""Slots of an endpoint: taken, freed, given or searched for."""

import pytest

from tests.support.permits import permit
from vcgen.engine.chat import Usage
from vcgen.engine.config import Limits
from vcgen.engine.limits.concurrency import HEDGE_FROM, Concurrency
from vcgen.engine.limits.concurrency_search import FIRST
from vcgen.engine.limits.permit import Abandoned, Completed, Failed, Outcome


@pytest.mark.parametrize(
    "outcome", [Completed(Usage()), Failed(has_replied=True), Abandoned()], ids=repr
)
def test_slot_is_free_again_whatever_the_outcome(outcome: Outcome) -> None:
    slots = Concurrency(Limits(concurrency=1), most=100)
    assert slots.has_room
    slots.on_acquire(permit(0.0), 0.0)
    assert not slots.has_room
    slots.on_release(permit(0.0), outcome, 1.0)
    assert (slots.in_flight, slots.has_room) == (0, True)


def test_hedge_leaves_a_tenth_of_the_slots_free() -> None:
    slots = Concurrency(Limits(concurrency=20), most=100)
    while slots.has_spare_room:
        slots.on_acquire(permit(0.0), 0.0)
    assert slots.in_flight == HEDGE_FROM * 20


def test_given_number_is_not_searched_for() -> None:
    slots = Concurrency(Limits(concurrency=5), most=100)
    for at in range(100):
        slots.on_acquire(permit(at), at)
        slots.on_release(permit(at), Completed(Usage()), at + 1)
    assert (slots.allowed, slots.is_searched, slots.may_grow_by) == (5, False, 0)


def test_unknown_number_grows_while_answers_come() -> None:
    slots, now = Concurrency(Limits(), most=20), 0.0
    assert (slots.allowed, slots.may_grow_by) == (FIRST, FIRST)
    for _ in range(50):
        sent = [permit(now) for _ in range(slots.allowed)]
        for each in sent:
            slots.on_acquire(each, now)
        now += 1
        for each in sent:
            slots.on_release(each, Completed(Usage()), now)
    assert slots.allowed == 20


def test_fixed_number_ends_the_search() -> None:
    slots = Concurrency(Limits(), most=20)
    slots.fix(3)
    assert (slots.allowed, slots.is_searched, slots.may_grow_by) == (3, False, 0)
