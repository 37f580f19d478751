"""One call, whatever it takes: admission, transport, decision.

    async with Engine(Endpoint.from_environment("gpt-4o-mini")) as engine:
        completion = await engine.complete(ChatRequest(messages=(Message("user", "Hello"),)))

It knows nothing of video and is usable alone, for prompts of any kind.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from types import TracebackType
from typing import NamedTuple, Self

import anyio

from vcgen.admission import Admission
from vcgen.chat import ChatRequest, Completion, Failure
from vcgen.circuit import RetryBudget
from vcgen.config import Dialect, Endpoint, Limits
from vcgen.errors import BudgetSpent, Rejected, RunStopped, UsageError
from vcgen.gate import Departure
from vcgen.lane import Lane
from vcgen.limiting import Factor
from vcgen.records import Usage
from vcgen.retry import Again, GiveUp, Stop, Throttle, Unreached, decide
from vcgen.spending import Amount, Spending
from vcgen.transport import HttpTransport, Transport

REACH_AGAIN_S = 2.0  # where nothing has ever answered


@dataclass(slots=True)
class Counters:
    """What an engine has done so far."""

    requests: int = 0
    retries: int = 0
    throttled: int = 0
    completions: int = 0
    usage: Usage = Usage()


class Attempt(NamedTuple):
    """One request sent, and what came of it."""

    result: Completion | Failure
    departure: Departure
    lane: Lane
    dialect: Dialect


class Engine:
    """Sends chat requests to an endpoint, or to several, as fast as they allow.

    Args:
        endpoints: where to. Several are servers of the same model: each request goes where it can
            leave soonest.
        limits: what an endpoint allows that has none of its own.
        timeout_s: deadline of one attempt, from its first byte out to the reply's last byte in.
        transport: None opens the default one, or the simulator for the model `sim`.
        seed: of the jitter.
        spending: the books of a budget; None spends without end.

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
        spending: Spending | None = None,
    ) -> None:
        if not 0 < timeout_s < float("inf"):
            raise UsageError(f"the timeout must be a number of seconds above 0, not {timeout_s}")
        self.endpoints = (endpoints,) if isinstance(endpoints, Endpoint) else tuple(endpoints)
        if not self.endpoints:
            raise UsageError("name at least one endpoint")
        self.counters = Counters()
        self.timeout_s = timeout_s
        self._owned = transport is None
        self._transport = transport or _default_transport(self.endpoints[0])
        self._random = Random(seed)  # noqa: S311 - jitter
        everywhere = limits or Limits()
        self._limits = [endpoint.limits or everywhere for endpoint in self.endpoints]
        pairs = zip(self.endpoints, self._limits, strict=True)
        self._lanes = [Lane(endpoint, limits, self._random) for endpoint, limits in pairs]
        self._lane_of = {lane.gate: lane for lane in self._lanes}
        self._admission = Admission([lane.gate for lane in self._lanes])
        self._retries: RetryBudget | None = None
        self._spending = spending
        self._settled = anyio.Event()
        self._ending = anyio.Event()

    async def __aenter__(self) -> Self:
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
        return self._limits[0] if len(self._limits) == 1 else total(self._limits)

    @property
    def in_flight(self) -> int:
        """Requests sent whose reply has not come."""
        return self._admission.in_flight

    @property
    def limited_by(self) -> Factor:
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

    async def complete(self, request: ChatRequest, *, begun: bool = False) -> Completion:
        """The answer to one request, retried as `vcgen.retry` decides.

        Args:
            request: what to ask.
            begun: whether it belongs to work that has begun, which goes before new work.

        Raises:
            Rejected: the endpoint's last word on this request, or its attempts are used up.
            RunStopped: nothing can be sent to any endpoint any more.
        """
        attempts, sent = 1, 0
        dialects: dict[Lane, Dialect] = {}
        while True:
            sent += 1
            attempt = await self._attempt(request, dialects, begun=begun)
            result, _, lane, dialect = attempt
            if isinstance(result, Completion):
                lane.learn(request, dialect)
                return result if sent == 1 else replace(result, attempts=sent)
            if (easier := lane.easier(request, dialect, result)) is not None:
                dialects[lane] = easier
                continue
            decision = decide(result, attempts, self._random.random())
            if isinstance(decision, GiveUp):
                raise Rejected(decision.reason, result.message, attempts=sent)
            self.counters.retries += 1
            attempts = await self._again(decision, attempts, attempt)

    async def _attempt(
        self, request: ChatRequest, dialects: dict[Lane, Dialect], *, begun: bool
    ) -> Attempt:
        first = self._lanes[0]
        body = first.encode(request, dialects.get(first) or first.dialect)
        if self._spending is None:
            return await self._send(request, dialects, body, begun=begun)
        amount = await self._set_aside(self._spending, len(body), request.max_tokens)
        usage = None
        try:
            attempt = await self._send(request, dialects, body, begun=begun)
            usage = _used(attempt.result)
        finally:
            self._spending.settle(amount, usage)
            self._settled.set()
            self._settled = anyio.Event()
        return attempt

    async def _set_aside(self, spending: Spending, prompt_bytes: int, max_tokens: int) -> Amount:
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

    async def _send(
        self, request: ChatRequest, dialects: dict[Lane, Dialect], body: bytes, *, begun: bool
    ) -> Attempt:
        departure = await self._admission.enter(len(body), request.max_tokens, begun=begun)
        lane = self._lane_of[departure.gate]
        dialect = dialects.get(lane) or lane.dialect
        self.counters.requests += 1
        try:
            if lane is not self._lanes[0]:
                body = lane.encode(request, dialect)
            result = await lane.post(self._transport, body, self.timeout_s)
        finally:
            self._admission.leave(departure)
        if isinstance(result, Completion):
            self.counters.completions += 1
            self.counters.usage += result.usage
            lane.gate.passed(departure, result.usage)
            if self._retries is not None:
                self._retries.passed()
        return Attempt(result, departure, lane, dialect)

    async def _again(
        self, decision: Throttle | Unreached | Again | Stop, attempts: int, attempt: Attempt
    ) -> int:
        """Do what a failure calls for; how many attempts the request has used up then.

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
            case Unreached():
                self._fails(attempt)
                gate.unreached(departure, None if lane.is_reached else REACH_AGAIN_S)
            case Again(delay_s):
                is_outage = gate.failed(departure)
                if gate.is_out:
                    self._fails(attempt)
                if not is_outage:
                    attempts += 1
                    await self._pause(delay_s)
            case Stop(message):
                self._give_up(lane, message)
        self._admission.offer_all()
        return attempts

    async def _pause(self, delay_s: float) -> None:
        """Before a request is sent again; ends early when the run does."""
        now = anyio.current_time()
        if self._retries is None:
            self._retries = RetryBudget(now)
        with anyio.move_on_after(max(delay_s, self._retries.take(now))):
            await self._ending.wait()

    def _fails(self, attempt: Attempt) -> None:
        """Stop the run when no gate has let anything through for longer than one should wait."""
        result, departure, lane, _ = attempt
        lane.fails(departure.at)
        if isinstance(result, Failure) and all(each.is_given_up for each in self._lanes):
            url, seconds = lane.endpoint.url, lane.failing_s
            raise self._stopped(f"{url} has given no answer for {seconds:.0f} s: {result.message}")

    def _give_up(self, lane: Lane, message: str) -> None:
        """Send nothing more to an endpoint; stop the run if it was the last."""
        lane.gate.dead = True
        lane.gate.wake()
        if all(each.gate.dead for each in self._lanes):
            raise self._stopped(message)

    def _stopped(self, message: str) -> RunStopped:
        reason = RunStopped(message)
        self.stop(reason)
        return reason


def total(limits: Sequence[Limits]) -> Limits:
    """What several endpoints allow together; a rate is None where one of them has none."""

    def add(name: str) -> int | None:
        rates = [getattr(each, name) for each in limits]
        return None if None in rates else sum(rates)

    return Limits(
        rpm=add("rpm"),
        tpm=add("tpm"),
        input_tpm=add("input_tpm"),
        output_tpm=add("output_tpm"),
        concurrency=sum(each.in_flight for each in limits),
    )


def _used(result: Completion | Failure) -> Usage | None:
    """What an attempt used, None if that is not known and may be something."""
    if isinstance(result, Completion):
        return result.usage if result.usage.prompt_tokens else None
    was_refused = result.status not in {0, 200} or result.code == "connect_failed"
    return Usage() if was_refused else None


def _default_transport(endpoint: Endpoint) -> Transport:
    if endpoint.simulated:
        from vcgen.sim.transport import SimTransport  # noqa: PLC0415 - most runs need no simulator

        return SimTransport()
    return HttpTransport()
