"""The gate of one endpoint: its limits, its slots, and whether it is open.

It says whether and when a request may leave, and learns from those that come back. Who leaves is
for `vcgen.admission` to say: one request at a time stands in a gate and pays.
"""

import asyncio
from random import Random
from typing import NamedTuple

import anyio

from vcgen.engine.chat import Usage
from vcgen.engine.config import Limits
from vcgen.engine.limits.backoff import Backoff
from vcgen.engine.limits.bottleneck import Limit
from vcgen.engine.limits.circuit_breaker import CircuitBreaker
from vcgen.engine.limits.concurrency_search import FIRST, MOST, ConcurrencyController
from vcgen.engine.limits.estimates import AcceptedRate, LatencyEstimate, TokenEstimate
from vcgen.engine.limits.per_limit import WINDOW_S, PerLimit
from vcgen.engine.limits.rate_search import FIRST_STEP, RateController
from vcgen.engine.limits.token_bucket import SLICE_S, SMOOTH_S, TokenBucket
from vcgen.engine.rate_headers import NOTHING

SPARE_FROM = 0.9
# Where the rate has to be guessed: from what a minute accepted, or this. In less than a minute it
# is a guess on the low side, and doubles.
LEAST_RPM, GUESS_STEP = 60.0, 1.0
HELD = 0.5  # the part of the time that a rate keeps requests from leaving where it is what does


class Permit(NamedTuple):
    """A request that has left: from where, when in loop time, as which, what it may use."""

    gate: "EndpointLimiter"
    at: float
    number: int
    prompt_bytes: int
    max_tokens: int
    amounts: PerLimit[int]


class EndpointLimiter:
    """Used from one event loop.

    Args:
        limits: what the endpoint allows. Where it says neither how many requests may be in flight
            nor how many may leave a minute, their number is found.
        random: of the jitter.
        most: the number found is never larger.

    Attributes:
        allowed: how many requests may be in flight.
        in_flight: requests that have left and not come back.
        closures: whether it is open as far as refusals go.
        taken: somebody stands in it.
        dead: nobody leaves any more.
        metered: the limits that there are.
        replies: how long they take.
    """

    def __init__(self, limits: Limits, random: Random, most: int = MOST) -> None:
        self._knee = ConcurrencyController(min(most, MOST)) if limits.in_flight is None else None
        self.allowed: int = limits.in_flight or FIRST
        self.in_flight = 0
        self.closures = Backoff()
        self.taken = False
        self.dead = False
        self.replies = LatencyEstimate()
        self._random = random
        self._limits = limits
        self._announced = NOTHING
        self._meters = PerLimit(*map(TokenBucket, range(4), limits.rates))
        self.metered = [meter for meter in self._meters if meter.rate is not None]
        self._share = RateController()
        self._estimate = TokenEstimate()
        self._circuit = CircuitBreaker()
        self._probing_at: float | None = None
        self._accepted = AcceptedRate()
        self._began = float("inf")
        self._left_at = float("-inf")
        self._begins_anew = False
        self._held_s = 0.0
        self._slice_s = SLICE_S
        if self._meters.rpm.rate is not None:
            self._meters.rpm.space(self._meters.rpm.rate, SLICE_S, since_s=float("inf"))
        self._paying: anyio.CancelScope | None = None
        self._short_of: Limit | None = None

    @property
    def may_grow_by(self) -> int:
        """By how many requests `allowed` may grow while those in flight come back."""
        return 0 if self._knee is None else self.allowed

    @property
    def opens_at(self) -> float:
        """Before that, in loop time, nobody leaves."""
        return self.closures.opens_at

    @property
    def has_room(self) -> bool:
        """Whether a request may leave as far as slots go: of an endpoint that is out, one."""
        if self.is_out:
            return self._probing_at is None
        return self.in_flight < self.allowed

    @property
    def is_shut(self) -> bool:
        """Whether it is closed for everybody but one who sees whether the endpoint is back."""
        return self.dead or self.is_out or _now() < self.opens_at

    @property
    def is_open(self) -> bool:
        """Whether a request may leave at this moment, once it is paid for."""
        return not self.dead and self.has_room and _now() >= self.opens_at

    @property
    def has_spare_room(self) -> bool:
        """Whether there is more room than a request leaves that comes back and is followed."""
        return self.in_flight + 1 <= SPARE_FROM * self.allowed

    def limited_by(self) -> Limit:
        """What keeps the next request from leaving."""
        if self.is_shut:
            return "server"
        if self._short_of is not None:
            return self._short_of if self._share.share == 1 else "server"
        if self.in_flight < self.allowed:
            return "caller"
        return "concurrency" if self._knee is None else "server"

    def charge(self, prompt_bytes: int, max_tokens: int) -> PerLimit[int]:
        """Owe what a request is taken to use, and return it."""
        if self._begins_anew:
            self._begin_anew()
        # Not before its turn: whoever has waited knows more than when it came.
        prompt, reply = self._estimate.of(prompt_bytes, max_tokens)
        amounts = PerLimit(1, prompt + reply, prompt, reply)
        if self.metered:
            for meter in self.metered:
                meter.due = amounts[meter.at]
            self._short_of = next((m.factor for m in self.metered if not m.is_covered), None)
        return amounts

    async def pay(self) -> bool:
        """Wait until all that is owed is paid; whether the gate is open still."""
        if self._short_of is None:
            for meter in self.metered:
                await meter.pay()
            return True
        began = _now()
        try:
            with anyio.CancelScope() as self._paying:
                # Requests last: whatever else is waited for would let them leave unevenly.
                for meter in reversed(self.metered):
                    await meter.pay()
        finally:
            self._paying = self._short_of = None
            self._held_s += _now() - began
        return not self.dead and _now() >= self.opens_at

    def give_back(self) -> None:
        """The request does not leave here after all; what it has paid the next one need not."""
        for meter in self.metered:
            meter.due = 0.0

    def let_out(self, prompt_bytes: int, max_tokens: int, amounts: PerLimit[int]) -> Permit:
        """The request leaves."""
        now = _now()
        self._began = min(self._began, now)
        self._left_at = now
        self._accepted.add(now, self._part_of_a_minute(amounts))
        self.closures.left(now)
        if self.is_out:
            self._probing_at = now
        self.in_flight += 1
        for meter, amount in zip(self._meters, amounts, strict=True):
            meter.left += amount
        for meter in self.metered:
            meter.let_out()
        return Permit(self, now, self._left, prompt_bytes, max_tokens, amounts)

    def deadline_s(self, departure: Permit, timeout_s: float) -> float:
        """How long a request is waited for: less if it is to see whether the endpoint is back."""
        out_since = self._circuit.opened_at
        if out_since is None or departure.at != self._probing_at:
            return timeout_s
        return min(timeout_s, self.replies.probe_s(departure.at - out_since))

    def leave(self, departure: Permit) -> None:
        """The request is back, or lost."""
        self.in_flight -= 1
        if departure.at == self._probing_at:
            self._probing_at = None

    def change(self, limits: Limits) -> None:
        """Go by other limits from the next request on; a rate not given stays what it was."""
        if limits.in_flight is not None:
            self._knee, self.allowed = None, limits.in_flight
        self._limits = limits
        self._go_by_all_known()

    def told(self, announced: PerLimit[int | None]) -> None:
        """A reply says what the endpoint allows: go by that, or by what was given if it is less.

        A reply that does not say, as errors often do not, changes nothing.
        """
        if announced is NOTHING:
            return
        pairs = zip(announced, self._announced, strict=True)
        known = PerLimit(*(before if now is None else now for now, before in pairs))
        if known != self._announced:
            self._announced = known
            self._share.announced()
            self._go_by_all_known()

    def _go_by_all_known(self) -> None:
        processes = self._limits.processes
        known = zip(self._meters, self._limits.rates, self._announced, strict=True)
        for meter, given, announced in known:
            ours = None if announced is None else max(1, announced // processes)
            rate = min((x for x in (given, ours) if x is not None), default=None)
            if rate is not None and rate != meter.rate:
                meter.go_by(rate, self._share.share)
        self.metered = [meter for meter in self._meters if meter.rate is not None]
        rpm = self._meters.rpm.rate
        if self._knee is not None and rpm is not None:
            self._knee = None
            self.allowed = Limits(rpm=round(rpm)).in_flight or FIRST

    def passed(self, departure: Permit, usage: Usage, waiting: int = 0) -> None:
        """A request succeeded; the next one pays the difference between estimate and use.

        Args:
            departure: its own.
            usage: its tokens.
            waiting: how many requests wait in the queue.
        """
        now = _now()
        if self._knee is not None:
            # A rate that was guessed since holds back those who wait, not the knee.
            held_back = waiting if self._meters.rpm.rate is None else 0
            self._knee.back(departure.at, now, self.in_flight + 1, held_back)
            self.allowed = self._knee.limit
        self.replies.learn(now - departure.at)
        self.closures.passed(departure.at)
        self._circuit.passed(departure.at)
        _, _, _, prompt_bytes, max_tokens, amounts = departure
        self._estimate.learn(prompt_bytes, usage.prompt_tokens, usage.completion_tokens)
        if not self.metered:
            return
        if usage.prompt_tokens + usage.completion_tokens:
            self._settle(amounts, self._estimate.of(prompt_bytes, max_tokens), usage)
        busy = self._held_s >= HELD * (now - self._share.changed_at)
        accepted = self._accepted.per_minute(now, self._began)
        if self._share.passed(self._left, now, accepted, busy=busy):
            self._held_s = 0.0
            self._begins_anew = True

    def _settle(self, amounts: PerLimit[int], estimate: tuple[int, int], usage: Usage) -> None:
        prompt, reply = estimate
        # What was read from a cache counts as input where input is counted by itself: not at all.
        read = usage.prompt_tokens - usage.cached_tokens
        used = PerLimit(
            1, usage.prompt_tokens + usage.completion_tokens, read, usage.completion_tokens
        )
        expected = PerLimit(1, prompt + reply, prompt, reply)
        for meter in self.metered:
            # Tokens set aside before the first replies told better, or more than a request's, are
            # not given back: they would fall into another window.
            known = min(amounts[meter.at], expected[meter.at])
            meter.owed = max(-known, meter.owed + used[meter.at] - known)

    def throttled(self, departure: Permit, delay_s: float | None) -> None:
        """A request came back throttled: close the gate and slow down."""
        now = _now()
        self._accepted.refused(departure.at, self._part_of_a_minute(departure.amounts))
        self._slow_down(departure, now, delay_s or 0.0)
        if self._share.is_tolerated:
            self.closures.tolerated(departure.at, now, delay_s)
            self._close(now)
            return
        is_sure = self._share.good is not None and not self._share.is_windowed
        self._refused(departure, now, delay_s, probe=delay_s is None and not is_sure)

    def _slow_down(self, departure: Permit, now: float, wait_s: float) -> None:
        self._begins_anew = True
        if not self.metered:
            guess = max(LEAST_RPM, self._accepted.per_minute(now, now - WINDOW_S))
            self._meters.rpm.rate = guess
            self._accepted.scale(1 / guess)
            self.metered = [self._meters.rpm]
            step = GUESS_STEP if now - self._began < WINDOW_S else FIRST_STEP
            self._share = RateController.of_a_guess(step, self._left, now)
        else:
            accepted = self._accepted.per_minute(now, now - WINDOW_S)
            self._share.throttled(departure.number, self._left, now, accepted, wait_s)
        if self._share.changed_at == now:
            self._held_s = 0.0
            self._slice_s = SMOOTH_S

    def _part_of_a_minute(self, amounts: PerLimit[int]) -> float:
        """How much of what is allowed a minute a request takes; 1 where nothing is known."""
        if not self.metered:
            return 1.0
        return max(amounts[meter.at] / meter.rate for meter in self.metered if meter.rate)

    @property
    def _left(self) -> int:
        return self._meters.rpm.left

    def failed(self, departure: Permit) -> bool:
        """A request failed; whether that is taken for an outage, which closes the gate."""
        now = _now()
        is_out = self._circuit.failed(departure.at, now)
        if self.is_out:
            self._refused(departure, now, None)
        return is_out

    @property
    def is_out(self) -> bool:
        """Whether the endpoint is taken to be out; then one request at a time leaves, to see."""
        return self._circuit.opened_at is not None

    def unreached(self, departure: Permit, delay_s: float | None) -> None:
        """A request could not be sent: close the gate until one can."""
        now = _now()
        self._circuit.open(now)
        self._accepted.refused(departure.at, self._part_of_a_minute(departure.amounts))
        self._refused(departure, now, delay_s)

    def _refused(
        self, departure: Permit, now: float, delay_s: float | None, *, probe: bool = False
    ) -> None:
        draw = self._random.random()
        self.closures.refused(departure.at, now, delay_s, draw, probe=probe)
        self._close(now)

    def _close(self, now: float) -> None:
        if now < self.opens_at:
            self._begins_anew = True
            self.wake()

    def wake(self) -> None:
        """Send away whoever stands in the gate and pays."""
        if self._paying is not None:
            self._paying.cancel()

    def _begin_anew(self) -> None:
        """Let requests leave evenly at the share in use, whatever a closed gate has saved up.

        Only between two requests: what one has paid would not count.
        """
        self._begins_anew = False
        since_s = _now() - self._left_at
        for meter in self.metered:
            rate = (meter.rate or 0.0) * self._share.share
            if meter is self._meters.rpm:
                meter.space(rate, self._slice_s, since_s, self._share.early)
            else:
                meter.use(rate)


def _now() -> float:
    return asyncio.get_running_loop().time()
