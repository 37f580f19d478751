"""One call, whatever it takes: admission, transport, decision.

    async with Engine(Endpoint.from_environment("gpt-4o-mini")) as engine:
        completion = await engine.complete(ChatRequest(messages=(Message("user", "Hello"),)))

It knows nothing of video and is usable alone, for prompts of any kind.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from random import Random
from types import TracebackType
from typing import Self

import anyio

from vcgen.engine.budget import BudgetLedger, Reservation
from vcgen.engine.call import Attempt, Call
from vcgen.engine.chat import ChatRequest, Completion, Failure, Usage
from vcgen.engine.config import Endpoint, Limits, together
from vcgen.engine.endpoint_client import EndpointClient
from vcgen.engine.hedging import HedgePolicy
from vcgen.engine.limits.bottleneck import Limit
from vcgen.engine.limits.limiter import Permit
from vcgen.engine.limits.queue import Affinity, Priority
from vcgen.engine.limits.scheduler import Scheduler
from vcgen.engine.race import race
from vcgen.engine.retry import Fail, Retry, RetryBudget, Stop, Throttle, Unreachable, decide
from vcgen.engine.transport.asyncio_http import HttpTransport, most_connections
from vcgen.engine.transport.base import Transport
from vcgen.errors import BudgetSpent, RunStopped, SampleRejected, UsageError

REACH_AGAIN_S = 2.0  # where nothing has ever answered
# So long may an endpoint fail all requests without costing one an attempt. Not for ever: where
# there is but one, nobody can tell an endpoint that is out from a request that always fails.
FORGIVEN_S = 180.0


@dataclass(slots=True)
class Counters:
    """What an engine has done so far."""

    requests: int = 0
    retries: int = 0
    throttled: int = 0
    completions: int = 0
    usage: Usage = Usage()


class Engine:
    """Sends chat requests to an endpoint, or to several, as fast as they allow.

    Args:
        endpoints: where to. Several are servers of the same model: each request goes where it can
            leave soonest, or on where its work has begun.
        limits: what an endpoint allows that has none of its own.
        timeout_s: deadline of one attempt, from its first byte out to the reply's last byte in. One
            that is to see whether an endpoint is back is given less.
        transport: None opens the default one, or the simulator for the model `sim`.
        seed: of the jitter.
        spending: the books of a budget; None spends without end.
        hedge: whether late requests are sent once more where there is room, one in a hundred at
            most; the first answer wins, both are paid for.

    Raises:
        UsageError: there is no endpoint, or the timeout is none.
    """

    def __init__(
        self,
        endpoints: Endpoint | Sequence[Endpoint],
        *,
        limits: Limits | None = None,
        timeout_s: float = 120.0,
        transport: Transport | None = None,
        seed: int = 0,
        spending: BudgetLedger | None = None,
        hedge: bool = False,
    ) -> None:
        if not 0 < timeout_s < float("inf"):
            raise UsageError(f"the timeout must be a number of seconds above 0, not {timeout_s}")
        self.endpoints = (endpoints,) if isinstance(endpoints, Endpoint) else tuple(endpoints)
        if not self.endpoints:
            raise UsageError("name at least one endpoint")
        self.counters = Counters()
        self.timeout_s = timeout_s
        self._owned = transport is None
        self._transport = transport or _default_transport(self.endpoints)
        self._random = Random(seed)  # noqa: S311 - jitter
        everywhere = limits or Limits()
        self._limits = [endpoint.limits or everywhere for endpoint in self.endpoints]
        most = most_connections() // len(self.endpoints)
        pairs = zip(self.endpoints, self._limits, strict=True)
        self._lanes = [
            EndpointClient(endpoint, allowed, self._random, most) for endpoint, allowed in pairs
        ]
        self._lane_of = {lane.gate: lane for lane in self._lanes}
        self._admission = Scheduler([lane.gate for lane in self._lanes])
        self._retries = RetryBudget()
        self._hedging = HedgePolicy() if hedge else None
        self._spending = spending
        self._settled = anyio.Event()
        self._ending = anyio.Event()
        if spending is not None:
            spending.when_settled(self._tell_who_waits_for_budget)

    async def __aenter__(self) -> Self:
        running_loop()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._owned:
            with anyio.CancelScope(shield=True):
                await self._transport.aclose()

    @property
    def endpoint(self) -> Endpoint:
        """The first endpoint, which names the model."""
        return self.endpoints[0]

    @property
    def limits(self) -> Limits:
        """What all endpoints allow together; a rate is None where one of them has none."""
        return self._limits[0] if len(self._limits) == 1 else together(self._limits)

    @property
    def in_flight(self) -> int:
        """Requests sent whose reply has not come."""
        return self._admission.in_flight

    @property
    def slots(self) -> int:
        """How many requests may be in flight at this moment."""
        return sum(gate.allowed for gate in self._admission.gates if not gate.dead)

    @property
    def askers(self) -> int:
        """How many should ask at once to keep all slots in use, those included that are found."""
        return sum(gate.allowed + gate.may_grow_by for gate in self._admission.gates)

    @property
    def limited_by(self) -> Limit:
        """What keeps the next request from leaving at this moment."""
        return self._admission.limited_by

    def stop(self, reason: RunStopped) -> None:
        """Send nothing more; whoever waits to send gets `reason`. Requests in flight go on."""
        self._admission.stop(reason)
        self._ending.set()
        self._settled.set()

    def change(self, limits: Sequence[Limits]) -> None:
        """Go by other limits from now on, one an endpoint; a rate not given stays what it was."""
        self._limits = list(limits)
        for lane, each in zip(self._lanes, limits, strict=True):
            lane.gate.change(each)
        self._admission.offer_all()

    async def complete(self, request: ChatRequest, *, work: Affinity | None = None) -> Completion:
        """The answer to one request, retried as `vcgen.retry` decides.

        Args:
            request: what to ask.
            work: what it belongs to; its requests go before new work once one is answered, and
                where they can to the endpoint that answered.

        Raises:
            Rejected: the endpoint's last word on this request, or its attempts are used up.
            RunStopped: nothing can be sent to any endpoint any more.
        """
        errand = Call(request, work or Affinity())
        while True:
            attempt = await self._attempt(errand)
            result, departure, lane, dialect = attempt
            if isinstance(result, Completion):
                errand.work.begun, errand.work.home = True, departure.gate
                lane.learn(request, dialect)
                return result if errand.sent == 1 else replace(result, attempts=errand.sent)
            if (easier := lane.easier(request, dialect, result)) is not None:
                errand.dialects[lane] = easier
                continue
            decision = decide(result, errand.attempts, self._random.random())
            if isinstance(decision, Fail):
                raise SampleRejected(decision.reason, result.message, attempts=errand.sent)
            self.counters.retries += 1
            await self._again(decision, errand, attempt)

    async def _attempt(self, errand: Call) -> Attempt:
        amount = None
        if self._spending is not None:
            amount = await self._set_aside(self._spending, *self._size(errand))
        rank = Priority.BEGUN if errand.work.begun else Priority.NEW
        departure = await self._depart(errand, rank, amount)
        hedging = self._hedging
        if hedging is None or hedging.late_s is None:
            return await self._send(errand, departure, amount)
        sending = self._send(errand, departure, amount)
        attempt, given_up = await race(
            errand, sending, partial(self._copy, errand, hedging), hedging
        )
        self.counters.usage += given_up
        return attempt

    def _size(self, errand: Call) -> tuple[int, int]:
        """Bytes of the prompt, and the most tokens of the reply."""
        return len(errand.body(self._lanes[0])), errand.request.max_tokens

    async def _set_aside(
        self, spending: BudgetLedger, prompt_bytes: int, max_tokens: int
    ) -> Reservation:
        """Wait until the budget allows a request, which it may once others are back."""
        while (amount := spending.set_aside(prompt_bytes, max_tokens)) is None:
            self._admission.check()
            if not spending.outstanding:
                reason = BudgetSpent("the budget allows no further request")
                self.stop(reason)
                raise reason
            self._admission.waits_for_budget += 1
            try:
                await self._settled.wait()
            finally:
                self._admission.waits_for_budget -= 1
        return amount

    async def _depart(self, errand: Call, rank: Priority, amount: Reservation | None) -> Permit:
        try:
            return await self._admission.enter(*self._size(errand), rank, errand.work.home)
        except BaseException:
            self._give_back(amount)
            raise

    def _give_back(self, amount: Reservation | None) -> None:
        if self._spending is not None and amount is not None:
            self._spending.give_back(amount)

    def _settle(self, amount: Reservation | None, usage: Usage | None) -> None:
        if self._spending is not None and amount is not None:
            self._spending.settle(amount, usage)

    def _tell_who_waits_for_budget(self) -> None:
        self._settled.set()
        self._settled = anyio.Event()

    async def _send(self, errand: Call, departure: Permit, amount: Reservation | None) -> Attempt:
        lane = self._lane_of[departure.gate]
        dialect, body = errand.dialect(lane), errand.body(lane)
        errand.sent += 1
        self.counters.requests += 1
        if self._hedging is not None:
            self._hedging.sent()
        usage = None
        try:
            deadline_s = lane.gate.deadline_s(departure, self.timeout_s)
            result = await lane.post(self._transport, body, deadline_s)
            usage = _used(result)
        finally:
            self._admission.leave(departure)
            self._settle(amount, usage)
        if isinstance(result, Completion):
            self._passed(lane, departure, result.usage)
        return Attempt(result, departure, lane, dialect)

    def _passed(self, lane: EndpointClient, departure: Permit, usage: Usage) -> None:
        self.counters.completions += 1
        self.counters.usage += usage
        lane.gate.passed(departure, usage, self._admission.waiting)
        self._retries.passed()
        if self._hedging is not None:
            self._hedging.back(anyio.current_time() - departure.at, self.in_flight)

    async def _copy(self, errand: Call, hedging: HedgePolicy) -> Attempt | None:
        """Send an errand once more, None if there is no room for that."""
        amount = None
        if self._spending is not None:
            amount = self._spending.set_aside(*self._size(errand))
            if amount is None:
                return None
        try:
            departure = await self._depart(errand, Priority.SPARE, amount)
        except RunStopped:
            return None
        if not hedging.may_copy:  # others have left meanwhile
            self._admission.leave(departure)
            self._give_back(amount)
            return None
        hedging.copied()
        return await self._send(errand, departure, amount)

    async def _again(
        self, decision: Throttle | Unreachable | Retry | Stop, errand: Call, attempt: Attempt
    ) -> None:
        """Do what a failure calls for before its request is sent again.

        Raises:
            RunStopped: it was the last endpoint, and there is no hope.
        """
        _, departure, lane, _ = attempt
        gate = lane.gate
        match decision:
            case Throttle(delay_s):
                self.counters.throttled += 1
                self._fails(attempt)
                gate.throttled(departure, delay_s)
            case Unreachable():
                self._fails(attempt)
                gate.unreached(departure, None if lane.is_reached else REACH_AGAIN_S)
            case Retry(delay_s):
                was_outage = gate.failed(departure)
                if gate.is_out:
                    self._fails(attempt)
                if not (was_outage or (gate.is_out and lane.failing_s < FORGIVEN_S)):
                    errand.attempts += 1
                    await self._pause(delay_s)
            case Stop(message):
                self._give_up(lane, message)
        self._admission.offer_all()

    async def _pause(self, delay_s: float) -> None:
        """Before a request is sent again; ends early when the run does."""
        budgeted_s = self._retries.take(anyio.current_time())
        with anyio.move_on_after(max(delay_s, budgeted_s)):
            await self._ending.wait()

    def _fails(self, attempt: Attempt) -> None:
        """Stop the run when no gate has let anything through for longer than one should wait."""
        result, departure, lane, _ = attempt
        lane.fails(departure.at)
        if isinstance(result, Failure) and all(each.is_given_up for each in self._lanes):
            url, seconds = lane.endpoint.url, lane.failing_s
            raise self._stopped(f"{url} has given no answer for {seconds:.0f} s: {result.message}")

    def _give_up(self, lane: EndpointClient, message: str) -> None:
        """Send nothing more to an endpoint; stop the run if it was the last."""
        lane.gate.dead = True
        lane.gate.wake()
        if all(each.gate.dead for each in self._lanes):
            raise self._stopped(message)

    def _stopped(self, message: str) -> RunStopped:
        reason = RunStopped(message)
        self.stop(reason)
        return reason


def running_loop() -> asyncio.AbstractEventLoop:
    """The loop of whoever calls.

    Raises:
        UsageError: there is none, as under trio.
    """
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        raise UsageError(
            "vcgen runs in asyncio's event loops only: not under trio, nor without a loop"
        ) from None


def _used(result: Completion | Failure) -> Usage | None:
    """What an attempt used, None if that is not known and may be something."""
    if isinstance(result, Completion):
        return result.usage if result.usage.prompt_tokens else None
    was_refused = result.status not in {0, 200} or result.code == "connect_failed"
    return Usage() if was_refused else None


def _default_transport(endpoints: Sequence[Endpoint]) -> Transport:
    first = endpoints[0]
    if first.simulated:
        from vcgen.sim.transport import SimTransport  # noqa: PLC0415 - most runs need no simulator

        return SimTransport()
    if any(each.use_env_proxy != first.use_env_proxy for each in endpoints):
        raise UsageError(
            "use_env_proxy must be the same at each endpoint: one connects to all of them"
        )
    if first.use_env_proxy:
        from vcgen.engine.transport.httpx_client import HttpxTransport  # noqa: PLC0415 - as above

        return HttpxTransport.by_environment()
    return HttpTransport()
