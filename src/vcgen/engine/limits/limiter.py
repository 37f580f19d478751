"""Decide whether a request may be sent to one endpoint, and learn from each that comes back.

| state    | may be sent              | entered by                        | left by          |
|----------|--------------------------|-----------------------------------|------------------|
| OPEN     | as slots and rates allow |                                   |                  |
| CLOSED   | nothing                  | a throttle, a failed probe, no    | time             |
|          |                          | connection that this machine opens|                  |
| PROBING  | one request at a time    | an outage (`circuit_breaker`)     | a probe's answer |
| DISABLED | nothing                  | a refused key, an exhausted quota,| never            |
|          |                          | refusals that peers dispute       |                  |

An outcome is reported once, by `release`: every controller has learned from it before another
request can be sent.
"""

import asyncio
import logging
from enum import Enum
from random import Random
from typing import Protocol

import anyio

from vcgen.engine.config import Limits
from vcgen.engine.limits.backoff import Backoff
from vcgen.engine.limits.bottleneck import Limit
from vcgen.engine.limits.circuit_breaker import CircuitBreaker
from vcgen.engine.limits.concurrency import Concurrency
from vcgen.engine.limits.concurrency_search import FIRST, MOST
from vcgen.engine.limits.estimates import LatencyEstimate
from vcgen.engine.limits.per_limit import UNKNOWN, PerLimit
from vcgen.engine.limits.permit import Disabled, Outcome, Permit, RequestSize, Throttled
from vcgen.engine.limits.rate_limits import RateLimits

_log = logging.getLogger("vcgen")
# Time after which an endpoint that lets nothing through is given up: one that has never been
# reached has a wrong address, one that has been is worth waiting for.
NEVER_REACHED_S, OUT_OF_REACH_S = 30.0, 600.0


class LimiterState(Enum):
    """Whether requests may be sent, as the table of this module describes."""

    OPEN = "open"
    CLOSED = "closed"
    PROBING = "probing"
    DISABLED = "disabled"


class Controller(Protocol):
    """Learns from every request that is sent and from every outcome."""

    def on_acquire(self, permit: Permit, now: float) -> None:
        """A request is sent."""

    def on_release(self, permit: Permit, outcome: Outcome, now: float) -> None:
        """A request has come back, or is lost."""


class EndpointLimiter:
    """All limits of one endpoint. Used from one event loop.

    Args:
        limits: of the endpoint; unknown ones are searched for.
        random: of the jitter.
        most: connections that may be open to it.
        name: of the endpoint, for the log.

    Attributes:
        is_taken: a request is being paid for; one at a time is.
        disabled_because: why no request will be sent any more, None while one may be.
    """

    def __init__(
        self, limits: Limits, random: Random, most: int = MOST, name: str = "endpoint"
    ) -> None:
        self.name = name
        self.concurrency = Concurrency(limits, most)
        self.rates = RateLimits(limits, name)
        self.latency = LatencyEstimate()
        self.circuit = CircuitBreaker()
        self.backoff = Backoff(self.circuit, self.concurrency, random)
        # In this order: the backoff reads the state of the circuit, the slots and the rates.
        controllers: tuple[Controller, ...] = (
            self.concurrency,
            self.latency,
            self.rates,
            self.circuit,
            self.backoff,
        )
        self._on_acquire = tuple(
            controller.on_acquire for controller in controllers if controller is not self.latency
        )
        self._on_release = tuple(controller.on_release for controller in controllers)
        self.is_taken = False
        self.disabled_because: str | None = None
        self._is_stopped = False
        self._is_paused = False
        self._payment: anyio.CancelScope | None = None

    @property
    def state(self) -> LimiterState:
        """The state at this moment."""
        if self.is_disabled:
            return LimiterState.DISABLED
        if _now() < self.backoff.opens_at:
            return LimiterState.CLOSED
        return LimiterState.PROBING if self.circuit.is_open else LimiterState.OPEN

    @property
    def is_disabled(self) -> bool:
        """Whether no request will be sent any more."""
        return self.disabled_because is not None

    @property
    def opens_at(self) -> float:
        """When a closed limiter opens, in loop time."""
        return self.backoff.opens_at

    @property
    def has_room(self) -> bool:
        """Whether a slot is free; an endpoint that is out has one, a paused one has none."""
        if self._is_paused:
            return False
        return not self.circuit.is_probed if self.circuit.is_open else self.concurrency.has_room

    @property
    def may_send(self) -> bool:
        """Whether a request may be sent now, once it is paid for."""
        return not self.is_disabled and self.has_room and _now() >= self.opens_at

    def is_given_up(self, now: float) -> bool:
        """Whether it is disabled, has let nothing through or could not be dialled for too long."""
        patience_s = NEVER_REACHED_S if self.circuit.is_absent else OUT_OF_REACH_S
        return (
            self.is_disabled
            or self.circuit.failing_s(now) >= patience_s
            or self.concurrency.starved_s(now) >= NEVER_REACHED_S
        )

    def bottleneck(self) -> Limit:
        """The limit that holds the next request back."""
        if self.state is not LimiterState.OPEN:
            return "server"
        if (short_of := self.rates.short_of) is not None:
            return short_of if self.rates.search.fraction == 1 else "server"
        if self.concurrency.has_room:
            return "caller"
        return "server" if self.concurrency.is_searched else "concurrency"

    async def acquire(self, size: RequestSize) -> Permit | None:
        """Wait until a request is paid for and permit it; None if the limiter closed meanwhile."""
        now = _now()
        amounts = self.rates.reserve(size, now)
        if self.rates.short_of is None:
            if self.rates.buckets:
                await self.rates.pay()  # without waiting
        elif await self._wait_and_pay():
            now = _now()
        else:
            return None
        permit = Permit(self, now, self.rates.sent + 1, size, amounts)
        for on_acquire in self._on_acquire:
            on_acquire(permit, now)
        return permit

    def release(
        self,
        permit: Permit,
        outcome: Outcome,
        announced: PerLimit[int | None] = UNKNOWN,
        waiting: int = 0,
    ) -> Outcome:
        """Learn from an outcome.

        Args:
            permit: of the request.
            outcome: reported once for each permit.
            announced: limits by the reply's headers; lower ones than those given are followed.
            waiting: requests in the queue.

        Returns:
            The outcome; a throttle that was a stray is one now.
        """
        now = _now()
        if announced is not UNKNOWN and self.rates.observe(announced):
            self._end_search_for_slots()
        if isinstance(outcome, Throttled):
            outcome = self.rates.judge(permit, outcome, now)
            self.backoff.is_rate_known = self.rates.is_known
        # A rate that was guessed holds requests back, not the slots.
        self.concurrency.waiting = waiting if self.rates.rpm is None else 0
        was_out, opened_at = self.circuit.is_open, self.opens_at
        for on_release in self._on_release:
            on_release(permit, outcome, now)
        if was_out != self.circuit.is_open:
            _log.info("%s is %s", self.name, "back" if was_out else "out")
        if self.opens_at > max(opened_at, now):
            _log.info("%s: nothing is sent for %.1f s", self.name, self.opens_at - now)
            self.rates.restart()
            self._interrupt()
        if isinstance(outcome, Disabled):
            self.disable(outcome.message)
        return outcome

    def timeout_s(self, permit: Permit, timeout_s: float) -> float:
        """The deadline of a request in seconds; a probe has a shorter one."""
        out_since = self.circuit.opened_at
        if out_since is None or not self.circuit.is_probe(permit):
            return timeout_s
        return min(timeout_s, self.latency.probe_s(permit.sent_at - out_since))

    def change(self, limits: Limits) -> None:
        """Follow other limits from the next request on; a rate that is not given stays."""
        if limits.in_flight is not None:
            self.concurrency.fix(limits.in_flight)
        self.rates.change(limits)
        self._end_search_for_slots()

    def disable(self, reason: str) -> None:
        """Send nothing more."""
        if self.disabled_because is None:
            _log.warning("%s is disabled: %s", self.name, reason)
            self.disabled_because = reason
        self._interrupt()

    def stop(self) -> None:
        """Permit nothing more; requests in flight are released as usual."""
        self._is_stopped = True
        self._interrupt()

    def pause(self) -> None:
        """Permit nothing until `resume`."""
        self._is_paused = True
        self._interrupt()

    def resume(self) -> None:
        """Permit requests again."""
        self._is_paused = False

    async def _wait_and_pay(self) -> bool:
        """Wait until the due request is paid for; False if the limiter has closed meanwhile."""
        began, is_paid = _now(), False
        try:
            with anyio.CancelScope() as self._payment:
                await self.rates.pay()
            is_held = self.is_disabled or self._is_stopped or self._is_paused
            is_open = not is_held and _now() >= self.opens_at
            is_paid = is_open and not self._payment.cancelled_caught
        finally:
            self._payment = None
            self.rates.hold(_now() - began)
            if not is_paid:
                self.rates.cancel()
        return is_paid

    def _interrupt(self) -> None:
        """End the wait of the request that is being paid for."""
        if self._payment is not None:
            self._payment.cancel()

    def _end_search_for_slots(self) -> None:
        if self.concurrency.is_searched and self.rates.rpm is not None:
            self.concurrency.fix(Limits(rpm=round(self.rates.rpm)).in_flight or FIRST)


def _now() -> float:
    return asyncio.get_running_loop().time()
