"""One fair queue before the limiters of one or more endpoints.

Requests are sent in the order of their priority and arrival, however large they are, by the
endpoint that can send them soonest. One request at a time is paid for at each limiter; the others
sleep in the queue until one of them is offered a slot. Any 60 s hold at most the requests that an
endpoint allows, and at most its tokens plus one request's.

Futures and timers are asyncio's, as the rate limiter's are: anyio's cost ten times as much, on
every request.
"""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from vcgen.engine.limits.bottleneck import Limit
from vcgen.engine.limits.limiter import EndpointLimiter
from vcgen.engine.limits.per_limit import UNKNOWN, PerLimit
from vcgen.engine.limits.permit import Completed, Outcome, Permit, RequestSize
from vcgen.engine.limits.queue import Affinity, Priority, RequestQueue, Waiter
from vcgen.errors import RunStopped

# A preferred endpoint whose replies take this many times as long as another's is left for it: its
# prefix cache saves less.
SLOW = 2.0
_NO_AFFINITY = Affinity()


class _Alarm(NamedTuple):
    """A timer for the time at which a closed limiter opens.

    uvloop's handle of a timer less than 0.5 ms ahead has no `when()`, so the time is kept here.
    """

    opens_at: float
    timer: asyncio.TimerHandle


class Scheduler:
    """The queue and its limiters. Used from one event loop.

    Attributes:
        waiting_for_budget: requests that have not joined the queue, because of their budget.
    """

    def __init__(self, limiters: Sequence[EndpointLimiter]) -> None:
        self.limiters = tuple(limiters)
        self.waiting_for_budget = 0
        self._queue = RequestQueue(self.limiters)
        self._alarms: dict[EndpointLimiter, _Alarm] = {}
        self._stopped: RunStopped | None = None

    @property
    def in_flight(self) -> int:
        """Requests sent and not released."""
        return sum(limiter.concurrency.in_flight for limiter in self.limiters)

    @property
    def waiting(self) -> int:
        """Requests in the queue."""
        return self._queue.waiting

    @property
    def bottleneck(self) -> Limit:
        """The limit that holds the next request back."""
        limits = [limiter.bottleneck() for limiter in self.limiters if not limiter.is_disabled]
        limit = "caller" if "caller" in limits else (limits or ["server"])[0]
        return "budget" if limit == "caller" and self.waiting_for_budget else limit

    async def acquire(
        self,
        size: RequestSize,
        priority: Priority = Priority.NEW,
        affinity: Affinity = _NO_AFFINITY,
    ) -> Permit:
        """Wait until a request may be sent. Each permit is released once.

        Raises:
            RunStopped: the scheduler was stopped.
        """
        preferred, limiter = affinity.preferred, None
        if priority is not Priority.HEDGE and not self._queue.waiting:
            limiter = self._idle(preferred)
        while True:
            if limiter is None:
                limiter = await self._next_offer(priority, preferred)
            limiter.is_taken = True
            try:
                self.raise_if_stopped()
                if (permit := await limiter.acquire(size)) is not None:
                    return permit
            finally:
                self._free(limiter)
            priority, limiter = Priority.REQUEUED, None

    def release(
        self, permit: Permit, outcome: Outcome, announced: PerLimit[int | None] = UNKNOWN
    ) -> Outcome:
        """Report the outcome of a request, and then offer its slot to the next one.

        Args:
            permit, outcome: of the request.
            announced: limits by the reply's headers.

        Returns:
            The outcome; a throttle that was a stray is one now.
        """
        outcome = permit.limiter.release(permit, outcome, announced, self.waiting)
        if isinstance(outcome, Completed):
            self._offer(permit.limiter)
        else:  # requests that prefer an endpoint may now leave by another
            self.offer_all()
        return outcome

    def offer_all(self) -> None:
        """Offer free slots to queued requests after limits have changed."""
        for limiter in self.limiters:
            self._offer(limiter)

    def stop(self, reason: RunStopped) -> None:
        """Send nothing more; every queued request raises `reason`."""
        self._stopped = reason
        for limiter in self.limiters:
            limiter.stop()
        for waiter in self._queue.take_all():
            waiter.set_result(None)
        for alarm in self._alarms.values():
            alarm.timer.cancel()
        self._alarms.clear()

    def raise_if_stopped(self) -> None:
        """Raise the reason of a stop."""
        if self._stopped is not None:
            raise self._stopped

    async def _next_offer(
        self, priority: Priority, preferred: EndpointLimiter | None
    ) -> EndpointLimiter:
        """Wait in the queue until a limiter is offered that is still open."""
        while True:
            self.raise_if_stopped()
            waiter: Waiter = asyncio.get_running_loop().create_future()
            self._queue.join(waiter, priority, preferred)
            self.offer_all()
            try:
                limiter = await waiter
            except asyncio.CancelledError:
                if waiter.done() and not waiter.cancelled() and (limiter := waiter.result()):
                    self._free(limiter)
                raise
            if limiter is None:  # stopped
                continue
            if limiter.may_send:
                return limiter
            priority = Priority.REQUEUED
            self._free(limiter)

    def _free(self, limiter: EndpointLimiter) -> None:
        limiter.is_taken = False
        self._offer(limiter)

    def _idle(self, preferred: EndpointLimiter | None) -> EndpointLimiter | None:
        """A limiter that can send at once: the preferred one, or the one with most free slots."""
        if len(self.limiters) == 1:
            limiter = self.limiters[0]
            return limiter if limiter.may_send and not limiter.is_taken else None
        free = [limiter for limiter in self.limiters if limiter.may_send and not limiter.is_taken]
        emptiest = min(free, key=_use, default=None)
        if preferred is None or emptiest is None or preferred not in free:
            return emptiest
        is_slow = preferred.latency.mean_s > SLOW * emptiest.latency.mean_s
        return emptiest if is_slow else preferred

    def _offer(self, limiter: EndpointLimiter) -> None:
        """Offer a free slot to the next request, now or when the limiter opens."""
        if not self._queue.waiting or limiter.is_taken or limiter.is_disabled:
            return
        if not limiter.has_room:
            return
        if asyncio.get_running_loop().time() < limiter.opens_at:
            self._offer_later(limiter)
        elif waiter := self._queue.take(limiter):
            limiter.is_taken = True
            waiter.set_result(limiter)

    def _offer_later(self, limiter: EndpointLimiter) -> None:
        alarm, opens_at = self._alarms.get(limiter), limiter.opens_at
        if alarm is not None and alarm.opens_at == opens_at:
            return
        if alarm is not None:
            alarm.timer.cancel()
        timer = asyncio.get_running_loop().call_at(opens_at, self._open, limiter)
        self._alarms[limiter] = _Alarm(opens_at, timer)

    def _open(self, limiter: EndpointLimiter) -> None:
        del self._alarms[limiter]
        self._offer(limiter)


def _use(limiter: EndpointLimiter) -> float:
    return limiter.concurrency.in_flight / limiter.concurrency.allowed
