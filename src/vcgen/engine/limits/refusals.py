"""Distinguish a stray refusal from a throttle.

A limit that is exceeded refuses many of the requests sent at one time. A shared or overloaded
server refuses one now and then at any rate: slowing everything down for that costs much and
changes nothing.

The decision is a sequential probability ratio test (A. Wald, 1945) over request numbers:
from a first refusal on, each refused request is evidence of a throttle, each other one of strays.

Pure: requests are known by their numbers.
"""

from dataclasses import dataclass
from math import log

# The least share of requests that a throttle refuses. A rate twice too high has half refused.
THROTTLED_SHARE = 0.4
# The share that strays are expected to have, and how far above the observed one it may lie.
STRAY_SHARE, TOLERANCE = 0.05, 2.0
# Wald's bound for one wrong verdict in a thousand suspicions.
CERTAIN = log(1000)
# Requests over which strays are counted: enough to see 1 %, few enough to follow a change.
MEMORY = 400
# Refusals above the expected number that may be chance.
CHANCE = 3


@dataclass(slots=True)
class StrayFilter:
    """Judge refusals one by one.

    Attributes:
        accounted: share of requests that is refused at any rate, as trials have shown.
        first, suspected: the first number and the count of the suspected refusals.
    """

    accounted: float = 0.0
    first: int = 0
    suspected: int = 0
    _strays: float = 0.0
    _sent: float = 0.0
    _last: int = 0
    _evidence: float = 0.0

    @property
    def share(self) -> float:
        """Share of strays among recent requests."""
        return self._strays / max(self._sent, 1.0)

    def is_stray(self, number: int) -> bool:
        """Count the refusal of request `number` at a rate that was accepted before.

        Returns:
            False once the refusals since the first suspicion prove a throttle.
        """
        before = (self._strays - self.suspected) / max(self._sent, 1.0)
        expected = min(THROTTLED_SHARE / 2, max(STRAY_SHARE, TOLERANCE * before))
        per_pass = log((1 - THROTTLED_SHARE) / (1 - expected))
        evidence = self._evidence + self._passed(number) * per_pass
        is_late = number < self.first
        self._count_sent(number)
        self._strays += 1
        if evidence <= 0:
            if is_late:
                return True  # too far from the suspected ones to belong to them
            evidence, self.suspected, self.first = 0.0, 0, number
        self._evidence = evidence + log(THROTTLED_SHARE / expected)
        self.suspected += 1
        self.first = min(self.first, number)
        if self._evidence < CERTAIN:
            return True
        self._strays = max(0.0, self._strays - self.suspected)
        self._evidence = 0.0
        return False

    def _passed(self, number: int) -> int:
        """Requests that passed since the last verdict; refusals come back in any order."""
        if number > self._last:
            return number - self._last - 1
        if number < self.first:
            return self.first - number - 1
        return -1  # was counted as one that passed

    def explains(self, refused: int, sent: int) -> bool:
        """Whether strays explain `refused` of the `sent` requests at a rate not yet accepted."""
        return self.accounted > 0 and refused <= TOLERANCE * self.accounted * sent + CHANCE

    def forget(self) -> None:
        """Start over: the refusals counted were those of a limit."""
        self._strays = self._evidence = 0.0
        self.suspected = 0

    def _count_sent(self, number: int) -> None:
        self._sent += max(0, number - self._last)
        self._last = max(self._last, number)
        if self._sent > MEMORY:
            self._sent /= 2
            self._strays /= 2
