"""The search for a rate: within its bounds, one cut a flight, up again where nothing is refused."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

import pytest
from hypothesis import given, settings, strategies as st

from vcgen.engine.limits.rate_search import (
    CALM_REQUESTS,
    CALM_S,
    FEW,
    LEAST_FRACTION,
    LOST_REQUESTS,
    MANY,
    MARGIN,
    RateController,
    Refusal,
)
from vcgen.engine.limits.refusals import StrayFilter


class Event(NamedTuple):
    """Some requests leave, some time passes, one of those sent comes back."""

    sent: int
    later_s: float
    is_refused: bool
    sent_since: int
    accepted: float | None
    wait_s: float
    is_exhausted: bool


EVENTS = st.lists(
    st.builds(
        Event,
        st.integers(0, 5),
        st.floats(0, 20),
        st.booleans(),
        st.integers(0, 30),
        st.sampled_from([None, 0.0, 0.2, 1.5]),
        st.sampled_from([0.0, 1.0, 30.0]),
        st.booleans(),
    ),
    max_size=200,
)


@dataclass
class World:
    """A search, the requests sent so far, and the time."""

    search: RateController
    sent: int = 0
    now: float = 0.0

    def live(self, events: list[Event]) -> None:
        for event in events:
            self.sent += event.sent + 1
            self.now += event.later_s
            number = max(1, self.sent - event.sent_since)
            if event.is_refused:
                refusal = Refusal(number, event.wait_s, event.is_exhausted)
                self.search.refuse(refusal, self.sent, self.now, event.accepted)
            else:
                self.search.succeed(number, self.sent, self.now, event.accepted, is_busy=True)

    def calm(self, seconds: float, *, is_busy: bool = True) -> Iterator[float]:
        """The fractions after each of many successes, ten a second."""
        for _ in range(int(seconds * 10)):
            self.sent += 1
            self.now += 0.1
            fraction = self.search.fraction
            self.search.succeed(self.sent, self.sent, self.now, fraction, is_busy=is_busy)
            yield self.search.fraction

    def refuse(self, count: int, *, of: int) -> None:
        """Refuse the last `count` of a flight of `of` requests, for certain."""
        self.sent += of
        for number in range(self.sent - count + 1, self.sent + 1):
            refuse(self.search, number, self.sent, self.now)


def refuse(
    search: RateController,
    number: int,
    sent: int,
    now: float,
    accepted: float | None = None,
    wait_s: float = 0.0,
) -> bool:
    return search.refuse(Refusal(number, wait_s, is_exhausted=True), sent, now, accepted)


@given(EVENTS, st.sampled_from([1.0, float("inf")]))
def test_the_share_stays_within_its_bounds(events: list[Event], most: float) -> None:
    world = World(RateController(most=most))
    for event in events:
        world.live([event])
        assert LEAST_FRACTION <= world.search.fraction <= most
        assert 0 <= world.search.early <= 1


@given(EVENTS)
def test_whole_rate_is_used_once_nothing_is_refused(
    events: list[Event],
) -> None:
    world = World(RateController())
    world.live(events)
    for share in world.calm(1500):
        if share == 1.0:
            return
    pytest.fail(f"still at {world.search}")


@given(st.integers(1, 200), st.integers(0, 1000), st.randoms())
def test_one_flight_cuts_once_to_what_was_accepted_of_it(
    refused: int, accepted: int, random: Random
) -> None:
    flight = refused + accepted
    numbers = [1, *random.sample(range(2, flight + 1), refused - 1)]
    search = RateController()
    for number in numbers:
        refuse(search, number, flight, 1.0)
    if not accepted:
        assert search.fraction >= 1 / (FEW + refused)  # all were refused: that says little
    else:
        expected = max(accepted / flight - MARGIN, FEW / (FEW + refused))
        assert search.fraction == pytest.approx(max(LEAST_FRACTION, expected))


def test_what_left_before_the_last_flight_cuts_nothing() -> None:
    world = World(RateController())
    world.refuse(3, of=10)
    world.refuse(3, of=10)
    before = world.search.fraction
    for number in range(1, 11):
        refuse(world.search, number, world.sent, world.now)
    assert world.search.fraction == before


def test_growth_that_is_refused_goes_back_to_what_was_good() -> None:
    world = World(RateController(0.5))
    shares = list(world.calm(3 * CALM_S))
    good, top = sorted(set(shares))[-2:]
    assert world.search.fraction == top
    world.refuse(20, of=20)
    assert world.search.fraction == good == world.search.good
    world.refuse(1, of=2)
    assert world.search.fraction < good
    assert world.search.good is None


def test_growth_is_tried_later_the_more_requests_were_wasted() -> None:
    waited = []
    for wasted in (1, 10):
        world = World(RateController(0.5))
        list(world.calm(3 * CALM_S))
        world.refuse(wasted, of=10)
        before, since = world.search.fraction, world.now
        while not world.search.early:
            next(world.calm(0.1))
        assert world.search.fraction == before
        waited.append(world.now - since)
        list(world.calm(CALM_S + 1))
        assert world.search.fraction > before
        assert not world.search.early
    assert 10 < waited[0] < waited[1] < 200


def test_an_early_request_that_is_refused_costs_no_rate() -> None:
    world = World(RateController(0.5))
    list(world.calm(3 * CALM_S))
    world.refuse(1, of=10)
    while not world.search.early:
        next(world.calm(0.1))
    before = world.search.fraction
    world.refuse(1, of=1)
    assert world.search.fraction == before == world.search.good
    assert not world.search.early


def test_rate_that_is_not_the_bottleneck_does_not_grow() -> None:
    world = World(RateController(0.5))
    assert set(world.calm(100, is_busy=False)) == {0.5}


def test_a_few_successes_prove_nothing() -> None:
    search = RateController(0.5)
    for left in range(1, CALM_REQUESTS):
        assert not search.succeed(left, left, 100.0 * left, None, is_busy=True)
    assert search.good is None


def test_a_closed_window_cuts_to_what_the_last_minute_accepted() -> None:
    search = RateController()
    for number in range(601, 601 + LOST_REQUESTS):
        refuse(search, number, 610, 30.0, 0.5)
    assert search.fraction == 0.5
    assert search.is_windowed


def test_a_long_wait_tells_a_window_from_one_refusal() -> None:
    search = RateController()
    refuse(search, 601, 601, 6.0, 0.1, wait_s=54.0)
    assert search.fraction == pytest.approx(0.1)


def test_endpoint_that_refuses_everything_is_not_slowed_down() -> None:
    search = RateController()
    refuse(search, 5, 10, 1.0, 1.0)
    before = search.fraction
    for number in range(11, 100):
        refuse(search, number, number, 30.0 * number, 0.0)
    assert search.fraction == before


def test_a_guess_may_be_too_low() -> None:
    world = World(RateController.of_a_guess(1.0, StrayFilter(), sent=0, now=0.0))
    assert max(world.calm(12 * CALM_S)) > 100


@pytest.mark.parametrize(("part", "least"), [(0.01, 0.9), (0.05, 0.9), (0.2, 0.9)])
@pytest.mark.parametrize("seed", range(3))
def test_refusals_that_a_lower_rate_leaves_cost_no_rate(
    part: float, least: float, seed: int
) -> None:
    """Refused at random whatever the rate; the last quarter is judged."""
    world, random = World(RateController()), Random(seed)  # noqa: S311 - repeatable
    fractions = []
    for _ in range(20_000):
        world.sent += 1
        world.now += 0.1 / world.search.fraction
        if random.random() < part:
            world.search.refuse(Refusal(world.sent), world.sent, world.now, None)
        else:
            world.search.succeed(world.sent, world.sent, world.now, None, is_busy=True)
        fractions.append(world.search.fraction)
    assert sum(fractions[-5000:]) / 5000 > least


def test_trial_without_refusals_proves_the_lower_rate() -> None:
    world = World(RateController())
    for _ in range(MANY):
        world.sent += 20
        assert world.search.refuse(Refusal(world.sent), world.sent, world.now, None)
    lower = world.search.fraction
    assert lower < 1
    proven = [fraction for fraction in world.calm(60) if fraction == lower == world.search.good]
    assert proven


def test_trial_that_is_refused_as_before_ends_at_the_full_rate() -> None:
    world = World(RateController())
    while world.search.fraction == 1:
        world.sent += 20
        world.search.refuse(Refusal(world.sent), world.sent, world.now, None)
    while world.search.fraction < 1:
        world.sent += 20
        assert world.search.refuse(Refusal(world.sent), world.sent, world.now, None)
    assert world.sent < 20 * 3 * MANY
    assert world.search.good == 1


@settings(max_examples=20, deadline=None, derandomize=True)  # a bound that was measured
@given(st.floats(0.1, 0.95), st.integers(1, 50))
def test_the_most_that_an_endpoint_accepts_is_found(limit: float, burst: int) -> None:
    """A bucket that refuses at once what it has no room for, asked for half an hour."""
    world, room, wasted, granted = World(RateController()), float(burst), 0, 0
    early = 0.0
    while world.now < 1800:
        gap_s, early = (1 - early) * 0.1 / world.search.fraction, 0.0
        world.sent += 1
        world.now += gap_s
        room = min(burst, room + gap_s * limit * 10)
        if room >= 1 - 1e-9:
            room, granted = room - 1, granted + 1
            if world.search.succeed(world.sent, world.sent, world.now, None, is_busy=True):
                early = world.search.early
            continue
        wasted += 1
        if not world.search.refuse(Refusal(world.sent), world.sent, world.now, None):
            world.now += 1.0
            room = min(burst, room + limit * 10)
    assert wasted < 0.05 * granted
    assert granted > 0.85 * limit * 10 * 1800
