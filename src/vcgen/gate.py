"""The gate of one endpoint: its limits, its slots, and whether it is open.

It says whether and when a request may leave, and learns from those that come back. Who leaves is
for `vcgen.admission` to say: one request at a time stands in a gate and pays.
"""

import asyncio
from random import Random
from typing import NamedTuple

import anyio

from vcgen.circuit import Circuit
from vcgen.config import Limits
from vcgen.knee import FIRST, MOST, Knee
from vcgen.limiting import Factor
from vcgen.meter import Meter
from vcgen.pacing import Accepted, Rates, Share, TokenEstimate, backoff_s
from vcgen.records import Usage

SPARE_FROM = 0.9
LEAST_RPM = 6.0  # where the rate has to be guessed from an endpoint that accepted next to nothing


class Departure(NamedTuple):
    """A request that has left: from where, when in loop time, and what it was taken to use."""

    gate: "Gate"
    at: float
    prompt_bytes: int
    max_tokens: int
    amounts: Rates[int]


class Gate:
    """Used from one event loop.

    Args:
        limits: what the endpoint allows. Where it says neither how many requests may be in flight
            nor how many may leave a minute, their number is found.
        random: of the jitter.
        most: the number found is never larger.

    Attributes:
        allowed: how many requests may be in flight.
        in_flight: requests that have left and not come back.
        closures: flights in a row that closed the gate, without a success between.
        opens_at: before that, in loop time, nobody leaves.
        taken: somebody stands in it.
        dead: nobody leaves any more.
        metered: the limits that there are.
    """

    def __init__(self, limits: Limits, random: Random, most: int = MOST) -> None:
        self._knee = Knee(min(most, MOST)) if limits.in_flight is None else None
        self.allowed: int = limits.in_flight or FIRST
        self.in_flight = 0
        self.closures = 0
        self.opens_at = float("-inf")
        self.taken = False
        self.dead = False
        self._random = random
        self._limits = limits
        self._announced: Rates[int | None] = Rates(None, None, None, None)
        self._meters = Rates(*map(Meter, range(4), limits.rates))
        self.metered = [meter for meter in self._meters if meter.rate is not None]
        self._share = Share()
        self._estimate = TokenEstimate()
        self._circuit = Circuit()
        self._probing_at: float | None = None
        self._accepted = Accepted()
        self._began = float("inf")
        self._paying: anyio.CancelScope | None = None
        self._short_of: Factor | None = None

    @property
    def may_grow_by(self) -> int:
        """By how many requests `allowed` may grow while those in flight come back."""
        return 0 if self._knee is None else self.allowed

    @property
    def has_room(self) -> bool:
        """Whether a request may leave as far as slots go: of an endpoint that is out, one."""
        if self.is_out:
            return self._probing_at is None
        return self.in_flight < self.allowed

    @property
    def is_open(self) -> bool:
        """Whether a request may leave at this moment, once it is paid for."""
        return not self.dead and self.has_room and _now() >= self.opens_at

    @property
    def has_spare_room(self) -> bool:
        """Whether there is more room than a request leaves that comes back and is followed."""
        return self.in_flight + 1 <= SPARE_FROM * self.allowed

    def limited_by(self, now: float) -> Factor:
        """What keeps the next request from leaving."""
        if self.dead or now < self.opens_at or self.is_out:
            return "server"
        if self._short_of is not None:
            return self._short_of if self._share.share == 1 else "server"
        if self.in_flight < self.allowed:
            return "caller"
        return "concurrency" if self._knee is None else "server"

    def charge(self, prompt_bytes: int, max_tokens: int) -> Rates[int]:
        """Owe what a request is taken to use, and return it."""
        # Not before its turn: whoever has waited knows more than when it came.
        prompt, reply = self._estimate.of(prompt_bytes, max_tokens)
        amounts = Rates(1, prompt + reply, prompt, reply)
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
        try:
            with anyio.CancelScope() as self._paying:
                for meter in self.metered:
                    await meter.pay()
        finally:
            self._paying = self._short_of = None
        return not self.dead and _now() >= self.opens_at

    def give_back(self) -> None:
        """The request does not leave here after all; what it has paid the next one need not."""
        for meter in self.metered:
            meter.due = 0.0

    def let_out(self, prompt_bytes: int, max_tokens: int, amounts: Rates[int]) -> Departure:
        """The request leaves."""
        now = _now()
        self._began = min(self._began, now)
        if self.is_out:
            self._probing_at = now
        self.in_flight += 1
        for meter in self._meters:
            meter.let_out(amounts[meter.at])
        return Departure(self, now, prompt_bytes, max_tokens, amounts)

    def leave(self, departure: Departure) -> None:
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

    def told(self, announced: Rates[int | None]) -> None:
        """A reply says what the endpoint allows: go by that, or by what was given if it is less.

        A reply that does not say, as errors often do not, changes nothing.
        """
        pairs = zip(announced, self._announced, strict=True)
        known = Rates(*(before if now is None else now for now, before in pairs))
        if known != self._announced:
            self._announced = known
            self._go_by_all_known()

    def _go_by_all_known(self) -> None:
        shared_by = self._limits.shared_by
        known = zip(self._meters, self._limits.rates, self._announced, strict=True)
        for meter, given, announced in known:
            ours = None if announced is None else max(1, announced // shared_by)
            rate = min((x for x in (given, ours) if x is not None), default=None)
            if rate is not None and rate != meter.rate:
                meter.go_by(rate, self._share.share)
        self.metered = [meter for meter in self._meters if meter.rate is not None]
        rpm = self._meters.rpm.rate
        if self._knee is not None and rpm is not None:
            self._knee = None
            self.allowed = Limits(rpm=round(rpm)).in_flight or FIRST

    def passed(self, departure: Departure, usage: Usage, waiting: int = 0) -> None:
        """A request succeeded; the next one pays the difference between estimate and use.

        Args:
            departure: its own.
            usage: its tokens.
            waiting: how many requests wait in the queue.
        """
        now = _now()
        # A rate that was guessed since holds requests back, not the knee.
        if self._knee is not None and self._meters.rpm.rate is None:
            self._knee.back(departure.at, now, self.in_flight + 1, waiting)
            self.allowed = self._knee.limit
        self.closures = 0
        self._circuit.passed(departure.at)
        self._accepted.add(now)
        _, _, prompt_bytes, max_tokens, amounts = departure
        self._estimate.learn(prompt_bytes, usage.prompt_tokens, usage.completion_tokens)
        if self.metered and usage.prompt_tokens + usage.completion_tokens:
            self._settle(amounts, self._estimate.of(prompt_bytes, max_tokens), usage)
        if self._share.passed(departure.at, now):
            self._use_share()

    def _settle(self, amounts: Rates[int], estimate: tuple[int, int], usage: Usage) -> None:
        prompt, reply = estimate
        # What was read from a cache counts as input where input is counted by itself: not at all.
        read = usage.prompt_tokens - usage.cached_tokens
        used = Rates(
            1, usage.prompt_tokens + usage.completion_tokens, read, usage.completion_tokens
        )
        expected = Rates(1, prompt + reply, prompt, reply)
        for meter in self.metered:
            # Tokens set aside before the first replies told better, or more than a request's, are
            # not given back: they would fall into another window.
            known = min(amounts[meter.at], expected[meter.at])
            meter.owed = max(-known, meter.owed + used[meter.at] - known)

    def throttled(self, departure: Departure, delay_s: float | None) -> None:
        """A request came back throttled: close the gate and slow down."""
        now = _now()
        if not self.metered:
            guess = max(LEAST_RPM, self._accepted.per_minute(now, self._began))
            self._meters.rpm.use(guess, self._share.share)
            self.metered = [self._meters.rpm]
        if self._share.throttled(departure.at, now):
            self._use_share()
        self._close(departure.at, now, delay_s)

    def failed(self, departure: Departure) -> bool:
        """A request failed; whether that is taken for an outage, which closes the gate."""
        now = _now()
        is_out = self._circuit.failed(departure.at, now)
        if self.is_out:
            self._close(departure.at, now, None)
        return is_out

    @property
    def is_out(self) -> bool:
        """Whether the endpoint is taken to be out; then one request at a time leaves, to see."""
        return self._circuit.opened_at is not None

    def unreached(self, departure: Departure, delay_s: float | None) -> None:
        """A request could not be sent: close the gate until one can."""
        now = _now()
        self._circuit.open(now)
        self._close(departure.at, now, delay_s)

    def _close(self, sent_at: float, now: float, delay_s: float | None) -> None:
        if sent_at >= self.opens_at:
            self.closures += 1
        elif delay_s is None:
            return  # of the same burst as the closure already in force
        delay = backoff_s(self.closures, self._random.random()) if delay_s is None else delay_s
        self.opens_at = max(self.opens_at, now + delay)
        self.wake()

    def wake(self) -> None:
        """Send away whoever stands in the gate and pays."""
        if self._paying is not None:
            self._paying.cancel()

    def _use_share(self) -> None:
        for meter in self.metered:
            if meter.rate is not None:
                meter.use(meter.rate, self._share.share)


def _now() -> float:
    return asyncio.get_running_loop().time()
