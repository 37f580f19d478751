"""The benchmark of requests in flight where nobody says how many: learned, beside fixed numbers."""

import asyncio
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from benchmarks.harness import Case, Metrics, Row, Scale, interleave
from vcgen import ChatRequest, Endpoint, Engine, Limits, Message
from vcgen.sim import Latency, Scenario, Simulator, TimedTransport, virtual_clock

_FIXED = (16, 32, 64, 128, 256, 512, 1024)
_LEARNED = "learned"
_REQUEST = ChatRequest(messages=(Message("user", "Say hello."),), max_tokens=40)


class Server(NamedTuple):
    """Works on so many requests at once, each for its latency; the others wait."""

    slots: int
    latency: Latency


_UNEVEN, _ALIKE = Latency(2.0, sigma=0.5), Latency(2.0)
_SERVERS = {
    "64 slots, 2 s (sigma 0.5)": Server(64, _UNEVEN),
    "64 slots, 2 s alike": Server(64, _ALIKE),
    "64 slots, 2 s (sigma 0.5), 1 % take 20 s": Server(64, Latency(2.0, 0.5, 0.01, 10.0)),
    "64 slots, 1 s (sigma 0.2), 10 % take 20 s": Server(64, Latency(1.0, 0.2, 0.1, 20.0)),
    "8 slots, 0.2 s (sigma 0.5)": Server(8, Latency(0.2, 0.5)),
    "256 slots, 2 s (sigma 0.5)": Server(256, _UNEVEN),
    "1000 slots, 20 s (sigma 0.5)": Server(1000, Latency(20.0, 0.5)),
}


def knee(scale: Scale) -> Iterator[Row]:
    """How soon all is done, and how long one request takes, with no number in flight given.

    A server that never refuses: beyond its slots requests wait. Beside each fixed number of
    requests in flight, and the best of them, which is the least whose time is within 1 % of the
    shortest. In virtual time over the simulator in memory, a seed for each repeat.
    """
    for name, server in _SERVERS.items():
        ways: list[str | int] = [_LEARNED, *_FIXED]
        cases = [{"server": name, "in flight": way} for way in ways]
        seeds = dict.fromkeys(ways, 0)
        yield from _compare(
            name,
            interleave("knee", cases, scale.repeats, partial(_measure, server, seeds, scale)),
        )


def _compare(name: str, rows: list[Row]) -> Iterator[Row]:
    learned, *fixed = rows
    yield from rows
    ratios = Row("knee", {"server": name, "in flight": f"{_LEARNED} : best"})
    for repeat in range(len(learned.metrics["s"])):
        shortest = min(row.metrics["s"][repeat] for row in fixed)
        best = next(row for row in fixed if row.metrics["s"][repeat] <= 1.01 * shortest)
        for metric in learned.metrics:
            ratio = learned.metrics[metric][repeat] / best.metrics[metric][repeat]
            ratios.metrics.setdefault(metric, []).append(ratio)
    yield ratios


def _measure(server: Server, seeds: dict[str | int, int], scale: Scale, case: Case) -> Metrics:
    way = case["in flight"]
    seeds[way] += 1
    given = Limits() if isinstance(way, str) else Limits(concurrency=way)
    conditions = Scenario(latency=server.latency, slots=server.slots)
    transport = TimedTransport(Simulator(conditions, seed=seeds[way]))
    with virtual_clock() as runner:
        return runner.run(_send(transport, given, scale.knee_requests))


async def _send(transport: TimedTransport, given: Limits, requests: int) -> Metrics:
    """Ask everything at once, as a caller without limits of its own would."""
    endpoint = Endpoint(model="sim", base_url="http://in.memory/v1")
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with (
        Engine(endpoint, limits=given, transport=transport, timeout_s=3600) as engine,
        asyncio.TaskGroup() as group,
    ):
        for _ in range(requests):
            group.create_task(engine.complete(_REQUEST))
    seconds, latencies = loop.time() - began, sorted(transport.latencies)
    return {
        "s": seconds,
        "p95 s": latencies[int(0.95 * len(latencies))],
        "in flight on average": sum(latencies) / seconds,
    }
