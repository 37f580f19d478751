"""The benchmarks of what the gate does with late requests and with thousands that wait."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from itertools import count

import uvloop

from benchmarks.harness import Case, Metrics, Row, Scale, ask, interleave, ratio
from vcgen import ChatRequest, Endpoint, Engine, Limits, Message, RunStopped
from vcgen.sim import Latency, Outage, Scenario, SimTransport, Simulator, virtual_clock

HELLO = ChatRequest(messages=(Message("user", "Say hello."),), max_tokens=40)
_IN_FLIGHT = 64
_LATENCIES = {
    "sigma 0.5, 0.5 % take 20 times as long": Latency(2.0, 0.5, straggler_share=0.005),
    "sigma 0.5, 1 % take 20 times as long": Latency(2.0, 0.5, straggler_share=0.01),
    "sigma 0.5, 2 % take 20 times as long": Latency(2.0, 0.5, straggler_share=0.02),
    "sigma 1": Latency(2.0, 1.0),
}
_SETTLE_S = 0.5


def hedging(scale: Scale) -> Iterator[Row]:
    """How much sooner the last 1 % of 10,000 requests finish with `hedge`, and its price.

    In virtual time over the simulator in memory, 64 in flight, latencies lognormal of median 2 s, a
    seed for each repeat. `last 1 % s` is from when 99 % are done until all are; `more requests` are
    copies, and what timed out and was sent again.
    """
    seeds: Counter[tuple[str | int, ...]] = Counter()

    def measure(case: Case) -> Metrics:
        seeds[key := tuple(case.values())] += 1
        sim = Simulator(Scenario(latency=_LATENCIES[str(case["latency"])]), seed=seeds[key])
        engine = Engine(
            Endpoint(model="sim"),
            limits=Limits(concurrency=_IN_FLIGHT),
            transport=SimTransport(sim),
            seed=seeds[key],
            hedge=case["hedge"] == "yes",
        )
        with virtual_clock() as runner:
            done = runner.run(_work_off(engine, scale.few))
        last = max(1, scale.few // 100)
        return {
            "last 1 % s": done[-1] - done[-last - 1],
            "all s": done[-1],
            "more requests": sim.requests - scale.few,
        }

    for latency in _LATENCIES:
        cases: list[Case] = [{"latency": latency, "hedge": hedge} for hedge in ("no", "yes")]
        without, hedged = rows = interleave("hedging", cases, scale.seeds, measure)
        yield from rows
        yield ratio(without, hedged, "last 1 % s", {"latency": latency, "hedge": "no : yes"})


async def _work_off(engine: Engine, requests: int) -> list[float]:
    """When each of so many requests was done."""
    loop, numbers = asyncio.get_running_loop(), count()
    done: list[float] = []

    async def work() -> None:
        while next(numbers) < requests:
            await engine.complete(HELLO)
            done.append(loop.time())

    async with engine, asyncio.TaskGroup() as group:
        for _ in range(_IN_FLIGHT):
            group.create_task(work())
    return done


def waiting(scale: Scale) -> Iterator[Row]:
    """CPU while requests wait at gates that let one a second through each, or are closed.

    In real time, once all have queued; over the simulator in memory, whose work for what leaves is
    in it. A closed gate is that of an endpoint that refuses connections and is tried now and then.
    """

    def measure(case: Case) -> Metrics:
        return dict(ask("gate", "wait", *case.values(), 2 * scale.seconds))

    most = scale.few
    kinds = [(number, 1, "60 rpm") for number in (most // 100, most // 10, most)]
    kinds += [(most, 3, "60 rpm"), (most, 8, "60 rpm"), (most, 1, "closed")]
    cases: list[Case] = [{"waiting": x, "endpoints": y, "gates": z} for x, y, z in kinds]
    yield from interleave("waiting", cases, scale.long_repeats, measure)


def wait(requests: int, endpoints: int, gates: str, seconds: float) -> Metrics:
    """What it takes of a core to do nothing for some seconds."""
    outages = [Outage(0, float("inf"))] if gates == "closed" else []
    sim = Simulator(Scenario(latency=Latency(0.2), outages=outages))
    engine = Engine(
        [Endpoint(model="sim", base_url=f"http://{at}.in.memory/v1") for at in range(endpoints)],
        limits=Limits(rpm=60, concurrency=_IN_FLIGHT),
        transport=SimTransport(sim),
    )

    async def one() -> None:
        with suppress(RunStopped):
            await engine.complete(HELLO)

    async def main() -> Metrics:
        async with engine, asyncio.TaskGroup() as group:
            for _ in range(requests):
                group.create_task(one())
            await asyncio.sleep(_SETTLE_S)
            sent, began, cpu_s = sim.requests, time.perf_counter(), time.process_time()
            await asyncio.sleep(seconds)
            cpu_s, took_s = time.process_time() - cpu_s, time.perf_counter() - began
            sent = sim.requests - sent
            engine.stop(RunStopped("measured"))
        return {"% of a core": 100 * cpu_s / took_s, "requests sent": sent}

    return uvloop.run(main())
