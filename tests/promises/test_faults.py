"""Whatever goes wrong with a reply, wherever in a run: a typed failure, and nothing else harmed."""

import sys
from collections.abc import Iterator
from contextlib import asynccontextmanager

import anyio
import pytest

from tests.support.endless import bomb, crumbs, refuse, trailers
from tests.support.faults import (
    FAULTS,
    finish,
    most_lost,
    rest,
    strike,
)
from tests.support.servers import Opening, accepting, black_hole, hang, over_httpx, own
from vcgen.errors import TimedOut
from vcgen.sim import virtual_clock

BODY = b'{"model":"sim","messages":[{"role":"user","content":"Say hello."}]}'
on_both = pytest.mark.parametrize("opening", [own, over_httpx], ids=["own", "httpx"])


@on_both
@pytest.mark.parametrize("name", FAULTS)
def test_fault_is_typed_and_harms_no_other_request(opening: Opening, name: str) -> None:
    with virtual_clock() as runner:
        runner.run(strike(name, opening, timeout_s=120.0))


@on_both
@pytest.mark.parametrize("name", FAULTS)
def test_all_requests_finish_where_a_third_of_the_replies_fail(opening: Opening, name: str) -> None:
    with virtual_clock() as runner:
        tally = runner.run(finish(name, opening, count=12, share=0.3))
    assert tally.answered + tally.rejected == 12
    assert tally.rejected <= most_lost(name, opening, 12, 0.3)


async def ends_at(deadline_s: float, opening: Opening, url: str, body: bytes) -> None:
    began = anyio.current_time()
    async with asynccontextmanager(opening)() as sender:
        with pytest.raises(TimedOut, match=f"{deadline_s:g} s"):
            await sender.post(url, {}, body, deadline_s)
    assert abs(anyio.current_time() - began - deadline_s) < 0.5


@on_both
def test_the_deadline_holds_where_no_connection_is_made(opening: Opening) -> None:
    with black_hole() as url, virtual_clock() as runner:
        runner.run(ends_at(12.0, opening, url, BODY))


@on_both
def test_the_deadline_holds_where_nobody_reads(opening: Opening) -> None:
    async def main() -> None:
        async with accepting(hang) as url:
            await ends_at(90.0, opening, url, bytes(16 << 20))

    with virtual_clock() as runner:
        runner.run(main())


# httpcore leaves a socket to the garbage collector that was cancelled in its handshake.
def test_the_deadline_holds_where_the_handshake_hangs() -> None:
    async def main() -> None:
        async with accepting(hang) as url:
            await ends_at(12.0, own, url.replace("http", "https", 1), BODY)

    with virtual_clock() as runner:
        runner.run(main())


@on_both
@pytest.mark.parametrize("kept_s", [1.0, 5.0])
def test_connections_the_server_drops_when_idle_cost_no_attempt(
    opening: Opening, kept_s: float
) -> None:
    async def main() -> None:
        tally = await rest(opening, kept_s, pauses_s=[0.0, kept_s - 0.01, kept_s, kept_s + 1.0])
        assert (tally.sent, tally.answered) == (5, 5)

    with virtual_clock() as runner:
        runner.run(main())


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read where Linux tells it")
@pytest.mark.parametrize(
    ("transport", "reply"),
    [("own", bomb(1_024)), ("httpx", bomb(1_024)), ("own", crumbs(40)), ("own", trailers(40))],
    ids=["bomb-own", "bomb-httpx", "crumbs-own", "trailers-own"],
)
def test_a_reply_without_end_is_refused_in_little_memory(
    transport: str, reply: Iterator[bytes]
) -> None:
    assert refuse(reply, transport).megabytes <= 40
