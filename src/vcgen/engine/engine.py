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
from dataclasses import dataclass
from random import Random
from types import TracebackType
from typing import Generic, Self, TypeVar
from urllib.parse import urlsplit

import anyio

from vcgen.engine.budget import Budget, BudgetLedger
from vcgen.engine.call import Call
from vcgen.engine.chat import ChatRequest, Completion, Prompt
from vcgen.engine.config import DEFAULT_TIMEOUT_S, Endpoint, Limits
from vcgen.engine.dispatcher import Dispatcher
from vcgen.engine.endpoint_client import EndpointClient
from vcgen.engine.hedging import HedgePolicy
from vcgen.engine.limits.bottleneck import Limit
from vcgen.engine.limits.limiter import EndpointLimiter
from vcgen.engine.limits.queue import Affinity
from vcgen.engine.pool import JobPool, running_loop, stream_from
from vcgen.engine.pricing import price_of
from vcgen.engine.retrying import Retrying
from vcgen.engine.transport.asyncio_http import HttpTransport
from vcgen.engine.transport.base import Transport
from vcgen.engine.transport.descriptors import MOST_FILES, divide, most_connections
from vcgen.errors import BudgetSpent, RequestFailed, RunStopped, UsageError

P = TypeVar("P", bound=Prompt)


def has_text(completion: Completion) -> bool:
    """Whether a completion has a text, cut or whole, and no filter withheld it."""
    is_withheld = completion.finish_reason == "content_filter" or completion.refusal
    return not is_withheld and bool(completion.text or completion.finish_reason == "length")


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
        is_usable: whether the caller can use a completion. One that it cannot use is asked for at
            each other endpoint; the last one is returned.

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
        is_usable: Callable[[Completion], bool] = has_text,
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
        self._retrying = Retrying(self._dispatcher, self._random, is_usable)

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
        return (
            self._retrying.pausing
            + elsewhere
            + sum(each.allowed + each.may_grow_by for each in slots)
        )

    @property
    def bottleneck(self) -> Limit:
        """The limit that holds the next request back at this moment."""
        return self._scheduler.bottleneck

    def stop(self, reason: RunStopped) -> None:
        """Send nothing more: queued calls raise `reason`, requests in flight go on."""
        self._retrying.stop(reason)

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
        return await self._retrying.answer(Call(ChatRequest.of(prompt), affinity or Affinity()))

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
