"""Windows of one limit each: the amount counted, and the wait for more. Time is an argument.

The guarantee of each, for a limit per minute:

    SlidingWindow    no 60 s hold more
    FixedWindow      no minute of the clock holds more; two bursts may meet at the boundary
    RefillingBucket  no t seconds hold more than a full bucket and the refill of t seconds;
                     without a bucket, the next amount waits until the last one is refilled

A client that keeps exactly to the rate is never refused.
"""

import math
from collections import deque
from dataclasses import dataclass, field
from typing import Protocol

WINDOW_S = 60.0
# Sums of fractions are off by less than this.
_SLACK_S = 1e-7


class RateWindow(Protocol):
    """Counts the amounts of one limit.

    Attributes:
        limit: per minute; may be changed at any time.
    """

    limit: int

    def wait_s(self, amount: int, now: float) -> float:
        """Seconds until `amount` would fit, 0 if it fits now, infinite if it never will."""

    def take(self, amount: int, now: float) -> None:
        """Count `amount` at this time."""

    def usage(self, now: float) -> tuple[int, float]:
        """The amount counted, and the seconds until none of it counts."""


@dataclass(slots=True)
class SlidingWindow:
    """At most `limit` in any 60 s."""

    limit: int
    _used: int = 0
    _taken: deque[tuple[float, int]] = field(default_factory=deque)

    def wait_s(self, amount: int, now: float) -> float:
        self._forget(now)
        if amount > self.limit:
            return math.inf
        excess, wait = self._used + amount - self.limit, 0.0
        for taken_at, taken in self._taken:
            if excess <= 0:
                break
            excess, wait = excess - taken, taken_at + WINDOW_S - now
        return wait

    def take(self, amount: int, now: float) -> None:
        self._taken.append((now, amount))
        self._used += amount

    def usage(self, now: float) -> tuple[int, float]:
        self._forget(now)
        return self._used, self._taken[-1][0] + WINDOW_S - now if self._taken else 0.0

    def _forget(self, now: float) -> None:
        while self._taken and self._taken[0][0] <= now - WINDOW_S + _SLACK_S:
            self._used -= self._taken.popleft()[1]


@dataclass(slots=True)
class FixedWindow:
    """At most `limit` in each minute of the clock."""

    limit: int
    _used: int = 0
    _minute: float = -math.inf

    def wait_s(self, amount: int, now: float) -> float:
        used, reset_s = self.usage(now)
        if amount > self.limit:
            return math.inf
        return reset_s if used + amount > self.limit else 0.0

    def take(self, amount: int, now: float) -> None:
        used, _ = self.usage(now)
        self._minute, self._used = _minute(now), used + amount

    def usage(self, now: float) -> tuple[int, float]:
        minute = _minute(now)
        if minute > self._minute:
            return 0, 0.0
        return self._used, (minute + 1) * WINDOW_S - now


def _minute(now: float) -> int:
    return math.floor((now + _SLACK_S) / WINDOW_S)


@dataclass(slots=True)
class RefillingBucket:
    """A bucket of tokens that refills evenly; its content may be spent at once.

    Counted in seconds of refill, so that a change of the limit keeps the bucket's fill level. An
    amount larger than the bucket needs a full one, and the next amount waits longer.

    Attributes:
        burst_s: size of the bucket in seconds of refill; 0 spaces requests evenly.
    """

    limit: int
    burst_s: float
    _full_at: float = -math.inf

    def wait_s(self, amount: int, now: float) -> float:
        if amount > self.limit:
            return math.inf
        room_s = max(0.0, self.burst_s - amount * WINDOW_S / self.limit)
        wait = self._full_at - room_s - now
        return wait if wait > _SLACK_S else 0.0

    def take(self, amount: int, now: float) -> None:
        refill_s = amount * WINDOW_S / self.limit
        # Drop the remainder that the slack let through, or it would add up.
        latest = now + max(self.burst_s, refill_s)
        self._full_at = min(max(self._full_at, now) + refill_s, latest)

    def usage(self, now: float) -> tuple[int, float]:
        reset_s = max(0.0, self._full_at - now)
        return math.ceil(reset_s * self.limit / WINDOW_S - _SLACK_S), reset_s
