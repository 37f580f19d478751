"""One attempt: reserved, permitted, sent, released, settled, whatever comes of it."""

from random import Random

import anyio
import pytest

from tests.support.common import run
from vcgen.engine.budget import Budget, BudgetLedger
from vcgen.engine.call import Attempt, Call
from vcgen.engine.chat import ChatRequest, Completion, Failure, FailureKind, Message
from vcgen.engine.config import Endpoint, Limits
from vcgen.engine.dispatcher import Dispatcher
from vcgen.engine.endpoint_client import EndpointClient
from vcgen.engine.limits.limiter import EndpointLimiter
from vcgen.engine.limits.permit import Completed, RequestSize, Starved, Stray, Unreachable
from vcgen.engine.limits.queue import Affinity
from vcgen.engine.transport.base import Reply, Transport
from vcgen.errors import BudgetSpent, ConnectFailed, LocalError, RunStopped
from vcgen.sim import Outage, Scenario, SimTransport, Simulator, parse_faults

REQUEST = ChatRequest(messages=(Message("user", "Hello."),), max_tokens=100)
NO_LIMITS = Limits()


def dispatcher(
    transport: Transport, budget: Budget | None = None, limits: Limits = NO_LIMITS
) -> Dispatcher:
    limiter = EndpointLimiter(limits, Random(0))  # noqa: S311 - jitter
    client = EndpointClient(Endpoint(model="sim"), limiter, transport, 60.0)
    return Dispatcher([client], None if budget is None else BudgetLedger(budget, None), None)


def call() -> Call:
    return Call(REQUEST, Affinity())


def test_answer_is_counted_and_released() -> None:
    async def main() -> None:
        sender = dispatcher(SimTransport(Simulator(latency_s=1.0)))
        attempt = await sender.attempt(call())
        assert isinstance(attempt.result, Completion)
        assert attempt.outcome == Completed(attempt.result.usage)
        counters = sender.counters
        assert (counters.requests, counters.completions) == (1, 1)
        assert counters.usage == attempt.result.usage
        assert sender.scheduler.in_flight == 0

    run(main)


def test_outcome_is_the_one_that_the_limits_decided() -> None:
    async def main() -> None:
        sender = dispatcher(SimTransport(Simulator(faults=parse_faults("429:1"))))
        attempt = await sender.attempt(call())
        assert isinstance(attempt.result, Failure)
        assert isinstance(attempt.outcome, Stray)
        away = Scenario(outages=[Outage(0, 100)])
        attempt = await dispatcher(SimTransport(Simulator(away))).attempt(call())
        assert isinstance(attempt.outcome, Unreachable)

    run(main)


def test_attempt_waits_until_the_budget_allows_it() -> None:
    attempts: list[Attempt] = []

    async def main() -> None:
        budget = Budget(tokens=500)  # room for one request at a time
        sender = dispatcher(SimTransport(Simulator(latency_s=1.0)), budget)

        async def one() -> None:
            attempts.append(await sender.attempt(call()))

        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(one)
            await anyio.sleep(0.5)
            assert sender.scheduler.waiting_for_budget == 1
            assert sender.scheduler.bottleneck == "budget"
        assert sender.scheduler.waiting_for_budget == 0

    run(main)
    assert len(attempts) == 3


def test_spent_budget_stops_all_that_wait() -> None:
    async def main() -> None:
        sender = dispatcher(SimTransport(Simulator()), Budget(requests=1))
        await sender.attempt(call())
        with pytest.raises(BudgetSpent):
            await sender.attempt(call())
        with pytest.raises(RunStopped):
            await sender.scheduler.acquire(RequestSize(1, 1))

    run(main)


def test_cancelled_attempt_gives_its_slot_back_and_stays_spent() -> None:
    """A cancelled request may be billed, so the whole of its reservation counts as spent."""

    async def main() -> None:
        sender = dispatcher(SimTransport(Simulator(latency_s=9.0)), Budget(requests=2))
        with anyio.move_on_after(1):
            await sender.attempt(call())
        assert sender.scheduler.in_flight == 0
        await sender.attempt(call())
        with pytest.raises(BudgetSpent):
            await sender.attempt(call())

    run(main)


def test_attempt_cancelled_in_the_queue_costs_the_budget_nothing() -> None:
    async def main() -> None:
        limits = Limits(concurrency=1)
        transport = SimTransport(Simulator(latency_s=9.0))
        sender = dispatcher(transport, Budget(requests=2), limits)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(sender.attempt, call())
            await anyio.sleep(1)
            with anyio.move_on_after(1):
                await sender.attempt(call())
        assert isinstance((await sender.attempt(call())).result, Completion)

    run(main)


def test_request_without_a_descriptor_costs_the_budget_nothing() -> None:
    class Full(SimTransport):
        async def post(self, *_: object, **__: object) -> Reply:
            raise LocalError("no descriptor")

    async def main() -> None:
        sender = dispatcher(Full(), Budget(requests=1))
        for _ in range(5):
            assert (await sender.attempt(call())).outcome == Starved()

    run(main)


def test_refused_connection_costs_no_tokens() -> None:
    class Away(SimTransport):
        async def post(self, *_: object, **__: object) -> Reply:
            raise ConnectFailed("refused")

    async def main() -> None:
        sender = dispatcher(Away(), Budget(tokens=500))
        for _ in range(5):
            attempt = await sender.attempt(call())
            assert isinstance(attempt.result, Failure)
            assert attempt.result.kind is FailureKind.NO_CONNECTION

    run(main)
