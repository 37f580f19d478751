"""Slots of an endpoint: taken, freed, given or searched for."""

import pytest

from tests.support.permits import permit
from vcgen.engine.chat import Usage
from vcgen.engine.config import Limits
from vcgen.engine.limits.concurrency import HEDGE_FROM, REGROWTH, Concurrency
from vcgen.engine.limits.concurrency_search import FIRST
from vcgen.engine.limits.permit import (
    Abandoned,
    Completed,
    Failed,
    Outcome,
    Starved,
)


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


def taken(slots: Concurrency, count: int) -> None:
    for _ in range(count):
        slots.on_acquire(permit(0.0), 0.0)


def test_given_number_is_bounded_by_the_connections_there_can_be() -> None:
    slots = Concurrency(Limits(concurrency=500), most=100)
    assert slots.allowed == 100
    slots.fix(700)
    assert slots.allowed == 100


def test_want_of_descriptors_leaves_the_slots_that_have_one() -> None:
    """Three of ten find no connection: seven are in flight from then on, and slowly more."""
    slots = Concurrency(Limits(concurrency=10), most=100)
    taken(slots, 10)
    for _ in range(3):
        slots.on_release(permit(0.0), Starved(), 1.0)
    assert (slots.allowed, slots.in_flight) == (7, 7)
    completions = round(3 / REGROWTH)
    for done in range(1, completions + 1):
        slots.on_release(permit(0.0), Completed(Usage()), 2.0)
        taken(slots, 1)
        assert slots.allowed == min(10, 7 + int(done * REGROWTH))
    assert slots.allowed == 10


def test_want_of_descriptors_takes_one_slot_where_others_have_just_been_freed() -> None:
    """Connections that are kept from requests that have come back are open as well."""
    slots = Concurrency(Limits(concurrency=10), most=100)
    taken(slots, 10)
    for _ in range(9):
        slots.on_release(permit(0.0), Completed(Usage()), 1.0)
    slots.on_release(permit(0.0), Starved(), 1.0)
    assert slots.allowed == 9


def test_time_without_any_connection_is_known() -> None:
    slots = Concurrency(Limits(concurrency=10), most=100)
    taken(slots, 2)
    slots.on_release(permit(0.0), Starved(), 1.0)
    assert slots.starved_s(5.0) == 0  # another request is in flight
    slots.on_release(permit(0.0), Starved(), 2.0)
    assert slots.starved_s(5.0) == 3
    taken(slots, 1)
    slots.on_release(permit(0.0), Completed(Usage()), 6.0)
    assert slots.starved_s(7.0) == 0
