"""The worst minute as the server counted it, over real sockets: limits hold, whatever breaks."""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

import anyio
import pytest

from tests.support.real_loop import ask_all, on_uvloop
from vcgen.engine.config import Endpoint, Limits
from vcgen.engine.engine import Engine
from vcgen.sim import Outage, Scenario, Simulator, parse_faults, serve

SECONDS, WINDOW_S, MOST = 130.0, 60.0, 1.02


class Case(NamedTuple):
    """Limits that an engine is given, and what its server does."""

    name: str
    limits: Limits
    faults: str = ""
    outages: Sequence[Outage] = ()
    hedge: bool = False


CASES = [
    Case("rpm 1,200, three in ten connections closed", Limits(rpm=1200), "close:0.3"),
    Case("rpm 1,200, a tenth reset, with --hedge", Limits(rpm=1200), "reset:0.1", hedge=True),
    Case("rpm 900, two outages", Limits(rpm=900), "", (Outage(20, 35), Outage(70, 80, "503"))),
    Case("tpm 60,000, a twentieth 429, 503 and 500", Limits(tpm=60_000, concurrency=64),
         "429:0.02@0.02,503:0.02@0.02+1,500:0.01@0.02"),
]  # fmt: skip


def worst(arrivals: Sequence[tuple[float, int]]) -> int:
    """The largest sum of amounts within any `WINDOW_S`."""
    first = held = most = 0
    for time_s, amount in arrivals:
        held += amount
        while arrivals[first][0] <= time_s - WINDOW_S:
            held -= arrivals[first][1]
            first += 1
        most = max(most, held)
    return most


@pytest.mark.timeout(200)
def test_no_minute_at_the_server_is_above_the_limit() -> None:
    used: dict[str, float] = {}

    async def run(case: Case) -> None:
        scenario = Scenario(outages=case.outages)
        simulator = Simulator(
            scenario, latency_s=0.5, faults=parse_faults(case.faults), log_arrivals=True
        )
        async with serve(simulator) as url:
            endpoint = Endpoint(model="sim", base_url=url)
            async with Engine(endpoint, limits=case.limits, hedge=case.hedge) as engine:
                with anyio.move_on_after(SECONDS):
                    await ask_all(engine, 10**6, workers=128)
        arrivals = simulator.arrivals or []
        if case.limits.rpm is not None:
            used[case.name] = worst([(each.time_s, 1) for each in arrivals]) / case.limits.rpm
        else:
            tokens = [(each.time_s, each.tokens) for each in arrivals]
            used[case.name] = worst(tokens) / (case.limits.tpm or 1)

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            for case in CASES:
                group.create_task(run(case))

    on_uvloop(main, patience_s=180)
    for name, share in used.items():
        print(f"\n{name}: worst minute at the server {share:.3f} of the limit")
    assert max(used.values()) <= MOST
