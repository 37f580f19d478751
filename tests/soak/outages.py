"""Outages of a quarter of a minute over real sockets on uvloop, of each kind, at each moment."""

import anyio
import pytest

from tests.support.real_loop import (
    ABSENCES,
    MOMENTS,
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

IN_FLIGHT, SAMPLES, LATENCY_S, AWAY_S, TIMEOUT_S = 64, 640, 1.0, 15.0, 10.0


@pytest.mark.timeout(120)
@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("absence", ABSENCES)
def test_an_outage_loses_no_sample(absence: Absence, moment: Moment) -> None:
    simulator = Leaving(LATENCY_S)
    took_s = 0.0

    async def main() -> None:
        nonlocal took_s
        outage = Outage(absence, moment, AWAY_S)
        async with served_with_outage(simulator, outage, SAMPLES, IN_FLIGHT) as url:
            endpoint = Endpoint(model="sim", base_url=url)
            limits = Limits(concurrency=IN_FLIGHT)
            async with Engine(endpoint, limits=limits, timeout_s=TIMEOUT_S) as engine:
                began = anyio.current_time()
                answered = await ask_all(engine, SAMPLES, IN_FLIGHT)
                took_s = anyio.current_time() - began
        assert answered.failures == {}
        assert len(answered.completions) == SAMPLES

    on_uvloop(main, patience_s=100)
    least_s = SAMPLES / IN_FLIGHT * LATENCY_S + AWAY_S
    print(
        f"\n{absence} for {AWAY_S:.0f} s at the {moment}: 0 of {SAMPLES} samples lost, "
        f"{simulator.in_vain} requests in vain, {took_s - least_s:.1f} s more than the outage "
        f"and a run without one"
    )
    assert simulator.in_vain <= 3 * IN_FLIGHT
