"""One limit of an endpoint over aiolimiter: whatever leaves is paid for, however much it is."""

from typing import TYPE_CHECKING, NamedTuple

from vcgen.engine.limits.bottleneck import Limit
from vcgen.engine.limits.per_limit import WINDOW_S

# A bucket's burst, in seconds of its rate: room for late timers. Some endpoints throttle any burst,
# so it is less for one that has throttled.
SLICE_S, SMOOTH_S = 0.1, 0.02
MARGIN_S = 0.5

if TYPE_CHECKING:
    from aiolimiter import AsyncLimiter


class TokenBucket:
    """How much may leave a minute. One pays at a time, so that aiolimiter has nobody to choose.

    Attributes:
        at: which of a request's amounts it meters, by its place in `Rates`.
        factor: what it is called where it keeps requests waiting.
        left: how much has left.
        rate: amounts a minute, None where there is no limit: then nothing has to be paid.
        owed: what has left and is not paid; below 0 it is paid ahead.
        due: what the request that is about to leave has to pay.
    """

    __slots__ = ("_limiter", "at", "due", "factor", "left", "owed", "rate")

    def __init__(self, at: int, rate: float | None) -> None:
        self.at = at
        self.factor: Limit = "tpm" if at else "rpm"
        self.left = 0
        self.rate = rate
        self.owed = 0.0
        self.due = 0.0
        self._limiter = None if rate is None else _limiter(rate)

    def go_by(self, rate: float, share: float) -> None:
        """Another rate, and the share of it in use; what has left beyond it is owed."""
        before, self.rate = self.rate, rate
        self._limiter = limiter = _limiter(rate * share)
        self.owed = max(self.owed, excess(self.left, before, rate, limiter.max_rate))

    def use(self, rate: float) -> None:
        """A rate under what is allowed, whatever has left before."""
        limiter, wanted = self._limiter, bucket_size(max(1.0, rate))
        if limiter is None or (limiter.max_rate, limiter.time_period) != wanted:
            self._limiter = _limiter(rate)

    def space(self, rate: float, slice_s: float, since_s: float, early: float = 0.0) -> None:
        """A rate that is kept one by one, whatever a pause has saved up.

        Args:
            rate: amounts a minute, the share in use.
            slice_s: how much may leave at once, in seconds of the rate.
            since_s: seconds since the last one left.
            early: by what part of the time between two the next one may leave early.
        """
        self._limiter = limiter = _limiter(rate, slice_s)
        saved = since_s * limiter.max_rate / limiter.time_period
        self.owed = max(self.owed, limiter.max_rate - min(1.0, saved + early))

    @property
    def is_covered(self) -> bool:
        """Whether all that has to be paid can be paid at once."""
        limiter, amount = self._limiter, self.owed + self.due
        if limiter is None or amount <= 0:
            return True
        return amount <= limiter.max_rate and limiter.has_capacity(amount)

    async def pay(self) -> None:
        """Wait until all is paid, that of the request about to leave included."""
        # A limiter refuses more than its capacity at once, so it is paid in pieces; and the limiter
        # may be replaced between two of them.
        while self._limiter is not None and self.owed + self.due > 0:
            piece = min(self.owed + self.due, self._limiter.max_rate)
            await self._limiter.acquire(piece)
            self.owed -= piece

    def let_out(self) -> None:
        """The request that was due has left."""
        self.owed += self.due
        self.due = 0.0


def _limiter(per_minute: float, slice_s: float = SLICE_S) -> "AsyncLimiter":
    from aiolimiter import AsyncLimiter  # noqa: PLC0415 - it loads all of importlib.metadata

    return AsyncLimiter(*bucket_size(max(1.0, per_minute), slice_s))


class BucketSize(NamedTuple):
    """A leaky bucket: `capacity` amounts every `period_s` seconds."""

    capacity: float
    period_s: float


def bucket_size(per_minute: float, slice_s: float = SLICE_S) -> BucketSize:
    """A bucket that lets at most `per_minute` amounts into any 60 s, its first burst included.

    A full bucket empties at once and then refills for a whole window, so a bucket of the plain rate
    lets one capacity too many through: the rate is spread over the window and `MARGIN_S` more, of
    which `slice_s` is the burst and the rest is room for requests that travel unevenly.
    """
    rate = per_minute / (WINDOW_S + MARGIN_S)
    capacity = max(1.0, rate * slice_s)
    return BucketSize(capacity, capacity / rate)


def excess(left: float, before: float | None, now: float, burst: float) -> float:
    """What has left in the last minute beyond a rate that holds from now on, in its amounts.

    Args:
        left: all that has left so far.
        before: the rate a minute so far, None if there was none.
        now: the rate a minute from now on.
        burst: what a fresh bucket of that rate would let through at once.
    """
    if before is None:
        return min(left, now)
    return min(left, before - now) if now < before else burst
