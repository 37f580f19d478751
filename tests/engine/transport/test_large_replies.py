"""Places for large replies: a bound, an order, and none lost."""

import asyncio
import sys

import anyio
import pytest

from tests.support.common import run
from tests.support.servers import (
    Opening,
    listening,
    over_httpx,
    own,
    own_on_uvloop,
    run_on,
    saying,
)
from vcgen.engine.transport.base import Transport
from vcgen.engine.transport.large_replies import LARGE_BYTES, LargeReplies


def test_places_are_given_in_order_and_none_is_lost() -> None:
    async def main() -> None:
        large = LargeReplies(places=1)
        first = large.enter()
        second, third, fourth = large.enter(), large.enter(), large.enter()
        assert first is None
        assert second is not None
        assert third is not None
        assert fourth is not None
        large.leave(second)  # it waits no longer
        large.leave(first)
        assert third.done()
        assert not fourth.done()
        large.leave(third)
        assert fourth.done()
        large.leave(fourth)
        assert large.enter() is None

    run(main)


@pytest.mark.parametrize("opening", [own, own_on_uvloop, over_httpx])
def test_large_replies_are_all_read_a_few_at_a_time(
    opening: Opening, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twelve replies, two places: each is whole, and never are more than two read on."""
    places, most = 2, 0

    class Watched(LargeReplies):
        def enter(self) -> asyncio.Future[None] | None:
            nonlocal most
            entered = super().enter()
            taken = places - self._free
            most = max(most, taken)
            return entered

    body = b"x" * (8 * LARGE_BYTES)

    async def main(sender: Transport) -> None:
        sender._large = Watched(places)  # type: ignore[attr-defined]
        async with listening(saying(f"Content-Length: {len(body)}\r\n", body)) as url:

            async def ask() -> None:
                assert (await sender.post(url, {}, b"{}", 10)).body == body

            async with asyncio.TaskGroup() as group:
                for _ in range(12):
                    group.create_task(ask())
        assert sender._large._free == places  # type: ignore[attr-defined]

    run_on(opening, main)
    assert most == places


CLIENT = """
import resource, sys
import anyio
from vcgen.engine.transport.asyncio_http import HttpTransport

async def main(url, count):
    transport = HttpTransport()

    async def ask():
        assert len((await transport.post(url, {}, b"{}", 30)).body) == int(size)

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    async with anyio.create_task_group() as tasks:
        for _ in range(count):
            tasks.start_soon(ask)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    await transport.aclose()

url, size, loop = sys.argv[1:]
anyio.run(main, url, 64, backend_options={"use_uvloop": loop == "uvloop"})
"""


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_memory_is_bounded_however_many_large_replies_come(loop: str) -> None:
    """64 of 4 MiB, 256 MiB together; kept connections keep none of it either."""
    body = bytes(4 << 20)
    grown: list[int] = []

    async def main() -> None:
        async with listening(saying(f"Content-Length: {len(body)}\r\n", body)) as url:
            command = [sys.executable, "-c", CLIENT, url, str(len(body)), loop]
            done = await anyio.run_process(command)
            grown.append(int(done.stdout) << 10)

    anyio.run(main)
    assert grown[0] < 128 << 20
