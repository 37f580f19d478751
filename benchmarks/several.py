"""The benchmark of several endpoints: how much of their limits is used when one of them is away."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from benchmarks.gate import HELLO
from benchmarks.harness import Case, Metrics, Row, Scale, interleave
from vcgen import Endpoint, Engine, Limits
from vcgen.engine.transport.base import Reply
from vcgen.sim import (
    Arrival,
    Latency,
    Outage,
    OutageKind,
    Scenario,
    ServerLimits,
    SimTransport,
    Simulator,
    virtual_clock,
)

_MINUTES = 10
_AWAY = 3, 6  # from and to, in such minutes
_RPM, _LATENCY_S = (600, 300, 60), (1.0, 3.0, 0.3)
_ASKING = 128


class Fault(NamedTuple):
    """What is wrong with which endpoint: it is away for a while, or refuses the key for good."""

    at: int
    outage: OutageKind | None = None


_FAULTS = {
    "none": None,
    "the largest refuses connections": Fault(0, "refused"),
    "the largest answers 503": Fault(0, "503"),
    "the largest hangs": Fault(0, "hang"),
    "the middle one refuses the key": Fault(1),
}


class Routes:
    """A transport that sends each URL to a simulator of its own."""

    def __init__(self, simulators: Mapping[str, Simulator]) -> None:
        self._to = {url: SimTransport(simulator) for url, simulator in simulators.items()}

    async def post(
        self, url: str, headers: Mapping[str, str], body: bytes, timeout_s: float
    ) -> Reply:
        return await self._to[url].post(url, headers, body, timeout_s)

    async def aclose(self) -> None:
        """There is nothing to close."""


def endpoints(scale: Scale) -> Iterator[Row]:
    """How much is used of the limits of three endpoints: 600, 300 and 60 rpm; 1, 3 and 0.3 s.

    Ten minutes of virtual time over simulators in memory, a seed for each repeat. One is away from
    minute 3 to 6, or refuses the key from the start. `used` is a share of all limits together, `of
    what was there` without those that were away or refused; `meanwhile` is that of the others from
    minute 3 to 6, `wasted` counts requests that brought no answer. `back after s` is when the one
    that was away first answers, `minute after` how much of its limit is used in minute 7.
    """
    seeds: Counter[str] = Counter()
    minute_s = 5 * scale.limits_s / _MINUTES

    def measure(case: Case) -> Metrics:
        seeds[name := str(case["fault"])] += 1
        fault, seed = _FAULTS[name], seeds[name]
        simulators = [_simulator(at, fault, minute_s, seed) for at in range(len(_RPM))]
        with virtual_clock() as runner:
            runner.run(_keep_asking(simulators, _MINUTES * minute_s, seed))
        return use([simulator.arrivals or [] for simulator in simulators], fault, minute_s)

    cases: list[Case] = [{"fault": name} for name in _FAULTS]
    yield from interleave("endpoints", cases, scale.long_repeats, measure)


def _simulator(at: int, fault: Fault | None, minute_s: float, seed: int) -> Simulator:
    away, key = list[Outage](), None
    if fault is not None and fault.at == at:
        if fault.outage is None:
            key = "another"
        else:
            away = [Outage(_AWAY[0] * minute_s, _AWAY[1] * minute_s, fault.outage)]
    limits, latency = ServerLimits(rpm=_RPM[at]), Latency(_LATENCY_S[at], 0.3)
    conditions = Scenario(limits=limits, latency=latency, outages=away)
    return Simulator(conditions, seed=seed + at, key=key, log_arrivals=True)


async def _keep_asking(simulators: Sequence[Simulator], seconds: float, seed: int) -> None:
    known = [
        Endpoint(model="sim", base_url=f"http://{at}/v1", limits=Limits(rpm=rpm, concurrency=64))
        for at, rpm in enumerate(_RPM)
    ]
    urls = [each.url for each in known]
    routes = Routes(dict(zip(urls, simulators, strict=True)))
    engine, loop = Engine(known, transport=routes, seed=seed), asyncio.get_running_loop()

    async def work() -> None:
        while loop.time() < seconds:
            await engine.complete(HELLO)

    async with engine, asyncio.TaskGroup() as group:
        for _ in range(_ASKING):
            group.create_task(work())


def use(arrivals: Sequence[Sequence[Arrival]], fault: Fault | None, minute_s: float) -> Metrics:
    """What became of the endpoints' limits, from the arrivals at each."""

    def used(of: Sequence[int], begin: float, end: float) -> float:
        """The share of what some of them allow that they granted between two minutes."""
        times = [came.time_s for at in of for came in arrivals[at] if came.status == 200]
        granted = sum(begin * minute_s <= time < end * minute_s for time in times)
        return granted * 60 / minute_s / (end - begin) / sum(_RPM[at] for at in of)

    everywhere = range(len(_RPM))
    whole = used(everywhere, 0, _MINUTES)
    wasted = sum(came.status != 200 for at in everywhere for came in arrivals[at])
    if fault is None:
        return {"used": whole, "of what was there": whole, "wasted": wasted}
    begin, end = _AWAY if fault.outage else (0, _MINUTES)
    absent = _RPM[fault.at] * (end - begin) / sum(_RPM) / _MINUTES
    others = [at for at in everywhere if at != fault.at]
    metrics = {
        "used": whole,
        "of what was there": whole / (1 - absent),
        "wasted": wasted,
        "meanwhile": used(others, begin, end),
    }
    if fault.outage:
        answered = [came.time_s for came in arrivals[fault.at] if came.status == 200]
        back = min([time for time in answered if time >= end * minute_s], default=float("inf"))
        metrics["back after s"] = min(back, _MINUTES * minute_s) - end * minute_s
        metrics["minute after"] = used([fault.at], end, end + 1)
    return metrics
