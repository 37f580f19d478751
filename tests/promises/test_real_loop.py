"""The engine over real sockets on uvloop: servers that come late, go away, refuse now and then.

What is asserted is what was answered and what was sent, never how long it took.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack

import anyio
import pytest

from vcgen.engine.chat import ChatRequest, Completion, Message
from vcgen.engine.config import Endpoint, Limits
from vcgen.engine.engine import Engine
from vcgen.sim import SimReply, Simulator, parse_faults, serve

pytestmark = pytest.mark.timeout(60)

HELLO = ChatRequest(messages=(Message("user", "Say hello."),), max_tokens=40)


def on_uvloop(main: Callable[[], Awaitable[None]]) -> None:
    """Run on uvloop; no task may be left at the end."""

    async def bounded() -> None:
        with anyio.fail_after(40):
            await main()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    anyio.run(bounded, backend_options={"use_uvloop": True})


def free_port() -> int:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port: int = reserved.getsockname()[1]
        return port


def engine_at(port: int, workers: int = 16) -> Engine:
    endpoint = Endpoint(model="sim", base_url=f"http://127.0.0.1:{port}/v1")
    return Engine(endpoint, limits=Limits(concurrency=workers))


async def ask_all(engine: Engine, samples: int, workers: int = 16) -> list[Completion]:
    answers: list[Completion] = []
    numbers = iter(range(samples))

    async def work() -> None:
        answers.extend([await engine.complete(HELLO) for _ in numbers])

    async with asyncio.TaskGroup() as group:
        for _ in range(workers):
            group.create_task(work())
    return answers


def test_server_that_starts_late_answers_every_sample() -> None:
    """The first connections are refused for some two seconds."""
    port, simulator = free_port(), Simulator(latency_s=0.01)

    async def main() -> None:
        async with AsyncExitStack() as stack, engine_at(port) as engine:

            async def start() -> None:
                await anyio.sleep(2.2)
                await stack.enter_async_context(serve(simulator, port=port))

            async with asyncio.TaskGroup() as group:
                starting = group.create_task(start())
                answers = group.create_task(ask_all(engine, 300))
            assert starting.done()
            assert len(answers.result()) == 300
            assert engine.in_flight == 0

    on_uvloop(main)
    assert simulator.statuses == {200: 300}


def test_server_killed_in_mid_run_loses_no_sample() -> None:
    """All its connections are reset, and for three seconds it refuses new ones."""
    port = free_port()
    simulators = [Simulator(latency_s=0.05) for _ in range(2)]

    async def main() -> None:
        async with engine_at(port) as engine, asyncio.TaskGroup() as group:

            async def restart() -> None:
                async with serve(simulators[0], port=port):
                    while simulators[0].requests < 100:  # noqa: ASYNC110 - the server tells nothing
                        await anyio.sleep(0.01)
                await anyio.sleep(3)
                async with serve(simulators[1], port=port):
                    await answers

            answers = group.create_task(ask_all(engine, 400))
            group.create_task(restart())
        assert len(answers.result()) == 400
        assert engine.counters.completions == 400
        assert engine.in_flight == 0

    on_uvloop(main)
    assert all(simulator.requests for simulator in simulators)
    assert sum(simulator.statuses[200] for simulator in simulators) >= 400


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
                assert len(await ask_all(engine, 1500, workers=64)) == 1500

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
                assert len(await ask_all(engine, 3)) == 3

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
