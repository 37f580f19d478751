"""A pool hands out the youngest connection that is alive, and drops the others."""

import asyncio
from collections.abc import Awaitable, Callable

import anyio
import pytest

from tests.support.servers import accepting, leaving_in_a_thread, read_body
from vcgen.engine.transport.connection import IDLE_S, Connection, Pool
from vcgen.engine.transport.large_replies import LargeReplies

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
POST = b"POST / HTTP/1.1\r\ncontent-length: 0\r\n\r\n"
Run = Callable[[Callable[[], Awaitable[None]]], None]


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    return lambda main: anyio.run(main, backend_options={"use_uvloop": request.param})


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        await read_body(reader)
        writer.write(OK)


async def connect(pool: Pool, url: str) -> Connection:
    """A connection that has carried one request."""
    loop = asyncio.get_running_loop()
    port = int(url.rpartition(":")[2].split("/")[0])
    _, made = await loop.create_connection(lambda: Connection(pool), "127.0.0.1", port)
    pool.open.add(made)
    assert (await made.exchange(POST, loop.time() + 5)).body == b"ok"
    return made


def test_the_youngest_is_used_first(run: Run) -> None:
    async def main() -> None:
        pool = Pool(LargeReplies())
        async with accepting(answer) as url:
            older, younger = await connect(pool, url), await connect(pool, url)
            now = asyncio.get_running_loop().time()
            assert [pool.take(now), pool.take(now), pool.take(now)] == [younger, older, None]
            await pool.aclose()

    run(main)


def test_one_that_has_been_idle_for_too_long_is_closed(run: Run) -> None:
    async def main() -> None:
        pool = Pool(LargeReplies())
        async with accepting(answer) as url:
            made = await connect(pool, url)
            assert pool.take(made.idle_since + IDLE_S) is None
            assert not made.is_open
            await pool.aclose()

    run(main)


def test_end_is_seen_before_the_loop_has_read_it(run: Run) -> None:
    with leaving_in_a_thread(OK) as (url, seen):

        async def main() -> None:
            pool = Pool(LargeReplies())
            made = await connect(pool, url)
            seen.closed.acquire()
            assert made.is_open
            assert made.is_stale
            assert pool.take(made.idle_since) is None
            await pool.aclose()

        run(main)


def test_idle_ones_can_be_dropped_together(run: Run) -> None:
    async def main() -> None:
        pool = Pool(LargeReplies())
        async with accepting(answer) as url:
            made = [await connect(pool, url) for _ in range(2)]
            busy = pool.take(asyncio.get_running_loop().time())
            pool.drop_idle()
            assert [each.is_open for each in made] == [False, True]
            assert busy is made[1]
            await pool.aclose()

    run(main)
