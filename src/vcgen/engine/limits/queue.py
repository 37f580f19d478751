"""Who waits, and whose turn it is at a gate.

Work that has begun goes before new work. Several endpoints have a prefix cache each, so it waits
for its home, the gate it was let out by before, while the others can begin new work instead. It
waits for no home that is shut, and not for ever, and no gate is kept idle by it.
"""

import asyncio
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

from vcgen.engine.limits.limiter import EndpointLimiter

# While so many leave by each gate, or join the queue for their home, work waits for its own. Where
# homes keep up it takes a few.
PATIENCE = 64

Waiter = asyncio.Future[EndpointLimiter | None]
_Queue = deque[tuple[int, Waiter]]  # each with how many had left or joined for their home


class Priority(IntEnum):
    """Who leaves first.

    Attributes:
        RETURNED: was sent away by a gate that closed.
        BEGUN: belongs to work that has begun.
        NEW: begins some.
        SPARE: leaves only while there is room and nobody else waits.
    """

    RETURNED = 0
    BEGUN = 1
    NEW = 2
    SPARE = 3


@dataclass(slots=True)
class Affinity:
    """What requests belong to that share a prefix, as those of a clip do.

    Attributes:
        begun: one of them was answered.
        home: the gate which that one was let out by, None if that was in another run.
    """

    begun: bool = False
    home: EndpointLimiter | None = None


class RequestQueue:
    """Those who wait.

    Args:
        gates: where requests leave. A single one is nobody's home: it changes nothing there.

    Attributes:
        waiting: how many wait, and of those who gave up the ones behind them.
    """

    def __init__(self, gates: Sequence[EndpointLimiter]) -> None:
        self._queues: tuple[_Queue, ...] = tuple(deque() for _ in Priority)
        self._spare = self._queues[Priority.SPARE]
        self._at_home: dict[EndpointLimiter, _Queue] = {}
        if len(gates) > 1:
            self._at_home = {gate: deque() for gate in gates}
        self._patience = PATIENCE * len(gates)
        self._moves = 0
        self.waiting = 0

    def join(self, waiter: Waiter, rank: Priority, home: EndpointLimiter | None) -> None:
        """Wait for one's turn."""
        queue = self._queues[rank]
        if rank is Priority.BEGUN:
            self._moves += 1  # so that no two are of the same age
            if home is not None:
                queue = self._at_home.get(home, queue)
        while queue and queue[0][1].done():  # given up, and nobody may be called for hours
            self._leave(queue)
        queue.append((self._moves, waiter))
        self.waiting += 1

    def take(self, gate: EndpointLimiter) -> Waiter | None:
        """Let out of the queue whose turn it is at a gate that is free, None if it is nobody's."""
        while queue := self._next(gate):
            if queue is self._spare and not gate.has_spare_room:
                return None
            waiter = self._leave(queue)
            if not waiter.done():
                self._moves += 1
                return waiter
        return None

    def take_all(self) -> Iterator[Waiter]:
        """Let everybody out of the queue."""
        for queue in (*self._queues, *self._at_home.values()):
            while queue:
                waiter = self._leave(queue)
                if not waiter.done():
                    yield waiter

    def _leave(self, queue: _Queue) -> Waiter:
        self.waiting -= 1
        return queue.popleft()[1]

    def _next(self, gate: EndpointLimiter) -> _Queue | None:
        returned, begun, new, spare = self._queues
        if returned or not self._at_home:
            return returned or begun or new or spare
        homes = [(home, queue) for home, queue in self._at_home.items() if queue]
        # Work that has no home, or one that is no longer worth waiting for.
        late = self._moves - self._patience
        strays = [queue for home, queue in homes if queue[0][0] < late or home.is_shut]
        first = _oldest([begun, *strays] if begun else strays)
        return first or self._at_home[gate] or new or _oldest(q for _, q in homes) or spare


def _oldest(queues: Iterable[_Queue]) -> _Queue | None:
    return min(queues, key=lambda queue: queue[0][0], default=None)
