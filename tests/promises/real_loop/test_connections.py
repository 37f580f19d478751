"""Connections that the server drops without a word: what it saw is what the engine counted."""

import anyio
import pytest

from tests.support.real_loop import ask_all, on_uvloop
from vcgen.engine.budget import Budget
from vcgen.engine.config import Endpoint, Limits
from vcgen.engine.engine import Engine
from vcgen.engine.limits.token_bucket import BURST_S
from vcgen.errors import BudgetSpent
from vcgen.sim import Simulator, parse_faults, serve

pytestmark = pytest.mark.timeout(60)


def test_budget_of_requests_holds_at_the_server() -> None:
    simulator = Simulator(faults=parse_faults("close:0.3"))

    async def main() -> None:
        async with serve(simulator) as url:
            endpoint = Endpoint(model="sim", base_url=url)
            limits, budget = Limits(concurrency=16), Budget(requests=300)
            async with Engine(endpoint, limits=limits, budget=budget) as engine:
                with pytest.raises(ExceptionGroup) as raised:
                    await ask_all(engine, 1000, workers=16)
                assert raised.group_contains(BudgetSpent)

    on_uvloop(main)
    assert simulator.requests == 300


def test_rate_holds_at_the_server_which_sees_what_is_counted() -> None:
    """Three in ten are dropped, most of them on connections that have carried others."""
    simulator = Simulator(faults=parse_faults("close:0.3"))
    seconds, rpm = 1.5, 6000

    async def main() -> None:
        async with serve(simulator) as url:
            endpoint = Endpoint(model="sim", base_url=url)
            async with Engine(endpoint, limits=Limits(rpm=rpm)) as engine:
                with anyio.move_on_after(seconds):
                    await ask_all(engine, 10**6, workers=64)
                assert engine.counters.requests == simulator.requests

    on_uvloop(main)
    assert simulator.requests <= rpm / 60 * (seconds + BURST_S)
