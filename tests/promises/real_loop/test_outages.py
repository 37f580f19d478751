"""A server that is away for some seconds loses no sample; `tests/soak/outages.py` has all cells."""

import pytest

from tests.support.real_loop import (
    Absence,
    Leaving,
    Moment,
    Outage,
    ask_all,
    on_uvloop,
    served_with_outage,
)
from vcgen.engine.config import Endpoint, Limits
from vcgen.engine.engine import Engine

IN_FLIGHT, SAMPLES, LATENCY_S, AWAY_S = 16, 200, 0.1, 2.0
CELLS: list[tuple[Absence, Moment]] = [
    ("refused", "start"),
    ("refused", "middle"),
    ("silent", "middle"),
    ("reset", "middle"),
    ("reset", "end"),
    ("503", "start"),
]


@pytest.mark.parametrize(("absence", "moment"), CELLS)
def test_an_outage_loses_no_sample(absence: Absence, moment: Moment) -> None:
    simulator = Leaving(LATENCY_S)

    async def main() -> None:
        outage = Outage(absence, moment, AWAY_S)
        async with served_with_outage(simulator, outage, SAMPLES, IN_FLIGHT) as url:
            endpoint = Endpoint(model="sim", base_url=url)
            limits = Limits(concurrency=IN_FLIGHT)
            async with Engine(endpoint, limits=limits, timeout_s=4) as engine:
                answered = await ask_all(engine, SAMPLES, IN_FLIGHT)
                assert answered.failures == {}
                assert len(answered.completions) == SAMPLES
                assert engine.in_flight == 0

    on_uvloop(main)
    # It takes failures over a second to tell an outage from strays.
    assert simulator.in_vain <= 3 * IN_FLIGHT
