"""The search for a rate: within its bounds, one cut a flight, up again where nothing is refused."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

import pytest
from hypothesis import given, settings, strategies as st

from vcgen.engine.limits.rate_search import (
    CALM_REQUESTS,
    CALM_S,
    FEW,
    LEAST_SHARE,
    LOST_REQUESTS,
    MARGIN,
    RateController,
)

EVENTS = st.lists(
    st.tuples(
        st.integers(0, 5),  # requests that leave
        st.floats(0, 20),  # seconds that pass
        st.booleans(),  # one comes back refused, else one succeeds
        st.integers(0, 30),  # how many have left since it did
        st.sampled_from([None, 0.0, 0.2, 1.5]),  # what the last minute accepted
        st.sampled_from([0.0, 1.0, 30.0]),  # the endpoint's hint
    ),
    max_size=200,
)


@dataclass
class World:
    """Where a share is: how many requests have left, and when it is."""

    share: RateController
    left: int = 0
    now: float = 0.0

    def live(self, events: list[tuple[int, float, bool, int, float | None, float]]) -> None:
        for leave, later, is_refused, ago, accepted, wait_s in events:
            self.left += leave + 1
            self.now += later
            if is_refused:
                number = max(1, self.left - ago)
                self.share.throttled(number, self.left, self.now, accepted, wait_s)
            else:
                self.share.passed(self.left, self.now, accepted, busy=True)

    def calm(self, seconds: float, *, busy: bool = True) -> Iterator[float]:
        """The shares after each of many successes, ten a second."""
        for _ in range(int(seconds * 10)):
            self.left += 1
            self.now += 0.1
            self.share.passed(self.left, self.now, self.share.share, busy=busy)
            yield self.share.share

    def refuse(self, count: int, *, of: int) -> None:
        """So many of a flight come back refused, the last ones that left."""
        self.left += of
        for number in range(self.left - count + 1, self.left + 1):
            self.share.throttled(number, self.left, self.now, None)


@given(EVENTS, st.sampled_from([1.0, float("inf")]))
def test_the_share_stays_within_its_bounds(events: list[tuple], most: float) -> None:  # type: ignore[type-arg]
    world = World(RateController(most=most))
    for event in events:
        world.live([event])
        assert LEAST_SHARE <= world.share.share <= most
        assert 0 <= world.share.early <= 1


@given(EVENTS)
def test_where_nothing_is_refused_any_more_the_whole_rate_is_used_in_the_end(
    events: list[tuple],  # type: ignore[type-arg]
) -> None:
    world = World(RateController())
    world.live(events)
    for share in world.calm(1500):
        if share == 1.0:
            return
    pytest.fail(f"still at {world.share}")


@given(st.integers(1, 200), st.integers(0, 1000), st.randoms())
def test_one_flight_cuts_once_to_what_was_accepted_of_it(
    refused: int, accepted: int, random: Random
) -> None:
    flight = refused + accepted
    numbers = [1, *random.sample(range(2, flight + 1), refused - 1)]
    share = RateController()
    for number in numbers:
        share.throttled(number, flight, 1.0, None)
    if not accepted:
        assert share.share >= 1 / (FEW + refused)  # all were refused: that says little
    else:
        expected = max(accepted / flight - MARGIN, FEW / (FEW + refused))
        assert share.share == pytest.approx(max(LEAST_SHARE, expected))


def test_what_left_before_the_last_flight_cuts_nothing() -> None:
    world = World(RateController())
    world.refuse(3, of=10)
    world.refuse(3, of=10)
    before = world.share.share
    for number in range(1, 11):
        world.share.throttled(number, world.left, world.now, None)
    assert world.share.share == before


def test_growth_that_is_refused_goes_back_to_what_was_good() -> None:
    world = World(RateController(0.5))
    shares = list(world.calm(3 * CALM_S))
    good, top = sorted(set(shares))[-2:]
    assert world.share.share == top
    world.refuse(20, of=20)
    assert world.share.share == good == world.share.good
    world.refuse(1, of=2)
    assert world.share.share < good
    assert world.share.good is None


def test_growth_is_tried_again_by_one_early_request_and_the_later_the_more_was_wasted() -> None:
    waited = []
    for wasted in (1, 10):
        world = World(RateController(0.5))
        list(world.calm(3 * CALM_S))
        world.refuse(wasted, of=10)
        before, since = world.share.share, world.now
        while not world.share.early:
            next(world.calm(0.1))
        assert world.share.share == before
        waited.append(world.now - since)
        list(world.calm(CALM_S + 1))
        assert world.share.share > before
        assert not world.share.early
    assert 10 < waited[0] < waited[1] < 200


def test_an_early_request_that_is_refused_costs_no_rate() -> None:
    world = World(RateController(0.5))
    list(world.calm(3 * CALM_S))
    world.refuse(1, of=10)
    while not world.share.early:
        next(world.calm(0.1))
    before = world.share.share
    world.refuse(1, of=1)
    assert world.share.share == before == world.share.good
    assert not world.share.early


def test_a_rate_that_is_not_what_keeps_requests_waiting_does_not_grow() -> None:
    world = World(RateController(0.5))
    assert set(world.calm(100, busy=False)) == {0.5}


def test_a_few_successes_prove_nothing() -> None:
    share = RateController(0.5)
    for left in range(1, CALM_REQUESTS):
        assert not share.passed(left, 100.0 * left, None, busy=True)
    assert share.good is None


def test_a_closed_window_cuts_to_what_the_last_minute_accepted() -> None:
    share = RateController()
    for number in range(601, 601 + LOST_REQUESTS):
        share.throttled(number, 610, 30.0, 0.5)
    assert share.share == 0.5
    assert share.is_windowed


def test_a_long_wait_tells_a_window_from_one_refusal() -> None:
    share = RateController()
    share.throttled(601, 601, 6.0, 0.1, wait_s=54.0)
    assert share.share == pytest.approx(0.1)


def test_an_endpoint_that_refuses_everything_is_not_slowed_down_for_it() -> None:
    share = RateController()
    share.throttled(5, 10, 1.0, 1.0)
    before = share.share
    for number in range(11, 100):
        share.throttled(number, number, 30.0 * number, 0.0)
    assert share.share == before


def test_a_guess_may_be_too_low() -> None:
    world = World(RateController.of_a_guess(1.0, left=0, now=0.0))
    assert max(world.calm(12 * CALM_S)) > 100


@pytest.mark.parametrize("part", [0.05, 0.2, 0.5])
def test_throttling_that_less_rate_does_not_lessen_is_put_up_with(part: float) -> None:
    world, random, refused = World(RateController()), Random(1), 0  # noqa: S311 - repeatable
    shares = []
    for _ in range(20_000):
        world.left += 1
        world.now += 0.1 / world.share.share
        if random.random() < part:
            refused += 1
            world.share.throttled(world.left, world.left, world.now, None)
        else:
            world.share.passed(world.left, world.now, None, busy=True)
        shares.append(world.share.share)
    assert refused > 0.9 * part * 20_000
    assert sorted(shares[-5000:])[500] > 0.9


@settings(max_examples=20, deadline=None, derandomize=True)  # a bound that was measured
@given(st.floats(0.1, 0.95), st.integers(1, 50))
def test_the_most_that_an_endpoint_accepts_is_found(limit: float, burst: int) -> None:
    """A bucket that refuses at once what it has no room for, asked for half an hour."""
    world, room, wasted, granted = World(RateController()), float(burst), 0, 0
    early = 0.0
    while world.now < 1800:
        gap_s, early = (1 - early) * 0.1 / world.share.share, 0.0
        world.left += 1
        world.now += gap_s
        room = min(burst, room + gap_s * limit * 10)
        if room >= 1 - 1e-9:
            room, granted = room - 1, granted + 1
            if world.share.passed(world.left, world.now, None, busy=True):
                early = world.share.early
        else:
            wasted += 1
            world.share.throttled(world.left, world.left, world.now, None)
            world.now += 1.0
            room = min(burst, room + limit * 10)
    assert wasted < 0.05 * granted
    assert granted > 0.85 * limit * 10 * 1800
