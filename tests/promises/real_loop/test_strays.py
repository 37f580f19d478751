"""A failure now and then beside slow replies, over sockets: no outage is believed."""

import pytest

from tests.support.real_loop import ask_all, on_uvloop
from vcgen.engine.config import Endpoint, Limits
from vcgen.engine.engine import Engine
from vcgen.sim import Simulator, parse_faults, serve

IN_FLIGHT, SAMPLES, LATENCY_S = 64, 256, 0.6


@pytest.mark.parametrize("fault", ["500:0.05@0.01", "503:0.05@0.01+1", "reset:0.05@0.01"])
def test_strays_are_no_outage(fault: str, caplog: pytest.LogCaptureFixture) -> None:
    simulator = Simulator(latency_s=LATENCY_S, faults=parse_faults(fault))

    async def main() -> None:
        async with serve(simulator) as url:
            endpoint = Endpoint(model="sim", base_url=url)
            async with Engine(endpoint, limits=Limits(concurrency=IN_FLIGHT)) as engine:
                answered = await ask_all(engine, SAMPLES, IN_FLIGHT)
        assert len(answered.completions) == SAMPLES

    on_uvloop(main)
    assert sum(simulator.faults_met.values()) >= 5
    assert not [message for message in caplog.messages if message.endswith("is out")]
