"""The benchmark of 429 storms and outages: what is wasted and lost where limits are not as told."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from itertools import pairwise, product
from typing import Literal, NamedTuple

from benchmarks.harness import Case, Metrics, Row, Scale, interleave
from benchmarks.policies import POLICIES, Wire
from vcgen import ChatRequest, Endpoint, Engine, Limits, Message
from vcgen.errors import VcgenError
from vcgen.sim import (
    Arrival,
    Capacity,
    Latency,
    Outage,
    Scenario,
    ServerLimits,
    SimTransport,
    Simulator,
    virtual_clock,
)

_RPM = 600
_VCGEN = "vcgen"
_UNPACED = 64  # requests in flight of a policy that was given no rate
_REQUEST = ChatRequest(messages=(Message("user", "Say hello."),), max_tokens=40)
_HALVED = (Capacity(120.0, 0.5), Capacity(300.0, 1.0))
_STRIDE = 37  # so that few of the servers are of all kinds


class Storm(NamedTuple):
    """An endpoint, and how many times too high the limit is that its user gives, None for none."""

    conditions: Scenario
    times: int | None


class Kind(NamedTuple):
    """A kind of limit, and its burst in seconds of the limit where it is a bucket."""

    kind: Literal["sliding", "fixed", "bucket", "strict"]
    burst_s: float = 0.0


_BUCKETS = (Kind("bucket", 1.0), Kind("bucket", 6.0), Kind("bucket", 60.0))
_KINDS = (Kind("strict"), *_BUCKETS, Kind("sliding"), Kind("fixed"))


def _endpoint(
    kind: Kind = _BUCKETS[0],
    *,
    median_s: float = 1.8,
    refusal_s: float = 0.05,
    retry_after: bool = True,
    capacity: Sequence[Capacity] = (),
    outages: Sequence[Outage] = (),
) -> Scenario:
    limits = ServerLimits(
        rpm=_RPM,
        kind=kind.kind,
        burst_s=kind.burst_s,
        headers="none",
        retry_after=retry_after,
        refusal_s=refusal_s,
    )
    latency = Latency(median_s, sigma=0.4)
    return Scenario(limits=limits, latency=latency, capacity=capacity, outages=outages)


_SCENARIOS = {
    "limit 2x too high": Storm(_endpoint(), 2),
    "limit 10x too high": Storm(_endpoint(), 10),
    "no limit given": Storm(_endpoint(), None),
    "120 s refused": Storm(_endpoint(outages=[Outage(60.0, 180.0)]), 1),
    "120 s of 503": Storm(_endpoint(outages=[Outage(60.0, 180.0, "503")]), 1),
    "no burst, slow 429s, 2x": Storm(
        _endpoint(Kind("strict"), refusal_s=2.0, retry_after=False), 2
    ),
}


def storms(scale: Scale) -> Iterator[Row]:
    """6,000 samples, and endpoints of 600 requests a minute that announce no limit.

    First, what policies waste and lose in a few scenarios, vcgen's engine as it is among them. Then
    vcgen alone on 96 servers: kinds of limit (no burst, buckets of 10, 60 and 600, sliding and
    fixed windows), median latency 1.8 or 10 s, 429s after 0.05 or 2 s, capacity halved for three
    minutes or not, Retry-After or not; median, least and most of all servers. Wasted is the part of
    requests that were refused. Goodput is what was granted until the last grant, over what the
    limit allows in that time without any burst. In virtual time over the simulator in memory.
    """
    cases = [
        {"scenario": name, "policy": policy}
        for name in _SCENARIOS
        for policy in (*POLICIES, _VCGEN)
    ]
    seeds = {tuple(case.values()): 0 for case in cases}

    def measure(case: Case) -> Metrics:
        seeds[key := tuple(map(str, case.values()))] += 1
        scenario = _SCENARIOS[str(case["scenario"])]
        return _run(str(case["policy"]), scenario, scale.storm_samples, seeds[key])

    yield from interleave("storms", cases, scale.long_repeats, measure)
    servers = _servers()
    chosen = [servers[at * _STRIDE % len(servers)] for at in range(scale.storm_servers)]
    for name, times in (("2x too high", 2), ("10x too high", 10), ("none", None)):
        row = Row("storms", {"limits given": name, "servers": len(chosen)})
        for seed, conditions in enumerate(chosen):
            scenario = Storm(conditions, times)
            for metric, value in _run(_VCGEN, scenario, scale.storm_samples, seed).items():
                row.metrics.setdefault(metric, []).append(value)
        yield row


def _servers() -> list[Scenario]:
    choices = product(_KINDS, (1.8, 10.0), (0.05, 2.0), ((), _HALVED), (False, True))
    return [
        _endpoint(
            kind, median_s=median_s, refusal_s=refusal_s, capacity=capacity, retry_after=retry_after
        )
        for kind, median_s, refusal_s, capacity, retry_after in choices
    ]


def _run(policy: str, scenario: Storm, samples: int, seed: int) -> Metrics:
    conditions, times = scenario
    rpm = None if times is None else _RPM * times
    sim = Simulator(conditions, seed=seed, log_arrivals=True)
    transport = SimTransport(sim)
    with virtual_clock() as runner:
        if policy == _VCGEN:
            done, seconds = runner.run(_ask_engine(transport, Limits(rpm=rpm), samples, seed))
        else:
            done, seconds = runner.run(_ask(policy, transport, rpm, samples, seed))
    return figures(sim.arrivals or [], conditions) | {
        "lost": 1 - done / samples,
        "minutes": seconds / 60,
    }


async def _ask_engine(
    transport: SimTransport, limits: Limits, samples: int, seed: int
) -> tuple[int, float]:
    """How many samples were answered, and how long all took."""
    endpoint = Endpoint(model="sim", base_url="http://in.memory/v1")
    async with Engine(endpoint, limits=limits, transport=transport, seed=seed) as engine:

        async def one() -> bool:
            try:
                await engine.complete(_REQUEST)
            except VcgenError:
                return False
            return True

        return await _work(one, limits.in_flight or samples, samples)


async def _ask(
    policy: str, transport: SimTransport, rpm: int | None, samples: int, seed: int
) -> tuple[int, float]:
    wire = Wire(transport, rpm, seed)
    in_flight = Limits(rpm=rpm).in_flight or _UNPACED
    return await _work(lambda: POLICIES[policy](wire), in_flight, samples)


async def _work(
    one: Callable[[], Awaitable[bool]], in_flight: int, samples: int
) -> tuple[int, float]:
    numbers, good = iter(range(samples)), list[bool]()

    async def work() -> None:
        for _ in numbers:
            good.append(await one())

    async with asyncio.TaskGroup() as group:
        for _ in range(min(in_flight, samples)):
            group.create_task(work())
    return sum(good), asyncio.get_running_loop().time()


def figures(arrivals: Sequence[Arrival], conditions: Scenario) -> Metrics:
    """What became of requests at an endpoint, as a part of all and of what it allows."""
    refused = sum(arrival.status != 200 for arrival in arrivals)
    granted = len(arrivals) - refused
    last = max((arrival.time_s for arrival in arrivals if arrival.status == 200), default=0.0)
    return {
        "wasted": refused / len(arrivals),
        "refused": refused,
        "goodput": granted / (1 + _allowed(conditions, last)),
    }


def _allowed(conditions: Scenario, until_s: float) -> float:
    """How many requests after the first an endpoint allows, none saved up."""
    changes = [change.from_s for change in conditions.capacity]
    changes += [at for outage in conditions.outages for at in (outage.from_s, outage.to_s)]
    edges = sorted({0.0, until_s, *(at for at in changes if at < until_s)})
    return sum(
        (after - before) * conditions.capacity_at(before) * _RPM / 60
        for before, after in pairwise(edges)
        if conditions.outage_at(before) is None
    )
