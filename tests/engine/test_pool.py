"""The pool: bounded, lazy, following what is wanted, leaving nothing behind."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import anyio
import pytest

from vcgen.engine.pool import JobPool
from vcgen.sim import virtual_clock


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    with virtual_clock() as runner:
        runner.run(main())


class Numbers:
    """Yields 0, 1, ...; knows how many were pulled."""

    def __init__(self, count: int, *, pause_s: float = 0.0, fails_at: int | None = None) -> None:
        self.pulled = 0
        self._count, self._pause_s, self._fails_at = count, pause_s, fails_at

    def __aiter__(self) -> AsyncIterator[int]:
        return self

    async def __anext__(self) -> int:
        assert not (self._pause_s and self.busy), "two pulls at once"
        if self._pause_s:
            self.busy = True
            try:
                await asyncio.sleep(self._pause_s)
            finally:
                self.busy = False
        if self.pulled == self._fails_at:
            raise LookupError("items")
        if self.pulled == self._count:
            raise StopAsyncIteration
        self.pulled += 1
        return self.pulled - 1

    busy = False


class Jobs:
    """Sleeps a second an item; knows how many are under way and how many ever were."""

    def __init__(self, *, fails_at: int | None = None) -> None:
        self.done: list[int] = []
        self.now = self.most = self.cancelled = 0
        self._fails_at = fails_at

    async def __call__(self, item: int) -> None:
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await asyncio.sleep(1.0)
            if item == self._fails_at:
                raise LookupError(f"job {item}")
            self.done.append(item)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.now -= 1


async def nothing_runs() -> None:
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize("pause_s", [0.0, 0.01])
def test_each_item_gets_its_job_and_no_more_run_than_wanted(pause_s: float) -> None:
    async def main() -> None:
        items, jobs = Numbers(100, pause_s=pause_s), Jobs()
        began = asyncio.get_running_loop().time()
        await JobPool(items, jobs, wanted=lambda: 8).run()
        assert sorted(jobs.done) == list(range(100))
        assert jobs.most == 8
        assert asyncio.get_running_loop().time() - began < 15  # 100 / 8 s, and the pauses
        await nothing_runs()

    run(main)


def test_nothing_is_pulled_ahead_of_its_job() -> None:
    async def main() -> None:
        items, jobs = Numbers(100), Jobs()

        async def looks(item: int) -> None:
            assert items.pulled <= len(jobs.done) + jobs.now + 1
            await jobs(item)

        await JobPool(items, looks, wanted=lambda: 8).run()

    run(main)


def test_few_items_start_few_workers() -> None:
    async def main() -> None:
        pool = JobPool(Numbers(2), Jobs(), wanted=lambda: 1000)
        running = asyncio.create_task(pool.run())
        await asyncio.sleep(0.5)
        assert len(asyncio.all_tasks()) <= 2 + 2
        await running

    run(main)


def test_jobs_under_way_follow_what_is_wanted() -> None:
    async def main() -> None:
        wanted, jobs = 2, Jobs()
        pool = JobPool(Numbers(10_000), jobs, wanted=lambda: wanted)
        running = asyncio.create_task(pool.run())
        for wanted, at_once in [(2, 2), (50, 50), (5, 5), (0, 1), (3, 3)]:
            await asyncio.sleep(2.5)  # every job has ended once
            assert jobs.now == at_once, wanted
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        await nothing_runs()

    run(main)


def test_grow_starts_jobs_before_one_has_ended() -> None:
    async def main() -> None:
        wanted, jobs = 2, Jobs()
        pool = JobPool(Numbers(100), jobs, wanted=lambda: wanted)
        pool.grow()  # before it runs: no effect
        running = asyncio.create_task(pool.run())
        await asyncio.sleep(0.1)
        wanted = 20
        assert jobs.now == 2
        pool.grow()
        await asyncio.sleep(0.1)
        assert jobs.now == 20
        await running
        pool.grow()
        await nothing_runs()

    run(main)


@pytest.mark.parametrize("kind", [LookupError, ExceptionGroup])
def test_a_failed_job_cancels_the_others_and_is_raised_itself(kind: type[Exception]) -> None:
    async def main() -> None:
        jobs = Jobs(fails_at=3)

        async def job(item: int) -> None:
            try:
                await jobs(item)
            except LookupError as error:
                if kind is ExceptionGroup:
                    raise ExceptionGroup("of a job", [error]) from error
                raise

        with pytest.raises(kind):
            await JobPool(Numbers(100), job, wanted=lambda: 5).run()
        assert jobs.now == 0
        assert len(jobs.done) + jobs.cancelled <= 9
        await nothing_runs()

    run(main)


def test_failing_items_are_raised_and_jobs_cancelled() -> None:
    async def main() -> None:
        jobs = Jobs()
        with pytest.raises(LookupError, match="items"):
            await JobPool(Numbers(100, fails_at=4), jobs, wanted=lambda: 20).run()
        assert (jobs.now, jobs.cancelled) == (0, 4)
        await nothing_runs()

    run(main)


@pytest.mark.parametrize("way", ["task", "anyio scope", "timeout"])
@pytest.mark.parametrize("pause_s", [0.0, 5.0])
def test_cancellation_leaves_nothing_behind(way: str, pause_s: float) -> None:
    """Whether it waits for jobs or for an item, and whoever cancels."""

    async def main() -> None:
        jobs = Jobs()
        pool = JobPool(Numbers(1000, pause_s=pause_s), jobs, wanted=lambda: 7)
        if way == "anyio scope":
            with anyio.move_on_after(6.5):
                await pool.run()
        elif way == "timeout":
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(pool.run(), 6.5)
        else:
            running = asyncio.create_task(pool.run())
            await asyncio.sleep(6.5)
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
        assert jobs.now == 0
        assert jobs.done
        await nothing_runs()

    run(main)


def test_jobs_that_end_slowly_when_cancelled_are_waited_for() -> None:
    async def main() -> None:
        ended = 0

        async def job(_: int) -> None:
            nonlocal ended
            try:
                await asyncio.sleep(100)
            finally:
                with anyio.CancelScope(shield=True):
                    await asyncio.sleep(3)
                    ended += 1

        with anyio.move_on_after(1):
            await JobPool(Numbers(100), job, wanted=lambda: 4).run()
        assert ended == 4
        await nothing_runs()

    run(main)
