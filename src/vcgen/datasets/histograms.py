"""Distributions of numbers, names and moments, in memory that does not grow with their number.

Each takes values one at a time, and has its figures at any time. Pure: times are arguments.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import accumulate
from math import ceil
from operator import add
from typing import NamedTuple

LONGEST = 10_000  # longer ones count as this
_BINS = 30
_COVERED = 99  # per cent of all values are in bins, the rest beyond them

FRACTION_BINS = 20

_KEPT = 10_000
_LONGEST_NAME = 80  # characters

TIME_BINS = 200
_FINEST_S = 0.125  # bin widths are this times a power of two, so that they are exact


class Percentiles(NamedTuple):
    """The 5th, 50th and 95th percentile."""

    low: int
    median: int
    high: int


class Histogram:
    """A distribution of whole numbers from 0, each counted exactly up to `LONGEST`; false if empty.

    All figures but `count` need a number.
    """

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()

    def add(self, length: float) -> None:
        """Count a number, rounded."""
        self._counts[min(round(length), LONGEST)] += 1

    def __bool__(self) -> bool:
        return bool(self._counts)

    @property
    def count(self) -> int:
        """How many were counted."""
        return self._counts.total()

    @property
    def least(self) -> int:
        """The smallest number."""
        return min(self._counts)

    @property
    def most(self) -> int:
        """The largest number."""
        return max(self._counts)

    @property
    def mean(self) -> float:
        """The mean, to two digits."""
        return round(sum(length * n for length, n in self._counts.items()) / self.count, 2)

    @property
    def percentiles(self) -> Percentiles:
        """The 5th, 50th and 95th percentile."""
        return Percentiles(*map(self._percentile, (5, 50, 95)))

    @property
    def width(self) -> int:
        """The width of a bin: a round number."""
        covered = self._percentile(_COVERED)
        return next(size for size in _round_numbers() if covered < size * _BINS)

    @property
    def bins(self) -> list[int]:
        """The numbers in each bin from 0; those past `_COVERED` per cent may be beyond the last."""
        width = self.width
        bins = [0] * (self._percentile(_COVERED) // width + 1)
        for length, count in self._counts.items():
            if length // width < len(bins):
                bins[length // width] += count
        return bins

    def _percentile(self, percent: int) -> int:
        lengths = sorted(self._counts)
        least = ceil(self.count * percent / 100)
        sums = accumulate(self._counts[length] for length in lengths)
        return next(length for length, n in zip(lengths, sums, strict=True) if n >= least)


def _round_numbers() -> Iterator[int]:
    """Yield 1, 2, 5, 10, 20, 50 and so on."""
    size = 1
    while True:
        yield from (size, 2 * size, 5 * size)
        size *= 10


class Fractions:
    """A distribution of numbers from 0 to 1, in `FRACTION_BINS` bins of equal width.

    Attributes:
        without: how many had no number.
    """

    def __init__(self) -> None:
        self.without = 0
        self.bins = [0] * FRACTION_BINS
        self._sum = 0.0

    def add(self, fraction: float | None) -> None:
        """Count a number, or its absence."""
        if fraction is None:
            self.without += 1
        else:
            self.bins[max(0, min(int(fraction * FRACTION_BINS), FRACTION_BINS - 1))] += 1
            self._sum += fraction

    @property
    def count(self) -> int:
        """How many had a number."""
        return sum(self.bins)

    @property
    def mean(self) -> float | None:
        """The mean, None if none had a number."""
        return round(self._sum / self.count, 4) if self.count else None


class NameCounter:
    """Counts names; forgets the rarest ones if there are very many."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def add(self, name: str) -> None:
        """Count a name."""
        self._counts[name[:_LONGEST_NAME]] += 1
        if len(self._counts) > 2 * _KEPT:
            self._counts = Counter(dict(self._counts.most_common(_KEPT)))

    def most_common(self, most: int = _KEPT) -> dict[str, int]:
        """Return the most frequent names in order, equally frequent ones alphabetically."""
        ranked = sorted(self._counts.items(), key=lambda item: (-item[1], item[0]))
        return dict(ranked[:most])


class Activity(NamedTuple):
    """Amounts at a moment, or in a bin of time."""

    records: int = 0
    rejects: int = 0
    requests: int = 0
    tokens: int = 0


class Timeline:
    """Sums of activity in at most `TIME_BINS` bins, however long it lasts; false if empty.

    Attributes:
        first, last: moments.
        width_s: of a bin.
    """

    def __init__(self) -> None:
        self.width_s = _FINEST_S
        self.first = self.last = datetime.min.replace(tzinfo=UTC)
        self._bins: dict[int, Activity] = {}

    def add(self, moment: datetime, activity: Activity) -> None:
        """Add activity at a moment; one without a time zone is in UTC."""
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        self.first = min(self.first, moment) if self._bins else moment
        self.last = max(self.last, moment) if self._bins else moment
        while self._number(self.last) - self._number(self.first) >= TIME_BINS:
            self.width_s *= 2
            narrow, self._bins = self._bins, {}
            for number, sums in narrow.items():
                self._add(number // 2, sums)
        self._add(self._number(moment), activity)

    def _add(self, number: int, activity: Activity) -> None:
        before = self._bins.get(number, Activity())
        self._bins[number] = Activity(*map(add, before, activity))

    def _number(self, moment: datetime) -> int:
        return int(moment.timestamp() // self.width_s)

    def __bool__(self) -> bool:
        return bool(self._bins)

    @property
    def length_s(self) -> float:
        """Seconds between the first and the last moment."""
        return (self.last - self.first).total_seconds()

    @property
    def start_s(self) -> float:
        """Where the first bin begins, in Unix time."""
        return min(self._bins) * self.width_s

    @property
    def bins(self) -> list[Activity]:
        """The activity of each bin from the first to the last moment."""
        numbers = range(min(self._bins), max(self._bins) + 1)
        return [self._bins.get(number, Activity()) for number in numbers]
