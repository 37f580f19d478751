"""How many requests to keep in flight where nobody says: found from when replies come, no more.

A server of so many slots never refuses. Beyond its knee latency grows and throughput does not. Two
comparisons find the knee, both of a whole round with another, because a single latency tells
nothing where some requests take ten times as long as others:

- At first every reply lets one request more leave, so that requests in flight and replies a second
  double together. The knee is passed when a doubling takes longer than the one before it, and next
  to nothing sent since it began is back: without a queue the quick ones would be.
- From then on a low and a high level take turns. Their mean latencies tell what share of the
  requests added was worked on (all, if latency is the same at both; none, if it grew by as much as
  the level), and the two levels move so that a small share is: the low one is just under the knee.

A round in which the caller had too little to send tells nothing of the server and counts for
nothing. Pure arithmetic: time comes in as an argument.
"""

from math import inf, log, log2, sqrt

FIRST = 8  # small, because a server of one slot answers these one after another
MOST = 10_000
FULL = 0.8  # of the limit in use or asked for; below, the caller sets the pace

# A doubling is slow when it takes that many times what the one before took, and more by chance:
# few replies prove little.
SLOW, BY_CHANCE = 1.35, 1.6
ENOUGH = 16  # replies
FRESH = 1 / 8  # of a doubling's replies to requests sent in it; a queue lets fewer through

RATIO = 1.4  # of the levels: less drowns in the noise of latencies, more is felt as latency
SETTLED = 1.5  # rounds of the level until replies are those of it
LEAST_ROUND = 64  # replies
HIGH_ROUNDS = 2  # more of the level that loses no throughput
LONG = 4.0  # times the level before's mean: no single latency counts for more
AIM, CLIMB = 0.05, 0.6  # the share worked on that is right, and that says there is much more room
UP, DOWN = 0.8, 4.0  # by how many levels to move, for a whole share above or below `AIM`


class ConcurrencyController:
    """The limit of requests in flight of one endpoint.

    Args:
        most: what the limit never exceeds.

    Attributes:
        limit: how many requests to keep in flight, at least 1.
    """

    def __init__(self, most: int = MOST) -> None:
        self.limit = min(FIRST, most)
        self._most = most
        self._replies = 0
        # While it doubles: this round's beginning, its size, and what the round before took.
        self._doubling = True
        self._began: float | None = None
        self._size = self.limit
        self._took: float | None = None
        self._fresh = 0
        # From then on: latencies of this level, the low one's limit and mean latency, and how often
        # in a row the high one added nothing, or much.
        self._settling = True
        self._latency, self._typical = 0.0, inf
        self._size_of_level = 0
        self._low: tuple[int, float] | None = None
        self._in_vain = self._climbed = 0

    def back(self, sent_at: float, now: float, in_flight: int, waiting: int = 0) -> bool:
        """A request sent at `sent_at` succeeded; whether that changed the limit.

        Args:
            in_flight: requests in flight, this one still among them.
            waiting: requests that only the limit keeps from leaving.
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
            # What would be back in the time that a doubling took. Half of what this one began with
            # cannot have been too much.
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
        """The mean latency of the level is known: on to the next level."""
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
