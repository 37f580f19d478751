"""Counters of numbers, names and moments: exact, and in memory that does not grow."""

import statistics
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, strategies as st

from vcgen.datasets.histograms import (
    LONGEST,
    TIME_BINS,
    Activity,
    Fractions,
    Histogram,
    NameCounter,
    Timeline,
)

START = datetime(2026, 1, 1, tzinfo=UTC)
ZONES = [UTC, timezone(timedelta(hours=-12)), timezone(timedelta(hours=14))]


@given(st.lists(st.integers(0, 2 * LONGEST), min_size=1))
def test_lengths_are_exact_and_all_are_in_a_bin(numbers: list[int]) -> None:
    found = Histogram()
    assert not found
    for number in numbers:
        found.add(number)
    assert found
    known = sorted(min(number, LONGEST) for number in numbers)
    assert (found.count, found.least, found.most) == (len(known), known[0], known[-1])
    assert found.mean == pytest.approx(statistics.mean(known), abs=0.01)
    for percent, value in zip((5, 50, 95), found.percentiles, strict=True):
        assert sum(each <= value for each in known) * 100 >= percent * len(known)
        assert sum(each < value for each in known) * 100 < percent * len(known)
    width, bins = found.width, found.bins
    assert len(bins) <= 30
    assert bins == [sum(each // width == place for each in known) for place in range(len(bins))]
    assert sum(each >= width * len(bins) for each in known) * 100 <= len(known)


@given(st.lists(st.none() | st.floats(0, 1)))
def test_every_share_is_in_a_bin(numbers: list[float | None]) -> None:
    found = Fractions()
    for number in numbers:
        found.add(number)
    assert found.without == numbers.count(None)
    assert sum(found.bins) == found.count == len(numbers) - found.without


def test_a_share_is_in_the_bin_of_its_size() -> None:
    fractions = Fractions()
    for fraction in (0.0, 0.049, 0.05, 0.999, 1.0):
        fractions.add(fraction)
    assert fractions.bins == [2, 1, *[0] * 17, 2]


@given(
    st.lists(
        st.tuples(st.datetimes(timezones=st.sampled_from(ZONES)), st.integers(0, 9)),
        min_size=1,
        max_size=50,
    )
)
def test_a_timeline_counts_everything_in_few_bins_in_any_order(
    done: list[tuple[datetime, int]],
) -> None:
    forth, back = Timeline(), Timeline()
    assert not forth
    for moment, count in done:
        forth.add(moment, Activity(records=1, tokens=count))
    for moment, count in reversed(done):
        back.add(moment, Activity(records=1, tokens=count))
    assert (forth.first, forth.last) == (back.first, back.last)
    assert (forth.start_s, forth.width_s) == (back.start_s, back.width_s)
    assert forth.bins == back.bins
    assert len(forth.bins) <= TIME_BINS
    assert sum(each.records for each in forth.bins) == len(done)
    assert sum(each.tokens for each in forth.bins) == sum(count for _, count in done)


def test_a_moment_is_in_the_bin_of_its_time() -> None:
    found = Timeline()
    for minute in range(60):
        found.add(START + timedelta(minutes=minute), Activity(requests=minute))
    assert found.width_s == 32
    at = START.timestamp() - found.start_s
    for minute in range(60):
        assert found.bins[int((at + 60 * minute) // 32)].requests == minute
    assert found.last == START + timedelta(minutes=59)


def test_a_time_without_a_zone_is_utc() -> None:
    found = Timeline()
    found.add(START.replace(tzinfo=None), Activity(records=1))
    found.add(START, Activity(records=1))
    assert found.bins == [Activity(records=2)]


def test_very_many_names_take_no_more_room_and_the_frequent_ones_stay() -> None:
    names = NameCounter()
    for number in range(50_000):
        names.add("what is")
        names.add(f"{number} {'x' * 1_000}")
    found = names.most_common()
    assert found["what is"] == 50_000
    assert len(found) <= 10_000
    assert max(map(len, found)) == 80
    assert names.most_common(1) == {"what is": 50_000}
