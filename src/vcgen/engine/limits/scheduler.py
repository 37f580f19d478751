"""One fair queue before the limiters of one or more endpoints.

Requests are sent in the order of their priority and arrival, however large they are, by the
endpoint that can send them soonest. One request at a time is paid for at each limiter; the others
sleep in the queue until one of them is offered a slot. A request is not sent to an endpoint that it
excludes. Any 60 s hold at most the requests that an endpoint allows, and at most its tokens plus
one request's.

A quick failure does not attract: where an endpoint has peers, the slot of a failed request is held
for as long as an answer takes, that of a refusal until the others have been asked (`outliers`).

Futures and timers are asyncio's, as the rate limiter's are: anyio's cost ten times as much, on
every request.
"""

import asyncio
from collections.abc import Mapping, Sequence, Set as AbstractSet
from math import inf
from typing import NamedTuple

from vcgen.engine.limits.bottleneck import Limit
from vcgen.engine.limits.limiter import EndpointLimiter, LimiterState
from vcgen.engine.limits.outliers import OutlierTest
from vcgen.engine.limits.per_limit import UNKNOWN, PerLimit
from vcgen.engine.limits.permit import Completed, Outcome, Permit, RequestSize
from vcgen.engine.limits.queue import Priority, RequestQueue, Waiter
from vcgen.errors import RunStopped

# A preferred endpoint whose replies take this many times as long as another's is left for it: its
# prefix cache saves less.
SLOW = 2.0
# How long a failed request holds its slot before any latency is known.
UNKNOWN_LATENCY_S = 1.0
_NONE_EXCLUDED: frozenset[EndpointLimiter] = frozenset()


class NoEndpointLeft(Exception):
    """Each endpoint that a request does not exclude is given up."""


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
        outliers: refusals of each endpoint that its peers dispute.
    """

    def __init__(self, limiters: Sequence[EndpointLimiter]) -> None:
        self.limiters = tuple(limiters)
        self.waiting_for_budget = 0
        self.outliers = {limiter: OutlierTest() for limiter in self.limiters}
        self._has_peers = len(self.limiters) > 1
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
    def waiting_elsewhere(self) -> int:
        """Requests in the queue that endpoints have refused."""
        return self._queue.waiting_refused

    @property
    def bottleneck(self) -> Limit:
        """The limit that holds the next request back."""
        limits = [
            limiter.bottleneck()
            for limiter in self.limiters
            if not limiter.is_disabled and not self._is_held(limiter)
        ]
        limit = "caller" if "caller" in limits else (limits or ["server"])[0]
        return "budget" if limit == "caller" and self.waiting_for_budget else limit

    async def acquire(
        self,
        size: RequestSize,
        priority: Priority = Priority.NEW,
        preferred: EndpointLimiter | None = None,
        excluded: frozenset[EndpointLimiter] = _NONE_EXCLUDED,
    ) -> Permit:
        """Wait until a request may be sent. Each permit is released once.

        Args:
            size, priority: of the request.
            preferred: limiter of the endpoint that it waits for a while.
            excluded: limiters of the endpoints that have refused it.

        Raises:
            NoEndpointLeft: all others are given up.
            RunStopped: the scheduler was stopped.
        """
        limiter: EndpointLimiter | None = None
        if not excluded and priority is not Priority.HEDGE and not self._queue.waiting:
            limiter = self._idle(preferred)
        while True:
            if limiter is None and excluded:
                limiter = await self._next_offer_of_others(excluded)
            elif limiter is None:
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
            if self._has_peers:
                self.outliers[permit.limiter].on_answered()
            self._offer(permit.limiter)
        else:  # requests that prefer an endpoint may now leave by another
            self._wake_stranded()
            self.offer_all()
        return outcome

    def is_any_left(self, excluded: AbstractSet[EndpointLimiter]) -> bool:
        """Whether an endpoint is left that is neither excluded nor given up."""
        return not excluded >= {*self._usable()}

    def peer_of(self, limiter: EndpointLimiter) -> EndpointLimiter | None:
        """The open endpoint but this one with most free slots, None without one."""
        others = [
            other
            for other in self.limiters
            if other is not limiter and other.state is LimiterState.OPEN
        ]
        return min(others, key=self._use, default=None)

    def hold(self, limiter: EndpointLimiter) -> None:
        """Hold a slot for a refusal until it is settled."""
        self.outliers[limiter].held += 1

    def hold_failed(self, permit: Permit, owed_s: float) -> None:
        """Hold the slot of a failed request, where its endpoint has peers.

        Args:
            permit: of the request.
            owed_s: how long its retry waits for the retry budget. The slot is held as long, and as
                long as an answer takes, so an endpoint fails no more than the budget can retry.
        """
        if not self._has_peers:
            return
        loop = asyncio.get_running_loop()
        means_s = [limiter.latency.mean_s for limiter in self.limiters]
        answer_s = max((mean_s for mean_s in means_s if mean_s < inf), default=UNKNOWN_LATENCY_S)
        if (left_s := permit.sent_at + answer_s + owed_s - loop.time()) > 0:
            self.hold(permit.limiter)
            loop.call_later(left_s, self._free_held, permit.limiter)

    def _free_held(self, limiter: EndpointLimiter) -> None:
        self.outliers[limiter].held -= 1
        self._offer(limiter)

    def settle(
        self, refused: Mapping[EndpointLimiter, str], answered: EndpointLimiter | None
    ) -> None:
        """Free the slots that a request's refusals hold.

        Args:
            refused: limiters of the endpoints that refused it, and what they said.
            answered: of the endpoint that answered it, which disputes the refusals; None if none
                did.
        """
        for limiter, message in refused.items():
            test = self.outliers[limiter]
            test.held -= 1
            if answered is None:
                continue
            test.on_disputed()
            peer_is_usable = not (answered.is_disabled or self.outliers[answered].is_suspect)
            if test.is_proven and peer_is_usable and not limiter.is_disabled:
                limiter.disable(
                    f"it refused {test.disputed} requests that another endpoint answered: {message}"
                )
        self._wake_stranded()
        self.offer_all()

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
            if (limiter := await self._offered(waiter)) is not None:
                return limiter
            priority = Priority.REQUEUED

    async def _next_offer_of_others(self, excluded: frozenset[EndpointLimiter]) -> EndpointLimiter:
        """As `_next_offer`, for a request that some endpoints have refused."""
        while True:
            self.raise_if_stopped()
            if not self.is_any_left(excluded):
                raise NoEndpointLeft
            waiter: Waiter = asyncio.get_running_loop().create_future()
            self._queue.join_refused(waiter, excluded)
            if (limiter := await self._offered(waiter)) is not None:
                return limiter

    async def _offered(self, waiter: Waiter) -> EndpointLimiter | None:
        """The limiter that a queued request is offered; None if it has closed, or at a stop."""
        self.offer_all()
        try:
            limiter = await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and (limiter := waiter.result()):
                self._free(limiter)
            raise
        if limiter is None or limiter.may_send:
            return limiter
        self._free(limiter)
        return None

    def _usable(self) -> list[EndpointLimiter]:
        """The limiters of all endpoints that are not given up."""
        now = asyncio.get_running_loop().time()
        return [limiter for limiter in self.limiters if not limiter.is_given_up(now)]

    def _wake_stranded(self) -> None:
        """Wake the queued requests that have no endpoint left."""
        if self._queue.waiting_refused:
            for waiter in self._queue.take_stranded(self._usable()):
                waiter.set_result(None)

    def _free(self, limiter: EndpointLimiter) -> None:
        limiter.is_taken = False
        self._offer(limiter)

    def _idle(self, preferred: EndpointLimiter | None) -> EndpointLimiter | None:
        """A limiter that can send at once: the preferred one, or the one with most free slots."""
        if not self._has_peers:
            limiter = self.limiters[0]
            return limiter if limiter.may_send and not limiter.is_taken else None
        free = [
            limiter
            for limiter in self.limiters
            if limiter.may_send and not limiter.is_taken and not self._is_held(limiter)
        ]
        emptiest = min(free, key=self._use, default=None)
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
            return
        take = self._queue.take_refused if self._is_held(limiter) else self._queue.take
        if (waiter := take(limiter)) is not None:
            limiter.is_taken = True
            waiter.set_result(limiter)

    def _is_held(self, limiter: EndpointLimiter) -> bool:
        """Whether refusals and failures hold all slots that are free, and a peer is open."""
        held = self.outliers[limiter].held
        if not held or limiter.circuit.is_open:
            return False
        if limiter.concurrency.in_flight + held < limiter.concurrency.allowed:
            return False
        return any(
            other is not limiter and other.state is LimiterState.OPEN for other in self.limiters
        )

    def _use(self, limiter: EndpointLimiter) -> float:
        used = limiter.concurrency.in_flight + self.outliers[limiter].held
        return used / limiter.concurrency.allowed

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
