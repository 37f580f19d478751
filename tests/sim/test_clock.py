"""Virtual time: hours pass at once, and the same each time."""

import asyncio
import threading
import time

import pytest

from vcgen.sim import virtual_clock


def test_an_hour_passes_at_once() -> None:
    async def main() -> float:
        await asyncio.sleep(3600)
        return asyncio.get_running_loop().time()

    began = time.monotonic()
    with virtual_clock() as runner:
        assert runner.run(main()) == pytest.approx(3600, abs=0.01)
    assert time.monotonic() - began < 60


def test_timers_run_in_the_order_of_their_times() -> None:
    order: list[int] = []

    async def wait(seconds: int) -> None:
        await asyncio.sleep(seconds)
        order.append(seconds)

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            for seconds in (30, 10, 20):
                group.create_task(wait(seconds))

    with virtual_clock() as runner:
        runner.run(main())
    assert order == [10, 20, 30]


def test_an_executor_runs_at_once_in_this_thread() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert await loop.run_in_executor(None, threading.get_ident) == threading.get_ident()
        with pytest.raises(ZeroDivisionError):
            await loop.run_in_executor(None, divmod, 1, 0)
        assert loop.time() < 0.01

    with virtual_clock() as runner:
        runner.run(main())


def test_a_thread_wakes_a_loop_without_timers() -> None:
    async def main() -> str:
        loop, done = asyncio.get_running_loop(), asyncio.Event()
        thread = threading.Thread(target=loop.call_soon_threadsafe, args=(done.set,))
        thread.start()
        await done.wait()
        thread.join()
        return "woken"

    with virtual_clock() as runner:
        assert runner.run(main()) == "woken"
