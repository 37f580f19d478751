"""The limits of an endpoint by the minute: given, announced, or found by search."""

import logging
from math import inf

from vcgen.engine.chat import Usage
from vcgen.engine.config import Limits
from vcgen.engine.limits.bottleneck import Limit
from vcgen.engine.limits.estimates import AcceptedRate, TokenEstimate
from vcgen.engine.limits.per_limit import UNKNOWN, WINDOW_S, PerLimit
from vcgen.engine.limits.permit import (
    Completed,
    Outcome,
    Permit,
    RequestSize,
    Starved,
    Stray,
    Throttled,
    Unreachable,
)
from vcgen.engine.limits.rate_search import FIRST_STEP, RateController, Refusal
from vcgen.engine.limits.refusals import StrayFilter
from vcgen.engine.limits.token_bucket import BURST_S, SMOOTH_BURST_S, TokenBucket

# Where no rate is known, a search begins from the rate accepted in the last minute, or this. Within
# the first minute that is a low guess, which doubles.
LEAST_RPM, GUESS_STEP = 60.0, 1.0
# A rate is the bottleneck if it holds requests back for half of the time.
BUSY = 0.5

_log = logging.getLogger("vcgen")


class RateLimits:
    """Four token buckets, the fraction of them in use, and estimates of what requests use.

    Attributes:
        buckets: those that have a rate.
        search: for the rate.
        short_of: the limit that the due request waits for, None without one.
    """

    def __init__(self, limits: Limits, name: str) -> None:
        self._limits = limits
        self._name = name
        self._announced = UNKNOWN
        self._all = PerLimit(*map(TokenBucket, range(4), limits.rates))
        self.buckets = [bucket for bucket in self._all if bucket.rate is not None]
        self._strays = StrayFilter()
        self.search = RateController(strays=self._strays)
        self._estimate = TokenEstimate()
        self._accepted = AcceptedRate()
        self._began = inf
        self._sent_at = -inf
        self._is_stale = False  # the buckets refill at another pace than the search's
        self._held_s = 0.0
        self._burst_s = BURST_S
        self.short_of: Limit | None = None
        if self._requests.rate is not None:
            self._requests.space_at(self._requests.rate, BURST_S, since_s=inf)

    @property
    def rpm(self) -> float | None:
        """Requests a minute, None if unknown."""
        return self._requests.rate

    @property
    def sent(self) -> int:
        """Requests sent so far."""
        return self._requests.sent

    @property
    def is_known(self) -> bool:
        """Whether some rate of the endpoint is known to be accepted."""
        return self.search.good is not None and not self.search.is_windowed

    @property
    def _requests(self) -> TokenBucket:
        return self._all.rpm

    def reserve(self, size: RequestSize, now: float) -> PerLimit[int]:
        """Make a request due; returns the amounts it is expected to use."""
        if self._is_stale:
            self._repace(now)
        prompt, reply = self._estimate.of(size)
        amounts = PerLimit(1, prompt + reply, prompt, reply)
        if self.buckets:
            for bucket in self.buckets:
                bucket.due = amounts[bucket.index]
            self.short_of = next((b.limit for b in self.buckets if not b.is_covered), None)
        return amounts

    async def pay(self) -> None:
        """Wait until the due request is paid for."""
        # Requests last: waiting for tokens afterwards would send them unevenly.
        for bucket in reversed(self.buckets):
            await bucket.pay()

    def hold(self, waited_s: float) -> None:
        """Count the time that a rate held a request back."""
        self.short_of = None
        self._held_s += waited_s

    def restart(self) -> None:
        """Send evenly after the limiter has been closed."""
        self._is_stale = True

    def cancel(self) -> None:
        """The due request is not sent; the next one profits from its payment."""
        for bucket in self.buckets:
            bucket.due = 0.0

    def on_acquire(self, permit: Permit, now: float) -> None:
        """Count a request that is sent."""
        self._began = min(self._began, now)
        self._sent_at = now
        self._accepted.add(now, self._share_of_a_minute(permit.amounts))
        for bucket, amount in zip(self._all, permit.amounts, strict=True):
            bucket.sent += amount
        for bucket in self.buckets:
            bucket.commit()

    def judge(self, permit: Permit, outcome: Throttled, now: float) -> Throttled | Stray:
        """Learn of a refusal and tell whether it is a stray."""
        self._accepted.remove(permit.sent_at, self._share_of_a_minute(permit.amounts))
        accepted = self._accepted.per_minute(now, now - WINDOW_S)
        wait_s = outcome.retry_after_s or 0.0
        if self.buckets:
            refusal = Refusal(permit.number, wait_s, outcome.is_exhausted)
            is_stray = self.search.refuse(refusal, self.sent, now, accepted)
        else:
            is_stray = not outcome.is_exhausted and self._strays.is_stray(permit.number)
            if not is_stray:
                self._guess(accepted, now)
        if self.search.changed_at == now:
            self._is_stale = True
            self._held_s = 0.0
            self._burst_s = SMOOTH_BURST_S
        if is_stray:
            return Stray(outcome.retry_after_s)
        self._is_stale = True
        return outcome

    def on_release(self, permit: Permit, outcome: Outcome, now: float) -> None:
        """Settle the difference between estimate and use; grow while nothing is refused."""
        if isinstance(outcome, Completed):
            self._complete(permit, outcome.usage, now)
        elif isinstance(outcome, Unreachable | Starved):
            self._accepted.remove(permit.sent_at, self._share_of_a_minute(permit.amounts))

    def change(self, limits: Limits) -> None:
        """Follow other limits from the next request on; a rate that is not given stays."""
        self._limits = limits
        self._follow()

    def observe(self, announced: PerLimit[int | None]) -> bool:
        """Follow the limits that a reply announces; True if they are new."""
        if announced is UNKNOWN:
            return False
        pairs = zip(announced, self._announced, strict=True)
        known = PerLimit(*(before if now is None else now for now, before in pairs))
        if known != self._announced:
            self._announced = known
            _log.info("%s announces limits: %s rpm, %s tpm", self._name, known.rpm, known.tpm)
            self._follow()
            return True
        return False

    def _follow(self) -> None:
        processes = self._limits.processes
        values = zip(self._all, self._limits.rates, self._announced, strict=True)
        for bucket, given, announced in values:
            ours = None if announced is None else max(1, announced // processes)
            rate = min((x for x in (given, ours) if x is not None), default=None)
            if rate is not None and rate != bucket.rate:
                bucket.set_rate(rate, self.search.fraction)
        self.buckets = [bucket for bucket in self._all if bucket.rate is not None]

    def _guess(self, accepted: float, now: float) -> None:
        rate = max(LEAST_RPM, accepted)
        self._requests.rate = rate
        self._accepted.scale(1 / rate)
        self.buckets = [self._requests]
        step = GUESS_STEP if now - self._began < WINDOW_S else FIRST_STEP
        self.search = RateController.of_a_guess(step, self._strays, self.sent, now)
        _log.info("%s throttles: searching from %.0f requests a minute", self._name, rate)

    def _share_of_a_minute(self, amounts: PerLimit[int]) -> float:
        """Part of a minute's rate that a request takes; 1 while no rate is known."""
        if not self.buckets:
            return 1.0
        return max(amounts[bucket.index] / bucket.rate for bucket in self.buckets if bucket.rate)

    def _complete(self, permit: Permit, usage: Usage, now: float) -> None:
        self._estimate.learn(permit.size.prompt_bytes, usage)
        if not self.buckets:
            return
        if usage.prompt_tokens + usage.completion_tokens:
            self._settle(permit, usage)
        is_busy = self._held_s >= BUSY * (now - self.search.changed_at)
        accepted = self._accepted.per_minute(now, self._began)
        if self.search.succeed(permit.number, self.sent, now, accepted, is_busy=is_busy):
            self._held_s = 0.0
            self._is_stale = True

    def _settle(self, permit: Permit, usage: Usage) -> None:
        prompt, reply = self._estimate.of(permit.size)
        # Where input is counted by itself, the part read from a cache is not counted at all.
        read = usage.prompt_tokens - usage.cached_tokens
        used = PerLimit(
            1, usage.prompt_tokens + usage.completion_tokens, read, usage.completion_tokens
        )
        expected = PerLimit(1, prompt + reply, prompt, reply)
        for bucket in self.buckets:
            # Tokens charged by the first, blind estimate are not given back, nor more than one
            # request's: they would fall into another window.
            charged = min(permit.amounts[bucket.index], expected[bucket.index])
            bucket.debt = max(-charged, bucket.debt + used[bucket.index] - charged)

    def _repace(self, now: float) -> None:
        """Send evenly at the fraction in use, without the burst that a closed limiter has saved up.

        Only between two requests: a payment under way would not count.
        """
        self._is_stale = False
        since_s = now - self._sent_at
        for bucket in self.buckets:
            rate = (bucket.rate or 0.0) * self.search.fraction
            if bucket is self._requests:
                bucket.space_at(rate, self._burst_s, since_s, self.search.early)
            else:
                bucket.refill_at(rate)
