"""The watchdog of every test: it finds a turn of the loop that takes long, and no other."""

import time

import anyio
import pytest

from tests.support import watchdog
from tests.support.watchdog import LIMIT_S
from vcgen.sim import virtual_clock

pytestmark = pytest.mark.holds_loop("on purpose")


def burn(seconds: float) -> None:
    ends_at = time.thread_time() + seconds
    while time.thread_time() < ends_at:
        pass


async def work(parts: int, seconds: float) -> None:
    await anyio.sleep(0.1)
    for _ in range(parts):
        burn(seconds)
        await anyio.sleep(0.01)
    await anyio.sleep(0.2)  # for the reply of uvloop


def on_virtual_clock(parts: int, seconds: float) -> None:
    with virtual_clock() as runner:
        runner.run(work(parts, seconds))


def on_asyncio(parts: int, seconds: float) -> None:
    anyio.run(work, parts, seconds)


def on_uvloop(parts: int, seconds: float) -> None:
    anyio.run(work, parts, seconds, backend_options={"use_uvloop": True})


LOOPS = pytest.mark.parametrize("loop", [on_virtual_clock, on_asyncio, on_uvloop])


@LOOPS
def test_a_turn_that_takes_long_is_found(loop: object) -> None:
    assert callable(loop)
    loop(1, LIMIT_S + 0.1)
    assert len(watchdog._turns_s) == 1


@LOOPS
def test_many_short_turns_are_not(loop: object) -> None:
    assert callable(loop)
    loop(20, 0.03)
    assert watchdog._turns_s == []


def test_a_turn_that_waits_is_not() -> None:
    """CPU counts: a machine that is busy with other work fails no test."""

    async def main() -> None:
        time.sleep(2 * LIMIT_S)  # noqa: ASYNC251 - on purpose

    anyio.run(main)
    assert watchdog._turns_s == []
