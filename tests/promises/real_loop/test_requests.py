"""The engine over real sockets on uvloop: stray refusals, and calls that are cancelled.

What is asserted is what was answered and what was sent, never how long it took.
"""

import asyncio
from collections.abc import Mapping

import anyio
import pytest

from tests.support.real_loop import ask_all, on_uvloop
from vcgen.engine.config import Endpoint, Limits
from vcgen.engine.engine import Engine
from vcgen.sim import SimReply, Simulator, parse_faults, serve

pytestmark = pytest.mark.timeout(60)


class Delaying(Simulator):
    """Asks for a delay with each refusal, and counts what is sent until that is over."""

    def __init__(self, delay_s: float) -> None:
        super().__init__(latency_s=0.02, faults=parse_faults("429:0.01"))
        self.sent_meanwhile: list[int] = []
        self._delay_s = delay_s
        self._until: list[tuple[float, int]] = []

    def answer(self, headers: Mapping[str, str], body: bytes, now: float) -> SimReply:
        answer = super().answer(headers, body, now)
        while self._until and self._until[0][0] <= now:
            self.sent_meanwhile.append(self.requests - self._until.pop(0)[1])
        if answer.status == 429:
            answer.headers["retry-after"] = str(self._delay_s)
            self._until.append((now + self._delay_s, self.requests))
        return answer


def test_requests_go_on_while_a_stray_one_is_delayed() -> None:
    """One refusal in a hundred, each with a Retry-After of a second."""
    simulator = Delaying(1.0)

    async def main() -> None:
        async with serve(simulator) as url:
            endpoint = Endpoint(model="sim", base_url=url)
            async with Engine(endpoint, limits=Limits(concurrency=16)) as engine:
                assert len((await ask_all(engine, 1500, workers=64)).completions) == 1500

    on_uvloop(main)
    assert simulator.statuses[429] >= 5
    # A closed endpoint would be sent next to nothing in that second.
    typical = sorted(simulator.sent_meanwhile)[len(simulator.sent_meanwhile) // 2]
    assert typical > 50


@pytest.mark.parametrize("hedge", [False, True])
def test_cancellation_leaves_no_task_and_a_usable_engine(*, hedge: bool) -> None:
    simulator = Simulator(latency_s=0.3)

    async def main() -> None:
        async with serve(simulator) as url:
            endpoint = Endpoint(model="sim", base_url=url)
            engine = Engine(endpoint, limits=Limits(concurrency=32), hedge=hedge)
            async with engine:
                before = asyncio.all_tasks()
                for _ in range(3):
                    asking = asyncio.create_task(ask_all(engine, 1000, workers=64))
                    while engine.in_flight < 32:  # noqa: ASYNC110 - the engine tells nothing
                        await anyio.sleep(0.01)
                    asking.cancel()
                    await asyncio.wait([asking])
                    assert asking.cancelled()
                    assert engine.in_flight == 0
                    assert asyncio.all_tasks() == before
                assert len((await ask_all(engine, 3, workers=3)).completions) == 3

    on_uvloop(main)


def test_map_that_is_left_early_cancels_what_is_in_flight() -> None:
    simulator = Simulator(latency_s=0.02)

    async def main() -> None:
        async with serve(simulator) as url:
            endpoint = Endpoint(model="sim", base_url=url)
            async with Engine(endpoint, limits=Limits(concurrency=8)) as engine:
                results = engine.map(f"Say {number}." for number in range(10**9))
                for _ in range(20):
                    assert (await anext(results)).completion
                await results.aclose()
                assert engine.in_flight == 0

    on_uvloop(main)
    assert simulator.requests < 200
