"""The engine: stop, pause, affinity, map, time; the key nowhere to be seen."""

from collections.abc import AsyncIterator

import anyio
import pytest
from pydantic import SecretStr

from tests.support.canary import KEY
from tests.support.common import run
from tests.support.script import HELLO, SIM, Event, Script, error
from vcgen.engine.budget import Budget
from vcgen.engine.config import Endpoint, Limits
from vcgen.engine.engine import Engine, MapResult, default_transport
from vcgen.engine.limits.queue import Affinity
from vcgen.engine.pool import BUFFERED
from vcgen.engine.transport.asyncio_http import HttpTransport
from vcgen.engine.transport.httpx_client import HttpxTransport
from vcgen.errors import (
    BudgetSpent,
    ConnectFailed,
    RunStopped,
    UsageError,
)
from vcgen.sim import SimTransport, Simulator, parse_faults


def test_a_cancelled_call_leaves_nothing_in_flight() -> None:
    engine = Engine(SIM, transport=SimTransport(Simulator(latency_s=50)))

    async def main() -> None:
        with anyio.move_on_after(5):
            await engine.complete(HELLO)
        assert engine.in_flight == 0
        assert (await engine.complete(HELLO)).text

    run(main)


def test_stop_ends_who_waits_and_spares_who_is_in_flight() -> None:
    engine = Engine(
        SIM,
        transport=SimTransport(Simulator(latency_s=5)),
        limits=Limits(concurrency=1),
    )
    ended: list[object] = []

    async def one() -> None:
        try:
            ended.append((await engine.complete(HELLO)).text)
        except RunStopped as reason:
            ended.append(str(reason))

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(one)
            await anyio.sleep(1)
            engine.stop(RunStopped("enough"))

    run(main)
    assert ended[:2] == ["enough", "enough"]
    assert ended[2] != "enough"


@pytest.mark.parametrize("where", ["error", "exception"])
def test_the_key_is_repeated_by_no_message_and_no_repr(where: str) -> None:
    said = f"no key {KEY} here"
    event: Event = error(401, message=said) if where == "error" else ConnectFailed(said)
    script = Script([event])
    endpoint = Endpoint(model="m", key=SecretStr(KEY))
    engine = Engine(endpoint, transport=script)

    async def main() -> None:
        with pytest.raises(RunStopped) as raised:
            await engine.complete(HELLO)
        assert KEY not in repr(raised.value)
        assert "(the key)" in str(raised.value)

    run(main)
    assert script.headers["authorization"] == f"Bearer {KEY}"
    assert KEY not in repr(engine) + repr(endpoint) + str(endpoint)


def test_a_deadline_that_is_none_is_wrong_use() -> None:
    for timeout_s in (0, -1, float("inf"), float("nan")):
        with pytest.raises(UsageError):
            Engine(SIM, timeout_s=timeout_s)


@pytest.mark.parametrize("rpm", [None, 30])
def test_a_paused_engine_sends_nothing_and_loses_nothing(rpm: int | None) -> None:
    """Neither from free slots, nor the request that waits for its payment."""

    async def main() -> None:
        simulator = Simulator(latency_s=1.0)
        engine = Engine(
            SIM, transport=SimTransport(simulator), limits=Limits(concurrency=2, rpm=rpm)
        )
        answers = []

        async def ask() -> None:
            answers.append(await engine.complete(HELLO))

        async with anyio.create_task_group() as group:
            for _ in range(9):
                group.start_soon(ask)
            await anyio.sleep(2.5)
            engine.pause()
            sent = simulator.requests
            await anyio.sleep(3600)
            assert simulator.requests == sent == len(answers) < 9
            group.start_soon(ask)
            await anyio.sleep(3600)
            assert simulator.requests == sent
            engine.resume()
        assert simulator.requests == len(answers) == 10
        assert engine.counters.requests == 10
        assert engine.in_flight == 0

    run(main)


def test_a_stop_ends_calls_that_a_pause_holds() -> None:
    async def main() -> None:
        engine = Engine(SIM, transport=SimTransport(Simulator()))
        engine.pause()
        async with anyio.create_task_group() as group:

            async def ask() -> None:
                with pytest.raises(RunStopped, match="enough"):
                    await engine.complete(HELLO)

            group.start_soon(ask)
            await anyio.sleep(60)
            engine.resume()
            engine.stop(RunStopped("enough"))
        assert engine.counters.requests == 0

    run(main)


def test_default_transport_follows_the_endpoints() -> None:
    plain, proxied = Endpoint(model="m"), Endpoint(model="m", use_env_proxy=True)
    assert isinstance(default_transport([plain]), HttpTransport)
    assert isinstance(default_transport([proxied]), HttpxTransport)
    with pytest.raises(UsageError, match="the same for each endpoint"):
        default_transport([plain, proxied])


def test_engine_without_an_endpoint_is_wrong_use() -> None:
    with pytest.raises(UsageError, match="at least one endpoint"):
        Engine([])


def test_engine_stops_at_the_budgets_time() -> None:
    async def main() -> None:
        transport = SimTransport(Simulator(latency_s=1.0))
        async with Engine(SIM, transport=transport, budget=Budget(seconds=3.5)) as engine:
            for _ in range(4):
                await engine.complete(HELLO)
            with pytest.raises(BudgetSpent, match="time limit"):
                await engine.complete(HELLO)

    run(main)


def test_closed_engine_leaves_no_timer_of_its_budget() -> None:
    async def main() -> None:
        transport = SimTransport(Simulator())
        async with Engine(SIM, transport=transport, budget=Budget(seconds=5.0)) as engine:
            await engine.complete(HELLO)
        await anyio.sleep(10)
        assert (await engine.complete(HELLO)).text  # not stopped by a late timer

    run(main)


def test_affinity_prefers_the_endpoint_that_answered() -> None:
    async def main() -> None:
        endpoints = [Endpoint(model="sim", base_url=f"http://server-{at}/v1") for at in "ab"]
        engine = Engine(endpoints, transport=SimTransport(Simulator(latency_s=1.0)))
        affinity = Affinity()
        await engine.complete(HELLO, affinity=affinity)
        chosen = affinity.preferred
        assert affinity.begun
        for _ in range(5):
            await engine.complete(HELLO, affinity=affinity)
            assert affinity.preferred is chosen

    run(main)


def test_map_answers_each_prompt_once_and_gives_errors() -> None:
    results: list[MapResult[str]] = []

    async def main() -> None:
        simulator = Simulator(latency_s=1.0, faults=parse_faults("quota:0,500:0.3"))
        engine = Engine(SIM, transport=SimTransport(simulator), limits=Limits(concurrency=8))
        results.extend([result async for result in engine.map(f"Say {n}." for n in range(200))])

    run(main)
    assert sorted(result.request for result in results) == sorted(f"Say {n}." for n in range(200))
    assert all((result.completion is None) != (result.error is None) for result in results)


def test_map_reads_an_endless_input_no_further_than_it_sends() -> None:
    pulled = 0

    async def prompts() -> AsyncIterator[str]:
        nonlocal pulled
        while True:
            pulled += 1
            yield f"Say {pulled}."

    async def main() -> None:
        transport = SimTransport(Simulator(latency_s=1.0))
        engine = Engine(SIM, transport=transport, limits=Limits(concurrency=4))
        results = engine.map(prompts())
        for answered in range(1, 50):
            assert (await anext(results)).completion
            assert pulled <= answered + 4 + BUFFERED
        await results.aclose()
        assert engine.in_flight == 0

    run(main)


def test_map_raises_a_stop_after_the_results_before_it() -> None:
    async def main() -> None:
        transport = SimTransport(Simulator(latency_s=1.0))
        limits, budget = Limits(concurrency=4), Budget(requests=10)
        engine = Engine(SIM, transport=transport, limits=limits, budget=budget)
        results = engine.map(f"Say {n}." for n in range(100))
        for _ in range(10):
            assert (await anext(results)).completion
        with pytest.raises(BudgetSpent):
            await anext(results)

    run(main)
