"""One limit by the minute over aiolimiter: every amount is paid for, however large.

aiolimiter serves the smallest waiting amount first and takes none above its capacity. So one
request pays at a time, in pieces of at most the capacity; the rest is debt, which the next request
pays first.
"""

from typing import TYPE_CHECKING, NamedTuple

from vcgen.engine.limits.bottleneck import Limit
from vcgen.engine.limits.per_limit import WINDOW_S

if TYPE_CHECKING:
    from aiolimiter import AsyncLimiter

# A bucket's burst in seconds of its rate: room for late timers. An endpoint that has throttled may
# allow none, so less is used there.
BURST_S, SMOOTH_BURST_S = 0.1, 0.02
# Requests travel unevenly; a rate is spread over this much more than the window.
MARGIN_S = 0.5


class BucketSize(NamedTuple):
    """A leaky bucket: `capacity` amounts every `period_s` seconds."""

    capacity: float
    period_s: float


def bucket_size(per_minute: float, burst_s: float = BURST_S) -> BucketSize:
    """The bucket that lets at most `per_minute` into any 60 s, its first burst included.

    A full bucket empties at once and then refills for a whole window, so one of the plain rate lets
    one capacity too many through: the rate is spread over the window and `MARGIN_S`, of which
    `burst_s` is the burst.
    """
    rate = per_minute / (WINDOW_S + MARGIN_S)
    capacity = max(1.0, rate * burst_s)
    return BucketSize(capacity, capacity / rate)


def excess(sent: float, before: float | None, now: float, burst: float) -> float:
    """The amount of the last minute beyond a rate that holds from now on.

    Args:
        sent: all that was ever sent.
        before: the rate a minute so far, None without one.
        now: the rate a minute from now on.
        burst: capacity of the new bucket.
    """
    if before is None:
        return min(sent, now)
    return min(sent, before - now) if now < before else burst


class TokenBucket:
    """A limit of requests or tokens a minute.

    Attributes:
        index: of its amount in a `PerLimit`.
        limit: its name as a bottleneck.
        sent: the amount sent so far.
        rate: the amount a minute, None without a limit.
        debt: sent and not paid for; negative if paid ahead.
        due: of the request that is about to be sent.
    """

    __slots__ = ("_limiter", "debt", "due", "index", "limit", "rate", "sent")

    def __init__(self, index: int, rate: float | None) -> None:
        self.index = index
        self.limit: Limit = "tpm" if index else "rpm"
        self.sent = 0
        self.rate = rate
        self.debt = 0.0
        self.due = 0.0
        self._limiter = None if rate is None else _limiter(rate)

    def set_rate(self, rate: float, fraction: float) -> None:
        """Change the rate, of which `fraction` is used; the last minute's excess becomes debt."""
        before, self.rate = self.rate, rate
        self._limiter = limiter = _limiter(rate * fraction)
        self.debt = max(self.debt, excess(self.sent, before, rate, limiter.max_rate))

    def refill_at(self, rate: float) -> None:
        """Refill at a rate below the limit."""
        limiter, wanted = self._limiter, bucket_size(max(1.0, rate))
        if limiter is None or (limiter.max_rate, limiter.time_period) != wanted:
            self._limiter = _limiter(rate)

    def space_at(self, rate: float, burst_s: float, since_s: float, early: float = 0.0) -> None:
        """Send one by one at a rate below the limit, without the burst that a pause has saved up.

        Args:
            rate: amounts a minute.
            burst_s: seconds of the rate that may be sent at once.
            since_s: seconds since the last request.
            early: part of an interval by which the next request may be early.
        """
        self._limiter = limiter = _limiter(rate, burst_s)
        saved = since_s * limiter.max_rate / limiter.time_period
        self.debt = max(self.debt, limiter.max_rate - min(1.0, saved + early))

    @property
    def is_covered(self) -> bool:
        """Whether debt and due amount can be paid at once."""
        limiter, amount = self._limiter, self.debt + self.due
        if limiter is None or amount <= 0:
            return True
        return amount <= limiter.max_rate and limiter.has_capacity(amount)

    async def pay(self) -> None:
        """Wait until debt and due amount are paid."""
        # The limiter may be replaced between two pieces.
        while self._limiter is not None and self.debt + self.due > 0:
            piece = min(self.debt + self.due, self._limiter.max_rate)
            await self._limiter.acquire(piece)
            self.debt -= piece

    def commit(self) -> None:
        """Send the request that was due."""
        self.debt += self.due
        self.due = 0.0


def _limiter(per_minute: float, burst_s: float = BURST_S) -> "AsyncLimiter":
    from aiolimiter import AsyncLimiter  # noqa: PLC0415 - it loads all of importlib.metadata

    return AsyncLimiter(*bucket_size(max(1.0, per_minute), burst_s))
