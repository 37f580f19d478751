"""Queue requests, and tell which of them an endpoint takes next.

Work that has begun goes before new work. Each endpoint has a prefix cache of its own, so a request
of such work waits for its preferred endpoint while the others begin new work instead. It does not
wait for one that is closed, nor beyond `PATIENCE`, and no endpoint idles because of it. A request
that endpoints have refused waits for the others, however long they are closed.

An endpoint takes the first of: requests that others have refused; `REQUEUED`; `CONTINUATION`
without a preferred endpoint, or past its patience; its own `CONTINUATION`; `NEW`; the
`CONTINUATION` of another endpoint; `HEDGE`.
"""

import asyncio
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

from vcgen.engine.limits.limiter import EndpointLimiter, LimiterState

# Requests that leave or join by each endpoint before one stops waiting for its preferred endpoint.
# An endpoint that keeps up takes a few; a clip's requests come a few dozen apart.
PATIENCE = 64

Waiter = asyncio.Future[EndpointLimiter | None]
_Queue = deque[tuple[int, Waiter]]  # with the number of moves before each


class Priority(IntEnum):
    """Order of requests.

    Attributes:
        REQUEUED: its limiter closed while it was being paid for.
        CONTINUATION: of work that has begun.
        NEW: begins work.
        HEDGE: a second copy, sent while slots are spare and no other request waits.
    """

    REQUEUED = 0
    CONTINUATION = 1
    NEW = 2
    HEDGE = 3


@dataclass(slots=True)
class Affinity:
    """Requests that share a prefix, as those of one clip do.

    Attributes:
        begun: one of them was answered.
        preferred: the limiter of the endpoint that answered; None if that was in another run.
    """

    begun: bool = False
    preferred: EndpointLimiter | None = None


class RequestQueue:
    """The queued requests.

    Attributes:
        waiting: queued requests, including cancelled ones not yet removed.
    """

    def __init__(self, limiters: Sequence[EndpointLimiter]) -> None:
        self._queues: tuple[_Queue, ...] = tuple(deque() for _ in Priority)
        self._hedges = self._queues[Priority.HEDGE]
        self._by_preference: dict[EndpointLimiter, _Queue] = {}
        if len(limiters) > 1:
            self._by_preference = {limiter: deque() for limiter in limiters}
        self._refused: dict[frozenset[EndpointLimiter], _Queue] = {}  # by the endpoints to avoid
        self._patience = PATIENCE * len(limiters)
        self._moves = 0
        self.waiting = 0

    def join(self, waiter: Waiter, priority: Priority, preferred: EndpointLimiter | None) -> None:
        """Queue a request."""
        queue = self._queues[priority]
        if priority is Priority.CONTINUATION:
            self._moves += 1  # no two are of the same age
            if preferred is not None:
                queue = self._by_preference.get(preferred, queue)
        self._drop_cancelled(queue)
        queue.append((self._moves, waiter))
        self.waiting += 1

    def join_refused(self, waiter: Waiter, excluded: frozenset[EndpointLimiter]) -> None:
        """Queue a request for any endpoint but those that have refused it."""
        queue = self._refused.setdefault(excluded, deque())
        self._drop_cancelled(queue)
        queue.append((self._moves, waiter))
        self.waiting += 1

    @property
    def waiting_refused(self) -> int:
        """Queued requests that endpoints have refused."""
        return sum(map(len, self._refused.values()))

    def take_refused(self, limiter: EndpointLimiter) -> Waiter | None:
        """Remove the next request that others have refused, None without one."""
        for excluded, queue in [*self._refused.items()]:
            while queue and limiter not in excluded:
                waiter = self._pop(queue)
                if not waiter.done():
                    return waiter
            if not queue:
                del self._refused[excluded]
        return None

    def take_stranded(self, usable: Collection[EndpointLimiter]) -> Iterator[Waiter]:
        """Remove the requests that all `usable` endpoints have refused."""
        for excluded in [*self._refused]:
            if excluded.issuperset(usable):
                yield from self._drain(self._refused.pop(excluded))

    def take(self, limiter: EndpointLimiter) -> Waiter | None:
        """Remove the next request for an endpoint with a free slot, None without one."""
        if self._refused and (waiter := self.take_refused(limiter)) is not None:
            return waiter
        while queue := self._next(limiter):
            if queue is self._hedges and not limiter.concurrency.has_spare_room:
                return None
            waiter = self._pop(queue)
            if not waiter.done():
                self._moves += 1
                return waiter
        return None

    def take_all(self) -> Iterator[Waiter]:
        """Remove all requests."""
        refused = [*self._refused.values()]
        self._refused.clear()
        for queue in (*self._queues, *self._by_preference.values(), *refused):
            yield from self._drain(queue)

    def _drain(self, queue: _Queue) -> Iterator[Waiter]:
        while queue:
            waiter = self._pop(queue)
            if not waiter.done():
                yield waiter

    def _drop_cancelled(self, queue: _Queue) -> None:
        """Drop them at the head of a queue from which nothing may be taken for hours."""
        while queue and queue[0][1].done():
            self._pop(queue)

    def _pop(self, queue: _Queue) -> Waiter:
        self.waiting -= 1
        return queue.popleft()[1]

    def _next(self, limiter: EndpointLimiter) -> _Queue | None:
        requeued, begun, new, hedges = self._queues
        if requeued or not self._by_preference:
            return requeued or begun or new or hedges
        preferences = [(other, queue) for other, queue in self._by_preference.items() if queue]
        oldest_patient = self._moves - self._patience
        strays = [
            queue
            for other, queue in preferences
            if queue[0][0] < oldest_patient or other.state is not LimiterState.OPEN
        ]
        first = _oldest([begun, *strays] if begun else strays)
        others = _oldest(queue for _, queue in preferences)
        return first or self._by_preference[limiter] or new or others or hedges


def _oldest(queues: Iterable[_Queue]) -> _Queue | None:
    return min(queues, key=lambda queue: queue[0][0], default=None)
