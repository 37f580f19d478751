"""Send many prompts to a chat endpoint, or to several, as fast as they allow.

    async with Engine("gpt-4o-mini", limits=Limits(rpm=10_000), budget=Budget(cost=5)) as engine:
        completion = await engine.complete("Write a slogan for a bakery.")
        async for result in engine.map(prompts):
            ...

Each attempt of a call goes one way: reserve a budget, acquire a permit, send, release the permit
with the outcome (from which all limits learn), decide how to go on.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from random import Random
from types import TracebackType
from typing import Generic, Self, TypeVar
from urllib.parse import urlsplit

import anyio

from vcgen.engine.budget import Budget, BudgetLedger
from vcgen.engine.call import Attempt, Call
from vcgen.engine.chat import ChatRequest, Completion, Failure, Prompt
from vcgen.engine.config import DEFAULT_TIMEOUT_S, Endpoint, Limits
from vcgen.engine.dispatcher import Dispatcher
from vcgen.engine.endpoint_client import EndpointClient
from vcgen.engine.hedging import HedgePolicy
from vcgen.engine.limits.bottleneck import Limit
from vcgen.engine.limits.limiter import EndpointLimiter
from vcgen.engine.limits.permit import (
    Failed,
    Refused,
    Stale,
    Starved,
    Stray,
    Throttled,
    Unreachable,
)
from vcgen.engine.limits.queue import Affinity
from vcgen.engine.limits.scheduler import NoEndpointLeft
from vcgen.engine.pool import JobPool, running_loop, stream_from
from vcgen.engine.pricing import price_of
from vcgen.engine.retry import (
    FORGIVEN_S,
    AskElsewhere,
    Decision,
    Downgrade,
    Fail,
    Requeue,
    Retry,
    Situation,
    StopRun,
    decide,
)
from vcgen.engine.transport.asyncio_http import HttpTransport
from vcgen.engine.transport.base import Transport
from vcgen.engine.transport.descriptors import MOST_FILES, divide, most_connections
from vcgen.errors import BudgetSpent, RequestFailed, RunStopped, UsageError

P = TypeVar("P", bound=Prompt)


@dataclass(frozen=True, slots=True)
class MapResult(Generic[P]):
    """A prompt of `Engine.map` with its answer or its error.

    Attributes:
        request: the prompt as given.
        completion: None if there is an error.
        error: None if there is a completion.
    """

    request: P
    completion: Completion | None = None
    error: RequestFailed | None = None


class Engine:
    """Sends chat requests to one endpoint or several.

    Args:
        endpoints: a model's name (endpoint and key come from the environment), an `Endpoint`, or
            several of the same model: each request goes to the one that can send it soonest, or
            that answered its affinity before.
        limits: of an endpoint that has none of its own.
        budget: the most to spend; a ledger shares it with other engines.
        timeout_s: deadline of one attempt, from its first byte sent to the reply's last byte. A
            request that probes an endpoint after an outage has less.
        transport: None opens the default one.
        seed: of the jitter.
        hedge: send late requests a second time while slots are spare, one in a hundred at most.
            The first answer wins, both are paid for.

    Raises:
        UsageError: no endpoint, a timeout that is not above 0, or a budget without a price.
    """

    def __init__(
        self,
        endpoints: str | Endpoint | Sequence[Endpoint],
        *,
        limits: Limits | None = None,
        budget: Budget | BudgetLedger | None = None,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        transport: Transport | None = None,
        seed: int = 0,
        hedge: bool = False,
    ) -> None:
        if not 0 < timeout_s < float("inf"):
            raise UsageError(f"the timeout must be a number of seconds above 0, not {timeout_s}")
        self.endpoints = _endpoints(endpoints)
        self.timeout_s = timeout_s
        self._is_owner = transport is None
        self._transport = transport or default_transport(self.endpoints)
        self._random = Random(seed)  # noqa: S311 - jitter
        self._limits = [endpoint.limits or limits or Limits() for endpoint in self.endpoints]
        clients = [
            EndpointClient(endpoint, limiter, self._transport, timeout_s)
            for endpoint, limiter in zip(self.endpoints, self._limiters(), strict=True)
        ]
        ledger = _ledger(budget, self.endpoints)
        self._dispatcher = Dispatcher(clients, ledger, HedgePolicy() if hedge else None)
        self._scheduler = self._dispatcher.scheduler
        self.counters = self._dispatcher.counters
        self._seconds = budget.seconds if isinstance(budget, Budget) else None
        self._time_limit: asyncio.TimerHandle | None = None
        self._stopping = anyio.Event()
        self._pausing = 0

    async def __aenter__(self) -> Self:
        loop = running_loop()
        if self._seconds is not None:
            reason = BudgetSpent("the time limit is reached")
            self._time_limit = loop.call_later(self._seconds, self.stop, reason)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._time_limit is not None:
            self._time_limit.cancel()
        if self._is_owner:
            with anyio.CancelScope(shield=True):
                await self._transport.aclose()

    @property
    def endpoint(self) -> Endpoint:
        """The first endpoint, which names the model."""
        return self.endpoints[0]

    @property
    def limits(self) -> Limits:
        """The sum of all endpoints' limits; a rate is unknown if one endpoint's is."""
        return Limits.combine(self._limits)

    @property
    def in_flight(self) -> int:
        """Requests sent whose reply has not come."""
        return self._scheduler.in_flight

    @property
    def slots(self) -> int:
        """Requests that may be in flight at this moment."""
        limiters = self._scheduler.limiters
        return sum(limiter.concurrency.allowed for limiter in limiters if not limiter.is_disabled)

    @property
    def left_out(self) -> dict[str, str]:
        """Endpoints that get no request any more while others do, and why."""
        limiters = zip(self.endpoints, self._scheduler.limiters, strict=True)
        return {
            f"endpoint {number} ({endpoint.url})": limiter.disabled_because
            for number, (endpoint, limiter) in enumerate(limiters, 1)
            if limiter.disabled_because is not None and len(self.endpoints) > 1
        }

    @property
    def useful_callers(self) -> int:
        """Concurrent calls that keep all slots in use.

        Includes slots that a search may add, and calls that use none because they wait for a retry
        or for an endpoint that has not refused them: of these at most one for each completion, so
        endpoints that only refuse do not read the whole input.
        """
        slots = [limiter.concurrency for limiter in self._scheduler.limiters]
        elsewhere = min(self._scheduler.waiting_elsewhere, self.counters.completions)
        return self._pausing + elsewhere + sum(each.allowed + each.may_grow_by for each in slots)

    @property
    def bottleneck(self) -> Limit:
        """The limit that holds the next request back at this moment."""
        return self._scheduler.bottleneck

    def stop(self, reason: RunStopped) -> None:
        """Send nothing more: queued calls raise `reason`, requests in flight go on."""
        self._dispatcher.stop(reason)
        self._stopping.set()

    def pause(self) -> None:
        """Send nothing until `resume`: calls wait, requests in flight go on."""
        for limiter in self._scheduler.limiters:
            limiter.pause()

    def resume(self) -> None:
        """End a pause."""
        for limiter in self._scheduler.limiters:
            limiter.resume()
        self._scheduler.offer_all()

    def change(self, limits: Sequence[Limits]) -> None:
        """Follow other limits, one an endpoint; a rate that is not given stays as it is."""
        self._limits = list(limits)
        for limiter, new in zip(self._scheduler.limiters, limits, strict=True):
            limiter.change(new)
        self._scheduler.offer_all()

    async def complete(self, prompt: Prompt, *, affinity: Affinity | None = None) -> Completion:
        """Answer one prompt, retried as `vcgen.engine.retry` decides.

        Args:
            prompt: a user message, messages, or a request.
            affinity: requests it shares a prefix with; once one of them is answered, it goes before
                new work and to the endpoint that answered.

        Raises:
            RequestFailed: each endpoint refuses this request, or its attempts are used up.
            RunStopped: nothing can be sent to any endpoint any more.
            BudgetSpent: the budget allows no further request.
        """
        call = Call(ChatRequest.of(prompt), affinity or Affinity())
        answered: EndpointLimiter | None = None
        try:
            while True:
                attempt = await self._dispatcher.attempt(call)
                if isinstance(attempt.result, Completion):
                    answered = attempt.permit.limiter
                    call.affinity.begun, call.affinity.preferred = True, answered
                    attempt.client.learn(call.request, attempt.capabilities)
                    result = attempt.result
                    return result if call.sent == 1 else replace(result, attempts=call.sent)
                await self._follow(self._decide(call, attempt, attempt.result), call, attempt)
        except NoEndpointLeft:
            reason, message = [*call.failures.values()][-1]
            raise RequestFailed(reason, message, attempts=call.sent) from None
        finally:
            if call.refusals:
                self._scheduler.settle(call.refusals, answered)

    def map(self, prompts: Iterable[P] | AsyncIterable[P]) -> AsyncGenerator[MapResult[P], None]:
        """Answer many prompts; yields results as they finish.

        As many prompts are in flight as the limits can use. Each is pulled when it can be sent, so
        an endless input takes constant memory. Leaving the loop cancels requests in flight.

        Args:
            prompts: any iterable or async iterable.

        Raises:
            RunStopped: nothing can be sent any more; results that came before are yielded first.
        """
        stopped: list[RunStopped] = []

        async def answer_all(send: Callable[[MapResult[P]], Awaitable[None]]) -> None:
            async def answer(prompt: P) -> None:
                try:
                    result = MapResult(prompt, completion=await self.complete(prompt))
                except RequestFailed as error:
                    result = MapResult(prompt, error=error)
                except RunStopped as error:  # the others in flight are paid for, and still come
                    stopped.append(error)
                    return
                await send(result)

            async with aclosing(_iterate(prompts, lambda: bool(stopped))) as items:
                await JobPool(items, answer, wanted=lambda: self.useful_callers).run()
            if stopped:
                raise stopped[0]

        return stream_from(answer_all)

    def _limiters(self) -> list[EndpointLimiter]:
        wanted = [limits.in_flight for limits in self._limits]
        # A transport of the caller's may open no connection of this process.
        most = divide(most_connections(), wanted) if self._is_owner else [MOST_FILES] * len(wanted)
        return [
            EndpointLimiter(limits, self._random, bound, urlsplit(endpoint.url).netloc)
            for endpoint, limits, bound in zip(self.endpoints, self._limits, most, strict=True)
        ]

    def _decide(self, call: Call, attempt: Attempt, failure: Failure) -> Decision:
        outcome, circuit = attempt.outcome, attempt.permit.limiter.circuit
        now = anyio.current_time()
        if isinstance(outcome, Throttled | Stray):
            self.counters.throttled += 1
        call.strays += isinstance(outcome, Stray)
        call.stale += isinstance(outcome, Stale)
        # No connection is never the request's fault; an error reply may be.
        is_forgiven = isinstance(outcome, Unreachable) or circuit.failing_s(now) < FORGIVEN_S
        in_outage = circuit.is_open and is_forgiven
        situation = Situation(
            attempts=call.attempts,
            strays=call.strays,
            stale=call.stale,
            is_alone=not self._scheduler.in_flight,
            draw=self._random.random(),
            downgrade=attempt.client.downgrade(call.request, attempt.capabilities, failure),
            is_outage=circuit.explains(attempt.permit) or in_outage,
            is_last=all(limiter.is_disabled for limiter in self._scheduler.limiters),
            has_peer=self._scheduler.is_any_left({*call.failures, attempt.permit.limiter}),
            stalled=self._stalled(attempt, failure, now),
        )
        return decide(failure, outcome, situation)

    def _stalled(self, attempt: Attempt, failure: Failure, now: float) -> str | None:
        """Why no endpoint can be waited for any longer, None while one can."""
        limiter = attempt.permit.limiter
        circuit = limiter.circuit
        is_away = isinstance(attempt.outcome, Throttled | Unreachable | Starved) or (
            isinstance(attempt.outcome, Failed) and circuit.is_open
        )
        if not is_away or not all(limiter.is_given_up(now) for limiter in self._scheduler.limiters):
            return None
        seconds = max(circuit.failing_s(now), limiter.concurrency.starved_s(now))
        url = attempt.client.endpoint.url
        return f"{url} has given no answer for {seconds:.0f} s: {failure.message}"

    async def _follow(self, decision: Decision, call: Call, attempt: Attempt) -> None:
        match decision:
            case AskElsewhere(reason):
                self.counters.retries += 1
                limiter, message = attempt.permit.limiter, _message(attempt)
                call.failures[limiter] = reason, message
                if isinstance(attempt.outcome, Refused):
                    call.refusals[limiter] = message
                    self._scheduler.hold(limiter)
            case Fail(reason):
                message = _message(attempt)
                raise RequestFailed(reason, message, attempts=call.sent)
            case StopRun(message):
                stopped = RunStopped(message)
                self.stop(stopped)
                raise stopped
            case Downgrade(capabilities):
                call.capabilities[attempt.client] = capabilities
            case Retry(delay_s):
                self.counters.retries += 1
                await self._pause(call, attempt, delay_s)
            case Requeue():
                self.counters.retries += 1

    async def _pause(self, call: Call, attempt: Attempt, delay_s: float) -> None:
        """Wait before a retry; ends early when the engine stops."""
        if not isinstance(attempt.outcome, Stray | Starved):
            call.attempts += 1
            owed_s = self._dispatcher.retry_budget.spend(anyio.current_time())
            self._scheduler.hold_failed(attempt.permit, owed_s)
            call.retry_at = self._scheduler.peer_of(attempt.permit.limiter)
            delay_s = max(delay_s, owed_s)
        self._pausing += 1
        try:
            with anyio.move_on_after(delay_s):
                await self._stopping.wait()
        finally:
            self._pausing -= 1


def _message(attempt: Attempt) -> str:
    return attempt.result.message if isinstance(attempt.result, Failure) else ""


def default_transport(endpoints: Sequence[Endpoint]) -> Transport:
    """The transport for endpoints: httpx where proxies of the environment are wanted.

    Raises:
        UsageError: only some of the endpoints want them.
    """
    wanted = {endpoint.use_env_proxy for endpoint in endpoints}
    if len(wanted) > 1:
        raise UsageError("use_env_proxy must be the same for each endpoint of a run")
    if wanted == {True}:
        from vcgen.engine.transport.httpx_client import HttpxTransport  # noqa: PLC0415 - 0.1 s

        return HttpxTransport.by_environment()
    return HttpTransport()


async def _iterate(
    items: Iterable[P] | AsyncIterable[P], is_over: Callable[[], bool]
) -> AsyncGenerator[P, None]:
    if isinstance(items, AsyncIterable):
        async for item in items:
            if is_over():
                return
            yield item
    else:
        for item in items:
            if is_over():
                return
            yield item


def _endpoints(given: str | Endpoint | Sequence[Endpoint]) -> tuple[Endpoint, ...]:
    if isinstance(given, str):
        return (Endpoint.from_environment(given),)
    endpoints = (given,) if isinstance(given, Endpoint) else tuple(given)
    if not endpoints:
        raise UsageError("name at least one endpoint")
    return endpoints


def _ledger(
    budget: Budget | BudgetLedger | None, endpoints: Sequence[Endpoint]
) -> BudgetLedger | None:
    if isinstance(budget, Budget):
        is_limited = budget != Budget(seconds=budget.seconds)
        return BudgetLedger(budget, price_of(endpoints)) if is_limited else None
    return budget
