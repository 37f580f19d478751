"""Send one attempt of a call: reserve a budget, acquire a permit, send, release, settle."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import anyio

from vcgen.engine.budget import BudgetLedger, Reservation
from vcgen.engine.call import Attempt, Call
from vcgen.engine.chat import Completion, Failure, FailureKind, Usage
from vcgen.engine.endpoint_client import EndpointClient
from vcgen.engine.hedging import HedgePolicy, race
from vcgen.engine.limits.per_limit import UNKNOWN
from vcgen.engine.limits.permit import (
    Abandoned,
    Completed,
    Outcome,
    Permit,
    RequestSize,
    Starved,
)
from vcgen.engine.limits.queue import Priority
from vcgen.engine.limits.scheduler import Scheduler
from vcgen.engine.retry import RetryBudget, classify
from vcgen.errors import BudgetSpent, RunStopped

_ABANDONED = Abandoned()
_NOT_SENT = {FailureKind.NO_CONNECTION, FailureKind.BAD_CERTIFICATE}


@dataclass(slots=True)
class Counters:
    """Counts of an engine so far."""

    requests: int = 0
    retries: int = 0
    throttled: int = 0
    completions: int = 0
    unmetered: int = 0  # completions whose usage the endpoint did not state
    usage: Usage = Usage()


class Dispatcher:
    """Sends attempts to endpoints; every outcome reaches the limits before the caller.

    Args:
        clients: of the endpoints.
        ledger: of the budget, None without one.
        hedging: policy for second copies of late requests, None without them.
    """

    def __init__(
        self,
        clients: Sequence[EndpointClient],
        ledger: BudgetLedger | None,
        hedging: HedgePolicy | None,
    ) -> None:
        self.counters = Counters()
        self.clients = {client.limiter: client for client in clients}
        self._first = clients[0]
        self.scheduler = Scheduler(tuple(self.clients))
        self.retry_budget = RetryBudget()
        self._hedging = hedging
        self._ledger = ledger
        self._budget_changed = anyio.Event()
        if ledger is not None:
            ledger.on_release(self._wake_waiting_for_budget)

    def stop(self, reason: RunStopped) -> None:
        """Send nothing more: waiting attempts raise `reason`."""
        self.scheduler.stop(reason)
        self._budget_changed.set()

    async def attempt(self, call: Call) -> Attempt:
        """Send a call once, or with `hedging` until the first answer.

        Raises:
            NoEndpointLeft: those that have not failed it for good are given up.
            RunStopped: nothing can be sent any more.
            BudgetSpent: the budget allows no further request.
        """
        size = self._size(call)
        reservation = await self._reserve(size)
        has_begun = call.affinity.begun or call.retry_at is not None
        priority = Priority.CONTINUATION if has_begun else Priority.NEW
        permit = await self._acquire(call, size, priority, reservation)
        sending = self._send(call, permit, reservation)
        policy = self._hedging
        if policy is None or policy.late_s is None or call.failures:
            return await sending
        attempt, copies = await race(call, sending, partial(self._copy, call, policy), policy)
        self.counters.usage += copies
        return attempt

    def _size(self, call: Call) -> RequestSize:
        return RequestSize(len(call.encoded(self._first)[0]), self._first.max_tokens(call.request))

    async def _reserve(self, size: RequestSize) -> Reservation | None:
        """Wait until the budget allows a request, as it may once others are back."""
        if self._ledger is None:
            return None
        while (reservation := self._ledger.reserve(size)) is None:
            self.scheduler.raise_if_stopped()
            if not self._ledger.outstanding:
                reason = BudgetSpent("the budget allows no further request")
                self.stop(reason)
                raise reason
            self.scheduler.waiting_for_budget += 1
            try:
                await self._budget_changed.wait()
            finally:
                self.scheduler.waiting_for_budget -= 1
        return reservation

    async def _acquire(
        self, call: Call, size: RequestSize, priority: Priority, reservation: Reservation | None
    ) -> Permit:
        try:
            preferred = call.retry_at or call.affinity.preferred
            return await self.scheduler.acquire(size, priority, preferred, frozenset(call.failures))
        except BaseException:
            self._cancel(reservation)
            raise

    async def _send(self, call: Call, permit: Permit, reservation: Reservation | None) -> Attempt:
        client = self.clients[permit.limiter]
        body, capabilities = call.encoded(client)
        call.sent += 1
        self.counters.requests += 1
        if self._hedging is not None:
            self._hedging.count_sent()
        result: Completion | Failure | None = None
        outcome: Outcome = _ABANDONED
        announced = UNKNOWN
        try:
            result, announced = await client.send(permit, body)
            outcome = self._outcome(result, permit)
        finally:
            outcome = self.scheduler.release(permit, outcome, announced)
            if isinstance(outcome, Starved):
                self._cancel(reservation)
            elif self._ledger is not None and reservation is not None:
                self._ledger.settle(reservation, _usage(result))
        return Attempt(result, outcome, permit, client, capabilities)

    def _outcome(self, result: Completion | Failure, permit: Permit) -> Outcome:
        if isinstance(result, Failure):
            circuit = permit.limiter.circuit
            return classify(
                result, is_reached=circuit.is_reached, has_answered=circuit.has_answered
            )
        self.counters.completions += 1
        self.counters.unmetered += not result.usage.is_known
        self.counters.usage += result.usage
        self.retry_budget.earn()
        if self._hedging is not None:
            latency_s = anyio.current_time() - permit.sent_at
            self._hedging.learn(latency_s, self.scheduler.in_flight - 1)
        return Completed(result.usage)

    async def _copy(self, call: Call, policy: HedgePolicy) -> Attempt | None:
        """Send a call once more; None if no slot or budget is spare for it."""
        size, reservation = self._size(call), None
        if self._ledger is not None:
            reservation = self._ledger.reserve(size)
            if reservation is None:
                return None
        try:
            permit = await self._acquire(call, size, Priority.HEDGE, reservation)
        except RunStopped:
            return None
        if not policy.may_copy:  # others were copied meanwhile
            self.scheduler.release(permit, _ABANDONED)
            self._cancel(reservation)
            return None
        policy.count_copy()
        return await self._send(call, permit, reservation)

    def _cancel(self, reservation: Reservation | None) -> None:
        if self._ledger is not None and reservation is not None:
            self._ledger.cancel(reservation)

    def _wake_waiting_for_budget(self) -> None:
        self._budget_changed.set()
        self._budget_changed = anyio.Event()


def _usage(result: Completion | Failure | None) -> Usage | None:
    """The usage of an attempt, None if it is unknown and may be above 0."""
    if result is None:
        return None
    if isinstance(result, Completion):
        return result.usage if result.usage.is_known else None
    was_refused = result.status not in {0, 200} or result.kind in _NOT_SENT
    return Usage() if was_refused else None
