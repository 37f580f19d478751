"""A refusal now and then, whatever the rate, costs its own request a wait and the run next to none.

In virtual time, against the same server without refusals.
"""

from collections.abc import Mapping
from functools import cache

import anyio
import pytest

from tests.support.common import run
from vcgen.engine.chat import ChatRequest, Message
from vcgen.engine.config import Endpoint, Limits
from vcgen.engine.engine import Engine
from vcgen.sim import (
    Latency,
    Scenario,
    ServerLimits,
    SimReply,
    SimTransport,
    Simulator,
    parse_faults,
)

HELLO = ChatRequest(messages=(Message("user", "Say hello."),), max_tokens=40)
LATENCY = Latency(1.5, 0.4)
WORKERS, SAMPLES = 64, 3000
# The limits of the server, and those given: a server of 64 slots may have no rate at all.
SERVERS = {
    "rate given": (ServerLimits(rpm=600, headers="none"), Limits(rpm=600)),
    "rate given and announced": (ServerLimits(rpm=600), Limits(rpm=600)),
    "rate announced": (ServerLimits(rpm=600), Limits()),
    "slots given": (ServerLimits(headers="none"), Limits(concurrency=WORKERS)),
    "nothing given": (ServerLimits(headers="none"), Limits()),
}


class Hinting(Simulator):
    """Asks for two seconds with each refusal."""

    def answer(self, headers: Mapping[str, str], body: bytes, now: float) -> SimReply:
        answer = super().answer(headers, body, now)
        if answer.status == 429:
            answer.headers["retry-after"] = "2"
        return answer


def seconds(server: str, faults: str, seed: int, *, hedge: bool = False) -> float:
    """Seconds to answer all samples."""
    allowed, limits = SERVERS[server]
    conditions = Scenario(limits=allowed, latency=LATENCY, slots=WORKERS)
    simulator = Hinting(conditions, seed=seed, faults=parse_faults(faults))
    ended: list[float] = []

    async def main() -> None:
        endpoint = Endpoint(model="sim", base_url="http://in.memory/v1")
        numbers = iter(range(SAMPLES))
        transport = SimTransport(simulator)
        engine = Engine(endpoint, limits=limits, transport=transport, seed=seed, hedge=hedge)

        async def work() -> None:
            for _ in numbers:
                await engine.complete(HELLO)

        async with engine, anyio.create_task_group() as tasks:
            for _ in range(4 * WORKERS):
                tasks.start_soon(work)
        ended.append(anyio.current_time())

    run(main)
    assert simulator.statuses[200] >= SAMPLES
    return ended[0]


@cache
def clean_seconds(server: str, seed: int) -> float:
    return seconds(server, "", seed)


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize(("share", "least"), [(0.01, 0.9), (0.05, 0.75)])
@pytest.mark.parametrize("seed", range(3))
def test_strays_keep_most_of_the_rate(server: str, share: float, least: float, seed: int) -> None:
    with_strays = seconds(server, f"429:{share}", seed)
    assert clean_seconds(server, seed) / with_strays >= least


def test_strays_keep_most_of_the_rate_with_hedge() -> None:
    with_strays = seconds("nothing given", "429:0.01", 0, hedge=True)
    assert clean_seconds("nothing given", 0) / with_strays >= 0.9
