"""How numbers, words and moments are spread, in memory that does not grow with how many there are.

Each takes one at a time and says what it has seen as plain JSON. Pure: times are arguments.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import accumulate
from math import ceil
from typing import Any

LONGEST = 10_000  # whatever is longer counts as that long
PERCENTILES = (5, 50, 95)
_BINS = 30
_COVERED = 99  # per cent of all are in bins of their own, the rest beyond them

SHARES = 20

_KEPT = 10_000
_LONGEST_NAME = 80  # characters

MOMENTS = 200
_FINEST_S = 0.125  # widths are this times a power of two, so that they are exact
_COUNTED = ("records", "rejects", "requests", "tokens")


class Lengths:
    """Whole numbers from 0, all of them exact up to `LONGEST`."""

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()

    def add(self, length: float) -> None:
        """Take in one, rounded."""
        self._counts[min(round(length), LONGEST)] += 1

    def summary(self) -> dict[str, Any] | None:
        """How they are spread, None if there are none.

        `bins` are of `width` from 0 on, `beyond` counts those past the last bin.
        """
        if not self._counts:
            return None
        total = self._counts.total()
        covered = self._percentile(_COVERED)
        width = next(each for each in _round_numbers() if covered < each * _BINS)
        bins = [0] * (covered // width + 1)
        for length, count in self._counts.items():
            if length // width < len(bins):
                bins[length // width] += count
        return {
            "count": total,
            "mean": round(sum(each * count for each, count in self._counts.items()) / total, 2),
            "least": min(self._counts),
            "most": max(self._counts),
            "percentiles": {str(each): self._percentile(each) for each in PERCENTILES},
            "width": width,
            "bins": bins,
            "beyond": total - sum(bins),
        }

    def _percentile(self, percent: int) -> int:
        lengths = sorted(self._counts)
        least = ceil(self._counts.total() * percent / 100)
        sums = accumulate(self._counts[each] for each in lengths)
        return next(each for each, so_far in zip(lengths, sums, strict=True) if so_far >= least)


def _round_numbers() -> Iterator[int]:
    """1, 2, 5, 10, 20, 50 and so on."""
    size = 1
    while True:
        yield from (size, 2 * size, 5 * size)
        size *= 10


class Shares:
    """Numbers from 0 to 1, in `SHARES` bins."""

    def __init__(self) -> None:
        self._bins = [0] * SHARES
        self._sum = 0.0
        self._without = 0

    def add(self, share: float | None) -> None:
        """Take in one, or that there is none."""
        if share is None:
            self._without += 1
        else:
            self._bins[max(0, min(int(share * SHARES), SHARES - 1))] += 1
            self._sum += share

    def summary(self) -> dict[str, Any]:
        """How they are spread; the mean is None if there are none."""
        count = sum(self._bins)
        mean = round(self._sum / count, 4) if count else None
        return {"count": count, "without": self._without, "mean": mean, "bins": self._bins}


class Names:
    """Names and how often each is there; the rarest are forgotten where there are very many."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def add(self, name: str) -> None:
        """Take in one."""
        self._counts[name[:_LONGEST_NAME]] += 1
        if len(self._counts) > 2 * _KEPT:
            self._counts = Counter(dict(self._counts.most_common(_KEPT)))

    def summary(self, most: int = _KEPT) -> dict[str, int]:
        """The most frequent ones, the most frequent first."""
        ranked = sorted(self._counts.items(), key=lambda item: (-item[1], item[0]))
        return dict(ranked[:most])


class Timeline:
    """What was done when, in at most `MOMENTS` bins, however long it took."""

    def __init__(self) -> None:
        self._width_s = _FINEST_S
        self._bins: dict[int, Counter[str]] = {}
        self._first = self._last = datetime.min.replace(tzinfo=UTC)

    def add(self, moment: datetime, done: Mapping[str, int]) -> None:
        """Take in what was done at a moment; one without a time zone is in UTC.

        Args:
            moment: when.
            done: counts of `records`, `rejects`, `requests`, `tokens`.
        """
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        self._first = min(self._first, moment) if self._bins else moment
        self._last = max(self._last, moment) if self._bins else moment
        while self._place(self._last) - self._place(self._first) >= MOMENTS:
            self._double()
        self._bins.setdefault(self._place(moment), Counter()).update(done)

    def _place(self, moment: datetime) -> int:
        return int(moment.timestamp() // self._width_s)

    def _double(self) -> None:
        self._width_s *= 2
        narrow, self._bins = self._bins, {}
        for place, done in narrow.items():
            self._bins.setdefault(place // 2, Counter()).update(done)

    def summary(self) -> dict[str, Any] | None:
        """Counts in bins of `width_s` seconds, None if there was no moment.

        `start_s` is where the first bin begins, in Unix time.
        """
        if not self._bins:
            return None
        places = range(min(self._bins), max(self._bins) + 1)
        empty: Counter[str] = Counter()
        return {
            "first": self._first.isoformat(),
            "last": self._last.isoformat(),
            "start_s": places[0] * self._width_s,
            "width_s": self._width_s,
            **{name: [self._bins.get(each, empty)[name] for each in places] for name in _COUNTED},
        }
