"""Outages, in virtual time: few requests wasted, no sample lost, the load moves and comes back."""

import asyncio

import anyio
import pytest

from tests.support.common import Servers, run
from vcgen.engine.chat import ChatRequest, Completion, Message
from vcgen.engine.config import Endpoint, Limits
from vcgen.engine.engine import Engine
from vcgen.errors import RequestFailed, RunStopped
from vcgen.sim import (
    Latency,
    Outage,
    Scenario,
    ServerCapabilities,
    ServerLimits,
    SimTransport,
    Simulator,
    parse_faults,
)

LATENCY = Latency(1.8, 0.4)


def ask_all(engine: Engine, samples: int, workers: int) -> list[tuple[float, Completion]]:
    """Each sample's answer, and when it came."""
    answers: list[tuple[float, Completion]] = []
    numbers = iter(range(samples))

    async def work() -> None:
        for number in numbers:
            request = ChatRequest(messages=(Message("user", f"Say {number}."),), max_tokens=40)
            answer = await engine.complete(request)
            answers.append((asyncio.get_running_loop().time(), answer))

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            for _ in range(workers):
                tasks.start_soon(work)

    run(main)
    assert engine.in_flight == 0
    return answers


@pytest.mark.parametrize("outage", [Outage(60, 180, "refused"), Outage(60, 180, "503")], ids=str)
@pytest.mark.parametrize("workers", [1, 2, 64])
def test_two_minutes_of_outage_cost_few_requests_and_no_sample(
    outage: Outage, workers: int
) -> None:
    conditions = Scenario(limits=ServerLimits(rpm=600), latency=LATENCY, outages=[outage])
    simulator = Simulator(conditions, log_arrivals=True)
    limits = Limits(rpm=600, concurrency=workers)
    engine = Engine(Endpoint(model="sim"), transport=SimTransport(simulator), limits=limits)
    samples = 1000 if workers > 2 else 100
    assert len(ask_all(engine, samples, workers)) == samples
    wasted = [arrival for arrival in simulator.arrivals or [] if arrival.status != 200]
    assert 0 < len(wasted) <= 25


def test_only_request_that_always_fails_is_given_up() -> None:
    simulator = Simulator(Scenario(latency=LATENCY), faults=parse_faults("500:1"))
    engine = Engine(Endpoint(model="sim"), transport=SimTransport(simulator))

    async def main() -> None:
        with pytest.raises(RequestFailed):
            await engine.complete(ChatRequest(messages=(Message("user", "Hello."),)))
        assert anyio.current_time() < 300

    run(main)


def test_server_that_fails_every_third_request_is_not_out() -> None:
    simulator = Simulator(
        Scenario(limits=ServerLimits(rpm=600), latency=LATENCY), faults=parse_faults("500:0.33")
    )
    limits = Limits(rpm=600, concurrency=64)
    engine = Engine(Endpoint(model="sim"), transport=SimTransport(simulator), limits=limits)
    lost = 0

    async def one(number: int) -> None:
        nonlocal lost
        try:
            text = f"Say {number}."
            await engine.complete(ChatRequest(messages=(Message("user", text),), max_tokens=40))
        except RequestFailed:
            lost += 1

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            for number in range(1500):
                tasks.start_soon(one, number)
        # 1,500 answers take 2,240 requests at 600 a minute.
        assert anyio.current_time() < 280

    run(main)
    assert lost <= 10  # one in 770 fails six times in a row


def test_load_of_an_endpoint_that_is_out_moves_and_returns() -> None:
    out = Scenario(latency=LATENCY, outages=[Outage(60, 240)])
    simulators = [
        Simulator(out, rpm=300, log_arrivals=True),
        Simulator(Scenario(latency=LATENCY), rpm=600, log_arrivals=True),
    ]
    servers = Servers(simulators)
    engine = Engine(servers.endpoints, transport=servers)
    assert len(ask_all(engine, 5500, 64)) == 5500
    failing, other = (simulator.arrivals or [] for simulator in simulators)

    def each_minute(minute: int) -> tuple[int, int]:
        begin, end = 60 * minute, 60 * minute + 60
        first, second = (
            sum(1 for a in arrivals if begin <= a.time_s < end and a.status == 200)
            for arrivals in (failing, other)
        )
        return first, second

    assert each_minute(0) == pytest.approx((300, 600), rel=0.05)
    assert each_minute(2) == pytest.approx((0, 600), rel=0.05)
    assert each_minute(5) == pytest.approx((300, 600), rel=0.05)
    assert sum(arrival.status != 200 for arrival in failing) <= 30


@pytest.mark.parametrize("seed", range(3))
def test_endpoint_that_hung_is_found_before_its_timeout(seed: int) -> None:
    hung = Scenario(latency=LATENCY, outages=[Outage(60, 300, "hang")])
    simulators = [
        Simulator(hung, rpm=300, seed=seed, log_arrivals=True),
        Simulator(Scenario(latency=LATENCY), rpm=600),
    ]
    servers = Servers(simulators)
    engine = Engine(servers.endpoints, transport=servers, seed=seed)
    assert len(ask_all(engine, 5000, 64)) == 5000
    arrivals = simulators[0].arrivals or []
    probes = [arrival.time_s for arrival in arrivals if 190 <= arrival.time_s < 300]
    back = min(a.time_s for a in arrivals if a.time_s >= 300 and a.status == 200)
    assert len(probes) >= 4
    assert back < 350


@pytest.mark.parametrize("refused", [0, 1])
def test_a_refused_key_takes_out_its_endpoint_and_not_the_run(refused: int) -> None:
    simulators = [
        Simulator(Scenario(latency=LATENCY), key="the right one" if at == refused else None)
        for at in range(2)
    ]
    servers = Servers(simulators)
    engine = Engine(servers.endpoints, transport=servers, limits=Limits(concurrency=8))
    answers = ask_all(engine, 200, 16)
    assert len(answers) == 200
    assert simulators[refused].requests <= 8
    assert simulators[1 - refused].statuses == {200: 200}


def test_the_last_refused_key_ends_the_run() -> None:
    servers = Servers([Simulator(key="the right one") for _ in range(3)])
    engine = Engine(servers.endpoints, transport=servers, limits=Limits(concurrency=1))

    async def main() -> None:
        with pytest.raises(RunStopped, match="refuses the key"):
            await engine.complete(ChatRequest(messages=(Message("user", "Hello."),)))

    run(main)


def test_absent_endpoint_does_not_end_a_run_with_another() -> None:
    away = Scenario(outages=[Outage(0, 10_000)])
    servers = Servers([Simulator(away), Simulator(Scenario(latency=LATENCY), rpm=60)])
    engine = Engine(servers.endpoints, transport=servers)
    assert len(ask_all(engine, 200, 8)) == 200


def test_what_one_endpoint_understands_says_nothing_of_another() -> None:
    simulators = [
        Simulator(Scenario(latency=LATENCY), behaviour=ServerCapabilities(max_tokens=False)),
        Simulator(Scenario(latency=LATENCY)),
    ]
    servers = Servers(simulators)
    engine = Engine(servers.endpoints, transport=servers, limits=Limits(concurrency=4))
    assert len(ask_all(engine, 100, 8)) == 100
    assert simulators[0].statuses[400] <= 4
    assert simulators[1].statuses == {200: simulators[1].requests}
