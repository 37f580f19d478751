"""Strays: failures that concern one request each, in virtual time, beside the same run without."""

import logging
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import product
from statistics import median
from typing import NamedTuple

import anyio

from benchmarks.harness import Row, Scale
from vcgen.engine.chat import ChatRequest, Message
from vcgen.engine.config import Endpoint, Limits
from vcgen.engine.engine import Engine
from vcgen.engine.transport.base import Reply
from vcgen.errors import RequestFailed
from vcgen.sim import Latency, Scenario, SimTransport, Simulator, parse_faults, virtual_clock

FAULT_S = 0.02  # a failure is known long before a reply comes
KINDS = ("429", "429+2", "503", "503+2", "500", "reset", "close", "refused", "handshake")
SHARES = (0.01, 0.05)
LATENCIES_S = (0.3, 1.0, 5.0)
IN_FLIGHT = (64, 512)
GIVEN = ("concurrency", "rpm", "nothing")
SECONDS = 100.0  # of a run without strays, at most
HELLO = ChatRequest(messages=(Message("user", "Say hello."),), max_tokens=40)


class Cell(NamedTuple):
    """A server, its strays, and what the engine is given."""

    kind: str
    share: float
    latency_s: float
    in_flight: int
    given: str
    endpoints: int = 1


class Ended(NamedTuple):
    """How a run ended."""

    samples: int
    failed: int
    seconds: float
    requests: int
    outages: int


def fault(cell: Cell) -> str:
    """The strays of a cell as `parse_faults` reads them."""
    if not cell.share:
        return ""
    kind, _, hint = cell.kind.partition("+")
    return f"{kind}:{cell.share}@{FAULT_S}" + (f"+{hint}" if hint else "")


def limits(cell: Cell) -> Limits:
    """The limits that the engine is given; a rate that suits the server's slots."""
    if cell.given == "concurrency":
        return Limits(concurrency=cell.in_flight)
    if cell.given == "rpm":
        return Limits(rpm=round(0.9 * 60 * cell.in_flight / cell.latency_s))
    return Limits()


def end(cell: Cell, seed: int, most_samples: int) -> Ended:
    """Do a run in virtual time."""
    scenario = Scenario(latency=Latency(cell.latency_s, 0.3), slots=cell.in_flight)
    simulators = [
        Simulator(scenario, seed=seed + at, faults=parse_faults(fault(cell)))
        for at in range(cell.endpoints)
    ]
    per_second = cell.endpoints * cell.in_flight / cell.latency_s
    samples, failed = min(most_samples, round(SECONDS * per_second)), 0

    async def main() -> float:
        nonlocal failed
        transport = _Several(simulators)
        numbers = iter(range(samples))

        async def work() -> None:
            nonlocal failed
            for _ in numbers:
                try:
                    await engine.complete(HELLO)
                except RequestFailed:
                    failed += 1

        engine = Engine(transport.endpoints, limits=limits(cell), transport=transport, seed=seed)
        async with engine, anyio.create_task_group() as tasks:
            for _ in range(2 * cell.endpoints * cell.in_flight):
                tasks.start_soon(work)
        return anyio.current_time()

    outages, log = _Outages(), logging.getLogger("vcgen")
    before = log.level
    log.addHandler(outages)
    log.setLevel(logging.INFO)
    try:
        with virtual_clock() as runner:
            took_s = runner.run(main())
    finally:
        log.removeHandler(outages)
        log.setLevel(before)
    return Ended(samples, failed, took_s, sum(each.requests for each in simulators), outages.count)


def strays(scale: Scale) -> Iterator[Row]:
    """How much of its rate a run keeps when one request in a hundred, or in twenty, fails.

    Failures take 20 ms, replies 0.3 to 5 s (lognormal, sigma 0.3). Rates are divided by that of the
    same run without strays; of each kind and share the worst cell is named.
    """
    seeds, most = range(max(1, scale.seeds // 4)), scale.stray_samples
    for kind, share in product(KINDS, SHARES):
        kept: dict[Cell, float] = {}
        outages = failed = 0
        for latency_s, in_flight, given in product(LATENCIES_S, IN_FLIGHT, GIVEN):
            cell = Cell(kind, share, latency_s, in_flight, given)
            runs = [(clean_seconds(cell, seed, most), end(cell, seed, most)) for seed in seeds]
            kept[cell] = min(clean_s / run.seconds for clean_s, run in runs)
            outages += sum(run.outages for _, run in runs)
            failed += sum(run.failed for _, run in runs)
        worst = min(kept, key=kept.__getitem__)
        yield Row(
            "strays",
            {"kind": kind, "share": f"{share:.0%}"},
            {
                "rate kept, least": [kept[worst]],
                "median": [median(kept.values())],
                "outages believed": [outages],
                "samples lost": [failed],
            },
            f"least: {worst.latency_s:g} s, {worst.in_flight} in flight, {worst.given} given",
        )


def clean_seconds(cell: Cell, seed: int, most_samples: int) -> float:
    """Seconds that the run of a cell takes without strays."""
    return _seconds(cell._replace(kind="500", share=0.0), seed, most_samples)


@cache
def _seconds(cell: Cell, seed: int, most_samples: int) -> float:
    return end(cell, seed, most_samples).seconds


class _Outages(logging.Handler):
    """Counts outages that are believed."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.count += record.getMessage().endswith(" is out")


class _Several:
    """A transport to several simulators, each at a host of its own."""

    def __init__(self, simulators: list[Simulator]) -> None:
        self._at = {
            f"http://server-{at}.test/v1/chat/completions": SimTransport(simulator)
            for at, simulator in enumerate(simulators)
        }
        self.endpoints = [
            Endpoint(model="sim", base_url=url.removesuffix("/chat/completions"))
            for url in self._at
        ]

    async def post(
        self, url: str, headers: Mapping[str, str], body: bytes, timeout_s: float
    ) -> Reply:
        return await self._at[url].post(url, headers, body, timeout_s)

    async def aclose(self) -> None:
        """Do nothing."""
