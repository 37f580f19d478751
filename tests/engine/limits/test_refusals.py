"""Strays are told from a throttle by a sequential test over request numbers."""

from random import Random

import pytest
from hypothesis import given, settings, strategies as st

from vcgen.engine.limits.refusals import CHANCE, MEMORY, STRAY_SHARE, StrayFilter


def verdicts(share: float, refusals: int, seed: int) -> int:
    """How many of so many refusals, drawn at random, are taken for a throttle."""
    strays, random = StrayFilter(), Random(seed)  # noqa: S311 - repeatable
    wrong = number = seen = 0
    while seen < refusals:
        number += 1
        if random.random() < share:
            seen += 1
            wrong += not strays.is_stray(number)
    return wrong


@settings(max_examples=30, deadline=None, derandomize=True)  # a probability is bounded
@given(st.floats(0.01, 0.05), st.integers(0, 10**6))
def test_strays_are_hardly_ever_taken_for_a_throttle(share: float, seed: int) -> None:
    """Wald's bound is one in a thousand suspicions, and each has a refusal at least."""
    assert verdicts(share, refusals=5000, seed=seed) <= 5 + 10


def test_throttles_found_among_strays_are_one_in_thousands() -> None:
    wrong = sum(verdicts(share, 10_000, seed) for seed in range(4) for share in (0.01, 0.03, 0.05))
    assert wrong <= 120_000 / 2000


@given(st.integers(0, 3), st.integers(1, 500))
def test_half_refused_is_found_within_six_refusals(passed: int, first: int) -> None:
    """Every other request is refused, also after some strays."""
    strays, number = StrayFilter(), first
    for at in range(passed):
        number += 100 + at
        assert strays.is_stray(number)
    number += 100
    found = [not strays.is_stray(number + 2 * at) for at in range(6)]
    assert any(found)


@pytest.mark.parametrize("seed", range(20))
def test_half_refused_at_random_is_found_soon(seed: int) -> None:
    strays, random, refused = StrayFilter(), Random(seed), 0  # noqa: S311 - repeatable
    for number in range(1, 200):
        if random.random() < 0.5:
            refused += 1
            if not strays.is_stray(number):
                break
    assert refused <= 25


def test_all_refused_is_found_within_four() -> None:
    strays = StrayFilter()
    assert [strays.is_stray(number) for number in range(1, 5)] == [True, True, True, False]


@given(st.integers(1, 1000), st.integers(100, 400), st.integers(2, 60))
def test_lone_refusal_in_a_hundred_is_a_stray(first: int, gap: int, count: int) -> None:
    strays = StrayFilter()
    assert all(strays.is_stray(first + gap * at) for at in range(count))


def test_share_follows_recent_requests() -> None:
    strays = StrayFilter()
    for number in range(20, 20 * MEMORY, 20):
        strays.is_stray(number)
    assert strays.share == pytest.approx(0.05, rel=0.3)
    for number in range(20 * MEMORY, 60 * MEMORY, 200):
        strays.is_stray(number)
    assert strays.share < 0.012


@pytest.mark.parametrize("seed", range(20))
def test_flight_refused_whole_is_found_in_any_order(seed: int) -> None:
    strays, numbers = StrayFilter(), list(range(1001, 1065))
    Random(seed).shuffle(numbers)  # noqa: S311 - repeatable
    found = next(at for at, number in enumerate(numbers) if not strays.is_stray(number))
    assert found < 60


@pytest.mark.parametrize("seed", range(20))
def test_few_refused_of_a_flight_are_strays_in_any_order(seed: int) -> None:
    """Four of sixty-four come back after each other, whatever the order."""
    strays, random = StrayFilter(), Random(seed)  # noqa: S311 - repeatable
    numbers = random.sample(range(1, 65), 4)
    is_close = max(numbers) - min(numbers) < 24
    assert is_close or all(strays.is_stray(number) for number in numbers)


def test_forgotten_refusals_are_no_evidence() -> None:
    strays = StrayFilter()
    for number in range(1, 4):
        assert strays.is_stray(number)
    strays.forget()
    assert strays.share == 0
    assert strays.is_stray(4)


def test_only_strays_shown_by_a_trial_explain_refusals() -> None:
    strays = StrayFilter()
    assert not strays.explains(refused=1, sent=1000)
    strays.accounted = STRAY_SHARE
    assert strays.explains(refused=CHANCE, sent=1)
    assert strays.explains(refused=10, sent=100)
    assert not strays.explains(refused=50, sent=100)
