"""The simulated endpoint in memory, as a transport."""

import anyio
import anyio.lowlevel
import pytest

from tests.support.simulated import KINDS, STEPS, TURNS, body_of, prompt, segments
from vcgen.data.clips import Clip
from vcgen.errors import ConnectionLost, TimedOut
from vcgen.sim import SimTransport, Simulator, parse_faults
from vcgen.tasks.evidence import fence


def conversation_body() -> bytes:
    clip = Clip(id="a", duration=40, segments=segments(*STEPS[:6]))
    story = fence("narrative", "A story.")
    return body_of(prompt("converse", clip, kinds=KINDS, narrative=story), schema=TURNS)


@pytest.mark.parametrize(
    ("kind", "error"), [("reset", ConnectionLost), ("close", ConnectionLost), ("hang", TimedOut)]
)
def test_transport_raises_the_faults_of_the_connection(kind: str, error: type[Exception]) -> None:
    async def send() -> None:
        transport = SimTransport(Simulator(faults=parse_faults(f"{kind}:1")))
        await transport.post("http://sim/v1/chat/completions", {}, conversation_body(), 0.01)

    with pytest.raises(error):
        anyio.run(send)


def test_transport_yields_once_even_without_latency() -> None:
    async def main() -> list[str]:
        order: list[str] = []

        async def call() -> None:
            reply = await SimTransport().post("http://sim", {}, conversation_body(), 1.0)
            order.append(str(reply.status))

        async with anyio.create_task_group() as group:
            group.start_soon(call)
            group.start_soon(call)
            await anyio.lowlevel.checkpoint()
            order.append("between")
        return order

    assert anyio.run(main) == ["between", "200", "200"]


def test_transport_times_out_when_the_latency_is_longer() -> None:
    async def send() -> None:
        transport = SimTransport(Simulator(latency_s=60))
        await transport.post("http://sim", {}, conversation_body(), 0.01)

    with pytest.raises(TimedOut):
        anyio.run(send)
