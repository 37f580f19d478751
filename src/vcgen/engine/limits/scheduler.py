"""One fair queue before the gates of one or more endpoints.

Whoever asks first leaves first, however large the request, and through whichever gate it can leave
soonest; work that has begun goes before new work, and rather through the gate it was let out by
before, for which nobody waits for ever (`vcgen.turns`). One request at a time stands in a gate and
pays (aiolimiter alone would serve the smallest first), the others wait in the queue and none of
them polls: each is woken when it is its turn. No 60 s hold more requests than a gate allows, nor
more tokens than it allows and one request's.

Futures and timers are asyncio's, as the limiter is: anyio's cost ten times as much, on every
request.
"""

import asyncio
from collections.abc import Sequence

from vcgen.engine.limits.bottleneck import Limit
from vcgen.engine.limits.limiter import EndpointLimiter, Permit
from vcgen.engine.limits.queue import Priority, RequestQueue, Waiter
from vcgen.errors import RunStopped

SLOW = 2.0  # times as long as replies of another gate take


class Scheduler:
    """The queue. Used from one event loop.

    Attributes:
        gates: where requests leave; one that is dead is never used again.
        waits_for_budget: how many requests wait outside, for their budget.
    """

    def __init__(self, gates: Sequence[EndpointLimiter]) -> None:
        self.gates = tuple(gates)
        self.waits_for_budget = 0
        self._turns = RequestQueue(self.gates)
        self._alarms: dict[EndpointLimiter, asyncio.TimerHandle] = {}
        self._stopped: RunStopped | None = None

    @property
    def in_flight(self) -> int:
        """Requests that have left and not come back."""
        return sum(gate.in_flight for gate in self.gates)

    @property
    def waiting(self) -> int:
        """Requests in the queue."""
        return self._turns.waiting

    async def enter(
        self,
        prompt_bytes: int,
        max_tokens: int,
        rank: Priority = Priority.NEW,
        home: EndpointLimiter | None = None,
    ) -> Permit:
        """Wait until a request may leave, and let it.

        Every `enter` that returns is followed by one `leave`.

        Args:
            prompt_bytes, max_tokens: what its tokens are estimated from.
            rank: who goes before it.
            home: where it had rather leave.

        Raises:
            RunStopped: the queue was stopped.
        """
        gate = None if rank is Priority.SPARE or self._turns.waiting else self._idle(home)
        while True:
            if gate is None:
                gate = await self._turn(rank, home)
            gate.taken = True
            try:
                self.check()
                amounts = gate.charge(prompt_bytes, max_tokens)
                if not gate.metered or await self._paid(gate):
                    return gate.let_out(prompt_bytes, max_tokens, amounts)
            finally:
                self._release(gate)
            rank, gate = Priority.RETURNED, None

    def leave(self, departure: Permit) -> None:
        """The request is back, or lost."""
        gate = departure.gate
        gate.leave(departure)
        self._offer(gate)

    def offer_all(self) -> None:
        """Gates have changed: let leave who may."""
        for gate in self.gates:
            self._offer(gate)

    def stop(self, reason: RunStopped) -> None:
        """Let nobody leave any more; all who wait get `reason`."""
        self._stopped = reason
        for gate in self.gates:
            gate.wake()
        for waiter in self._turns.take_all():
            waiter.set_result(None)
        for alarm in self._alarms.values():
            alarm.cancel()

    def check(self) -> None:
        """Raises RunStopped once the queue was stopped."""
        if self._stopped is not None:
            raise self._stopped

    @property
    def limited_by(self) -> Limit:
        """What keeps the next request from leaving."""
        factors = [gate.limited_by() for gate in self.gates if not gate.dead]
        factor = "caller" if "caller" in factors else (factors or ["server"])[0]
        return "budget" if factor == "caller" and self.waits_for_budget else factor

    async def _paid(self, gate: EndpointLimiter) -> bool:
        """Wait until a request is paid for; whether it may leave then."""
        may_leave = False
        try:
            may_leave = await gate.pay() and self._stopped is None
        finally:
            if not may_leave:
                gate.give_back()
        return may_leave

    async def _turn(self, rank: Priority, home: EndpointLimiter | None) -> EndpointLimiter:
        """Wait in the queue until a gate is offered that is open still."""
        while True:
            self.check()
            waiter: Waiter = asyncio.get_running_loop().create_future()
            self._turns.join(waiter, rank, home)
            self.offer_all()
            try:
                gate = await waiter
            except asyncio.CancelledError:
                if waiter.done() and not waiter.cancelled() and (gate := waiter.result()):
                    self._release(gate)
                raise
            if gate is None:  # stopped: to be checked
                continue
            if gate.is_open:
                return gate
            rank = Priority.RETURNED
            self._release(gate)

    def _release(self, gate: EndpointLimiter) -> None:
        """Whoever stood in a gate does so no longer."""
        gate.taken = False
        self._offer(gate)

    def _idle(self, home: EndpointLimiter | None) -> EndpointLimiter | None:
        """A gate that nobody stands in and that lets through: one's home, or the emptiest.

        Nobody stays at a slow home where there is room elsewhere: the run would end later.
        """
        if len(self.gates) == 1:
            gate = self.gates[0]
            return gate if gate.is_open and not gate.taken else None
        free = [gate for gate in self.gates if gate.is_open and not gate.taken]
        emptiest = min(free, key=lambda gate: gate.in_flight / gate.allowed, default=None)
        if home is None or emptiest is None or home not in free:
            return emptiest
        is_slow = home.replies.mean_s > SLOW * emptiest.replies.mean_s
        return emptiest if is_slow else home

    def _offer(self, gate: EndpointLimiter) -> None:
        """Give a gate's turn to whoever is next, now or when it opens."""
        if not self._turns.waiting or gate.taken or gate.dead or not gate.has_room:
            return
        if _now() < gate.opens_at:
            self._offer_later(gate)
            return
        if waiter := self._turns.take(gate):
            gate.taken = True
            waiter.set_result(gate)

    def _offer_later(self, gate: EndpointLimiter) -> None:
        alarm = self._alarms.get(gate)
        if alarm is None or alarm.when() != gate.opens_at:
            if alarm is not None:
                alarm.cancel()
            loop = asyncio.get_running_loop()
            self._alarms[gate] = loop.call_at(gate.opens_at, self._opened, gate)

    def _opened(self, gate: EndpointLimiter) -> None:
        del self._alarms[gate]
        self._offer(gate)


def _now() -> float:
    return asyncio.get_running_loop().time()
