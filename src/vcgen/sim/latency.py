"""Latencies of the simulated endpoint.

The seed and the running number of a request decide its latency, so that a repeated run draws the
same ones, and a second copy of a request draws its own.
"""

import math
from dataclasses import dataclass
from hashlib import blake2b
from heapq import heappush, heapreplace
from struct import unpack

from vcgen.errors import UsageError
from vcgen.sim.limits import require_seconds


@dataclass(frozen=True, slots=True)
class Latency:
    """The distribution of latencies: lognormal, with stragglers.

    Attributes:
        median_s: of the distribution.
        sigma: of the logarithm; 0 is a constant.
        straggler_share: the fraction of requests, 0 to 1, with `straggler_times` the latency.

    Raises:
        UsageError: a negative number, or a share over 1.
    """

    median_s: float = 0.0
    sigma: float = 0.0
    straggler_share: float = 0.0
    straggler_times: float = 20.0

    def __post_init__(self) -> None:
        require_seconds("the latency", self.median_s)
        for name in ("sigma", "straggler_times"):
            if not 0 <= (number := getattr(self, name)) < math.inf:
                raise UsageError(f"sim: {name} is {number}, not 0 or more")
        if not 0 <= self.straggler_share <= 1:
            raise UsageError(f"sim: straggler_share is {self.straggler_share}, not 0 to 1")

    def draw(self, seed: int, number: int) -> float:
        """Draw the seconds that the request with that running number takes."""
        if not (self.sigma or self.straggler_share):
            return self.median_s
        digest = blake2b(b"%d/%d" % (seed, number), digest_size=24, person=b"latency").digest()
        first, second, third = ((drawn + 0.5) / 2**64 for drawn in unpack("<3Q", digest))
        normal = math.sqrt(-2 * math.log(first)) * math.cos(2 * math.pi * second)
        times = self.straggler_times if third < self.straggler_share else 1.0
        return self.median_s * math.exp(self.sigma * normal) * times


class Slots:
    """A server that processes a fixed number of requests at once; others queue in order.

    A request is processed even if its sender gives up. A change of the number of slots does not
    change the times of requests in the queue.
    """

    def __init__(self, count: int) -> None:
        self._given = count
        self._free_at = [-math.inf] * count

    def serve(self, service_s: float, now: float) -> float:
        """Seconds until a request that arrives now is done."""
        done_at = max(now, self._free_at[0]) + service_s
        heapreplace(self._free_at, done_at)
        return done_at - now

    def scale(self, times: float, now: float) -> None:
        """Change the number of slots to `times` the first number, at least one."""
        count = max(1, round(self._given * times))
        # Slots that go finish their work first, so the next starts when the last `count` allow it.
        self._free_at = sorted(self._free_at)[-count:]
        for _ in range(count - len(self._free_at)):
            heappush(self._free_at, now)
