"""Requests over real sockets on uvloop, to a server that may be away for some time."""

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Literal, NamedTuple

import anyio

from vcgen.engine.chat import ChatRequest, Completion, Message
from vcgen.engine.engine import Engine
from vcgen.errors import RequestFailed
from vcgen.sim import SimReply, Simulator, serve
from vcgen.sim.faults import REFUSALS
from vcgen.sim.replies import refuse

HELLO = ChatRequest(messages=(Message("user", "Say hello."),), max_tokens=40)

Absence = Literal["refused", "silent", "reset", "503"]
ABSENCES: tuple[Absence, ...] = ("refused", "silent", "reset", "503")
Moment = Literal["start", "middle", "end"]
MOMENTS: tuple[Moment, ...] = ("start", "middle", "end")


def on_uvloop(main: Callable[[], Awaitable[None]], patience_s: float = 40) -> None:
    """Run on uvloop; no task may be left at the end."""

    async def bounded() -> None:
        with anyio.fail_after(patience_s):
            await main()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    anyio.run(bounded, backend_options={"use_uvloop": True})


def free_port() -> int:
    """A port that nothing listens at."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port: int = reserved.getsockname()[1]
        return port


class Answered(NamedTuple):
    """What became of some requests."""

    completions: list[Completion]
    failures: Counter[str]  # by reason


async def ask_all(engine: Engine, samples: int, workers: int) -> Answered:
    """Send requests, so many at a time."""
    completions, failures = list[Completion](), Counter[str]()
    numbers = iter(range(samples))

    async def work() -> None:
        for _ in numbers:
            try:
                completions.append(await engine.complete(HELLO))
            except RequestFailed as error:
                failures[error.reason] += 1

    async with asyncio.TaskGroup() as group:
        for _ in range(workers):
            group.create_task(work())
    return Answered(completions, failures)


class Leaving(Simulator):
    """A simulator that can be away in one of several ways; counts what arrives meanwhile.

    Attributes:
        absence: how it is away, None while it answers.
        in_vain: requests that arrived while it was away.
    """

    def __init__(self, latency_s: float) -> None:
        super().__init__(latency_s=latency_s)
        self.absence: Absence | None = None
        self.in_vain = 0

    def answer(self, headers: Mapping[str, str], body: bytes, now: float) -> SimReply:
        answer = super().answer(headers, body, now)
        if self.absence is None:
            return answer
        self.in_vain += 1
        if self.absence == "503":
            return refuse(REFUSALS["503"])
        fault = "hang" if self.absence == "silent" else "reset"
        return answer._replace(delay_s=0.0, fault=fault)


class Outage(NamedTuple):
    """How the server is away, when, and for how long.

    The moment is the share of the samples answered: none, half, or all but one flight.
    """

    absence: Absence
    moment: Moment
    seconds: float


@asynccontextmanager
async def served_with_outage(
    simulator: Leaving, outage: Outage, samples: int, in_flight: int
) -> AsyncIterator[str]:
    """Serve a simulator over HTTP that is away for some time; yields its URL."""
    port = free_port()
    begins_at = {"start": 0, "middle": samples // 2, "end": samples - in_flight}[outage.moment]

    async def leave_and_return() -> None:
        async with AsyncExitStack() as stack:
            if begins_at or outage.absence != "refused":
                await stack.enter_async_context(serve(simulator, port=port))
            while simulator.requests < begins_at:  # noqa: ASYNC110 - the simulator tells nothing
                await anyio.sleep(0.01)
            if outage.absence == "refused":
                await stack.aclose()
                await anyio.sleep(outage.seconds)
                await stack.enter_async_context(serve(simulator, port=port))
            else:
                simulator.absence = outage.absence
                await anyio.sleep(outage.seconds)
                simulator.absence = None
            await anyio.sleep_forever()

    task = asyncio.create_task(leave_and_return())
    try:
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        task.cancel()
        await asyncio.wait([task])
