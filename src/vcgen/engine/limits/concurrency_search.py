"""Search for the number of requests to keep in flight, from the latency of replies alone.

A server with N slots never refuses: above N requests latency grows and throughput does not. The
search compares whole rounds, because single latencies vary by a factor of ten on real servers.

| state    | limit                | measured                         | left for               |
|----------|----------------------|----------------------------------|------------------------|
| doubling | grows by 1 a reply,  | duration of this doubling over   | settling, once `SLOW`  |
|          | so doubles a round   | that of the one before           |                        |
| settling | fixed                | replies of the old level         | low or high            |
| low      | L                    | mean latency of a round          | high                   |
| high     | `RATIO` L            | served share of added requests,  | low, at an L moved by  |
|          |                      | by Little's law                  | share minus `AIM`      |

The added requests were all served if the latency is the same at both levels, and none was if it
grew in proportion to the level. `AIM` keeps the low level just below the point of saturation. A
round in which the caller sent too little counts for nothing.

Pure: time is an argument. The constants are fitted to the servers of `python -m benchmarks knee`.
"""

from math import inf, log, log2, sqrt

FIRST = 8  # a server of one slot answers these one after another
MOST = 10_000
FULL = 0.8  # of the limit; with fewer requests the caller is the bottleneck

# A doubling is slow if it takes this many times as long as the one before; more by chance after few
# replies (the second divided by the square root of their number).
SLOW, BY_CHANCE = 1.35, 1.6
ENOUGH = 16  # replies
# Share of a doubling's replies that answer requests sent in it. Without a queue the quick ones do.
FRESH = 1 / 8

RATIO = 1.4  # of the levels: less drowns in the noise, more is felt as latency
SETTLED = 1.5  # rounds until replies are those of the level
LEAST_ROUND = 64  # replies
HIGH_ROUNDS = 2  # the high level loses no throughput, so it is measured longer
LONG = 4.0  # times the last level's mean: an outlier counts for no more
AIM, CLIMB = 0.05, 0.6  # shares of added requests served: at saturation, and far below it
UP, DOWN = 0.8, 4.0  # levels to move for a share of 1 above or below `AIM`


class ConcurrencyController:
    """The limit of requests in flight of one endpoint.

    Args:
        most: bound of the limit.

    Attributes:
        limit: requests to keep in flight, at least 1.
    """

    def __init__(self, most: int = MOST) -> None:
        self.limit = min(FIRST, most)
        self._most = most
        self._replies = 0
        # Doubling: start and size of this round, duration of the last one, fresh replies.
        self._doubling = True
        self._began: float | None = None
        self._size = self.limit
        self._took: float | None = None
        self._fresh = 0
        # Levels: sum of latencies, mean of the last level, the low level with its mean, and high
        # levels in a row that served none or most of the added requests.
        self._settling = True
        self._latency, self._typical = 0.0, inf
        self._size_of_level = 0
        self._low: tuple[int, float] | None = None
        self._in_vain = self._climbed = 0

    def succeed(self, sent_at: float, now: float, in_flight: int, waiting: int = 0) -> bool:
        """Learn of a success; True if the limit has changed.

        Args:
            in_flight: requests in flight, this one still among them.
            waiting: requests that only the limit holds back.
            sent_at, now: seconds of any steady clock.
        """
        before = self.limit
        if in_flight + waiting < FULL * before:
            self._restart()
        elif self._doubling:
            self._double(sent_at, now)
        elif not self._settling:
            self._replies += 1
            self._latency += min(now - sent_at, LONG * self._typical)
            if self._replies >= self._size_of_level:
                self._judge(self._latency / self._replies)
        elif in_flight <= before:  # else it is still coming down to this level
            self._replies += 1
            if self._replies >= SETTLED * before:
                self._restart()
                self._settling = False
        return self.limit != before

    def _restart(self) -> None:
        self._replies, self._latency, self._began, self._settling = 0, 0.0, None, True

    def _double(self, sent_at: float, now: float) -> None:
        if self._began is None:
            self._began, self._fresh = now, 0
            return
        self._replies += 1
        self._fresh += sent_at >= self._began
        self.limit = min(self._most, self.limit + 1)
        took = now - self._began
        if self._took is not None and self._is_slow(took, self._took):
            self._doubling = False
            # The replies of one undelayed doubling; half of its first limit cannot be too much.
            self._turn_to(max(self._size / 2, self._replies * self._took / took), 1)
        elif self._replies >= self._size:
            self._took, self._size = took, self.limit
            self._began, self._replies, self._fresh = now, 0, 0

    def _is_slow(self, took: float, before: float) -> bool:
        replies, size = self._replies, self._size
        if replies < max(ENOUGH, size / 4) or self._fresh > FRESH * replies:
            return False
        expected = before * log2(1 + replies / size)
        return took > expected * SLOW * (1 + BY_CHANCE / sqrt(replies))

    def _turn_to(self, level: float, rounds: int) -> None:
        self.limit = max(1, min(self._most, round(level)))
        self._size_of_level = max(LEAST_ROUND, self.limit) * rounds
        self._restart()

    def _judge(self, latency: float) -> None:
        """Go on to the next level, by the mean latency of this one."""
        self._typical = latency = max(latency, 1e-9)
        if self._low is None:
            self._low = self.limit, latency
            self._turn_to(max(self.limit + 1, self.limit * RATIO), HIGH_ROUNDS)
            return
        low, low_latency = self._low
        if low == self.limit:  # nothing is above it: compare with less
            self._low = None
            self._turn_to(low / RATIO, 1)
            return
        share = 1 - log(latency / low_latency) / log(self.limit / low)
        if share > CLIMB:
            self._in_vain, self._climbed = 0, self._climbed + 1
            self._low = self.limit, latency
            self._turn_to(max(self.limit + 1, self.limit * RATIO ** min(self._climbed, 2)), 1)
            return
        self._low, self._climbed = None, 0
        self._in_vain = self._in_vain + 1 if share <= AIM else 0
        steps = UP * (share - AIM) if share > AIM else DOWN * (share - AIM) * self._in_vain
        self._turn_to(low * RATIO ** max(-1.0, steps), 1)
