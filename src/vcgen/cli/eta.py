"""Pace and end of a run, from how its counters grew over the last minute. Time is an argument."""

from collections import deque
from statistics import linear_regression
from typing import NamedTuple

from vcgen.engine.limits.bottleneck import BottleneckTimes
from vcgen.pipeline.progress import Progress

MINUTE_S = 60.0
LATE_S = 0.2  # a look this late still counts as one of the minute


class Look(NamedTuple):
    """The counters of a run at a time."""

    at: float
    outcomes: int = 0
    requests: int = 0
    tokens: int = 0
    limiting: BottleneckTimes = BottleneckTimes()


class Window:
    """The looks of the last minute, and at least two."""

    def __init__(self) -> None:
        self._looks: deque[Look] = deque()

    def add(self, look: Look) -> None:
        """Add the newest look."""
        self._looks.append(look)
        while look.at - self._looks[0].at > MINUTE_S + LATE_S and len(self._looks) > 2:
            self._looks.popleft()

    @property
    def growth(self) -> Look:
        """The last look less the first; `at` is the time between them."""
        first, last = self._looks[0], self._looks[-1]
        return Look(
            last.at - first.at,
            last.outcomes - first.outcomes,
            last.requests - first.requests,
            last.tokens - first.tokens,
            last.limiting - first.limiting,
        )

    @property
    def pace(self) -> float:
        """Outcomes per second since the first outcome; 0 if that is not known."""
        return self._line()[0]

    def end(self, expected: float) -> float | None:
        """The time when all expected outcomes will be there; None without a pace."""
        pace, at_zero = self._line()
        return (expected - at_zero) / pace if pace > 0 else None

    def _line(self) -> tuple[float, float]:
        """Slope and intercept of outcomes over time: clips end in waves, a line averages them."""
        points = [(look.at, look.outcomes) for look in self._looks if look.outcomes]
        if len(points) < 2:
            return 0.0, 0.0
        return linear_regression(*zip(*points, strict=True))


def expected_samples(progress: Progress, rows: int, tasks: int) -> int:
    """Samples of an input, if its rest has as many invalid rows as the part read so far.

    An invalid row is one reject; a clip is one sample a task.
    """
    invalid = progress.refused * rows / progress.clips if progress.clips else 0.0
    return round(rows * tasks - invalid * (tasks - 1))
