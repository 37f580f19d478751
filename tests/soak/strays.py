"""Failures now and then over real sockets on uvloop, beside the same run without: the rate kept."""

import logging
from functools import cache

import anyio
import pytest

from tests.support.real_loop import ask_all, on_uvloop
from vcgen.engine.config import Endpoint, Limits
from vcgen.engine.engine import Engine
from vcgen.sim import Simulator, parse_faults, serve

ROUNDS_S = 12.0  # that a run takes without strays
LEAST_KEPT = {0.01: 0.9, 0.05: 0.75}
CELLS = [
    ("500", 0.01, 5.0, 512),
    ("500", 0.05, 1.0, 64),
    ("503", 0.01, 5.0, 64),
    ("503+2", 0.01, 1.0, 64),
    ("503+2", 0.05, 5.0, 512),
    ("429", 0.01, 0.3, 64),
    ("429", 0.05, 5.0, 64),
    ("429+2", 0.01, 1.0, 512),
    ("reset", 0.01, 5.0, 512),
    ("reset", 0.05, 1.0, 64),
    ("close", 0.01, 0.3, 64),
    ("close", 0.05, 5.0, 64),
]


class _Outages(logging.Handler):
    """Counts outages that are believed."""

    count = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.count += record.getMessage().endswith(" is out")


def seconds(faults: str, latency_s: float, in_flight: int) -> float:
    """Seconds to answer all samples."""
    simulator = Simulator(latency_s=latency_s, faults=parse_faults(faults))
    samples, took_s = round(ROUNDS_S * in_flight / latency_s), 0.0

    async def main() -> None:
        nonlocal took_s
        async with serve(simulator) as url:
            endpoint = Endpoint(model="sim", base_url=url)
            async with Engine(endpoint, limits=Limits(concurrency=in_flight)) as engine:
                began = anyio.current_time()
                answered = await ask_all(engine, samples, 2 * in_flight)
                took_s = anyio.current_time() - began
        assert len(answered.completions) == samples

    on_uvloop(main, patience_s=100)
    return took_s


@cache
def clean_seconds(latency_s: float, in_flight: int) -> float:
    return seconds("", latency_s, in_flight)


@pytest.mark.timeout(240)
@pytest.mark.parametrize(("kind", "share", "latency_s", "in_flight"), CELLS)
def test_strays_keep_most_of_the_rate(
    kind: str, share: float, latency_s: float, in_flight: int
) -> None:
    name, _, hint = kind.partition("+")
    outages, log = _Outages(), logging.getLogger("vcgen")
    log.addHandler(outages)
    try:
        with_strays_s = seconds(
            f"{name}:{share}@0.02" + (f"+{hint}" if hint else ""), latency_s, in_flight
        )
    finally:
        log.removeHandler(outages)
    kept = clean_seconds(latency_s, in_flight) / with_strays_s
    print(
        f"\n{share:.0%} {kind}, replies of {latency_s:g} s, {in_flight} in flight: "
        f"{kept:.2f} of the rate kept (at least {LEAST_KEPT[share]}), outages believed: "
        f"{outages.count}"
    )
    assert outages.count == 0
