"""Two endpoints over real sockets on uvloop, one of which refuses everything at once."""

from collections.abc import Mapping

import pytest

from tests.support.real_loop import ask_all, on_uvloop
from vcgen.engine.config import Endpoint, Limits
from vcgen.engine.engine import Engine
from vcgen.sim import SimReply, Simulator, serve

pytestmark = pytest.mark.timeout(60)

IN_FLIGHT = 64


class NoSuchPath(Simulator):
    """Answers 404 without delay, as a server with another path does."""

    def answer(self, headers: Mapping[str, str], body: bytes, now: float) -> SimReply:
        error = b'{"error": {"message": "no such path"}}'
        return super().answer(headers, body, now)._replace(status=404, body=error, delay_s=0.0)


def test_endpoint_that_refuses_at_once_costs_no_sample() -> None:
    bad, good = NoSuchPath(), Simulator(latency_s=0.1)

    async def main() -> None:
        async with serve(bad) as first, serve(good) as second:
            endpoints = [Endpoint(model="sim", base_url=url) for url in (first, second)]
            async with Engine(endpoints, limits=Limits(concurrency=IN_FLIGHT)) as engine:
                answered = await ask_all(engine, 700, workers=2 * IN_FLIGHT)
                assert len(answered.completions) == 700
                assert not answered.failures
                [(name, reason)] = engine.left_out.items()
                assert first in name
                assert "no such path" in reason

    on_uvloop(main)
    assert good.requests == 700
    assert bad.requests < IN_FLIGHT + 20
