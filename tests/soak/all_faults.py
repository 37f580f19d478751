"""Each fault on a third of all replies, replies without end, connections dropped when idle."""

import time
from collections import Counter
from collections.abc import Iterator

import anyio
import pytest

from tests.support.endless import bomb, crumbs, line, refuse, trailers
from tests.support.faults import FAULTS, Tally, finish, most_lost, rest, strike
from tests.support.servers import Opening, over_httpx, own, own_on_uvloop
from vcgen.sim import virtual_clock

COUNT, SHARE = 60, 0.3


def test_each_fault_is_typed_first_middle_and_last_on_uvloop_too() -> None:
    async def main() -> None:
        for name in FAULTS:
            await strike(name, own_on_uvloop, timeout_s=0.3)

    anyio.run(main, backend_options={"use_uvloop": True})
    print(f"\n{len(FAULTS)} faults x first, middle, last on uvloop: all typed, nothing left")


def test_all_requests_finish_whatever_a_third_of_the_replies_is() -> None:
    totals: Counter[str] = Counter()
    began = time.process_time()
    for opening in (own, over_httpx):
        for name in FAULTS:
            with virtual_clock() as runner:
                tally = runner.run(finish(name, opening, COUNT, SHARE))
            assert tally.answered + tally.rejected == COUNT, name
            assert tally.rejected <= most_lost(name, opening, COUNT, SHARE), name
            totals += Counter(tally._asdict())
    print(
        f"\n{len(FAULTS)} faults x 2 transports at {SHARE:.0%}: {totals['answered']:,} answered, "
        f"{totals['rejected']} rejected (over the cap, gone, six faults "
        f"in a row), {totals['sent']:,} sent; {time.process_time() - began:.0f} s of computing"
    )


@pytest.mark.parametrize(
    ("name", "transport", "reply"),
    [
        ("1 GiB in 1 MiB of gzip", "own", bomb(1_024)),
        ("1 GiB in 1 MiB of gzip", "httpx", bomb(1_024)),
        ("a line of 200 MiB", "own", line(200)),
        ("a line of 200 MiB", "httpx", line(200)),
        ("chunks of two bytes", "own", crumbs(40)),
        ("trailers without end", "own", trailers(40)),
    ],
)
def test_a_reply_without_end_costs_little_memory_and_time(
    name: str, transport: str, reply: Iterator[bytes]
) -> None:
    megabytes, seconds = refuse(reply, transport)
    print(f"\n{name}, {transport}: +{megabytes:.0f} MB, {seconds:.2f} s of computing")
    assert megabytes <= 40
    assert seconds <= 2


def test_connections_dropped_after_1_and_5_idle_seconds_cost_no_attempt() -> None:
    tallies: list[Tally] = []

    async def work(opening: Opening, kept_s: float) -> None:
        pauses_s = [kept_s - 0.05, kept_s - 0.005, kept_s, kept_s + 0.005]
        tallies.append(await rest(opening, kept_s, pauses_s, count=20))

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            for opening in (own, over_httpx):
                for kept_s in (1.0, 5.0):
                    tasks.start_soon(work, opening, kept_s)

    anyio.run(main)
    assert tallies == [Tally(100, 0, 100)] * 4
    print("\nservers that drop idle connections after 1 s and 5 s: 400 answered by 400 sent")
