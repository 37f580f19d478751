"""A bounded pool: one job for each item, as many at once as wanted, items pulled lazily.

    await JobPool(items, job, wanted=lambda: engine.useful_callers).run()

An item is pulled only when a job for it can start, so input of any length takes constant memory.
Jobs run in a few long-lived workers. Their number follows `wanted`, which is read whenever a job
starts or ends, and by `grow`; nothing polls.

    event               what happens
    a worker has pulled it starts one more worker if fewer run than wanted: the pool fills at once,
                        but few items start few workers
    a job ends          its worker pulls the next item, or ends if more run than wanted
    items are exhausted workers end with their jobs
    a job or `items`    all other jobs are cancelled; `run` raises the error once they have ended
    fails
    `run` is cancelled  all jobs are cancelled; `run` returns once they have ended
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Generic, TypeVar

import anyio

from vcgen.errors import UsageError

T = TypeVar("T")
# Values that a slow consumer may leave waiting before their producer waits for it.
BUFFERED = 64


class JobPool(Generic[T]):
    """Run a job for each item, a bounded number at once.

    Args:
        items: pulled by one worker at a time.
        job: called with each item.
        wanted: number of jobs to keep running; at least one runs.
    """

    def __init__(
        self,
        items: AsyncIterator[T],
        job: Callable[[T], Awaitable[object]],
        *,
        wanted: Callable[[], int],
    ) -> None:
        self._items = items
        self._job = job
        self._wanted = wanted
        self._pulling = asyncio.Lock()
        self._workers: set[asyncio.Task[None]] = set()
        self._running = 0
        self._is_ending = False  # no item is left, or a job failed
        self._failure: BaseException | None = None
        self._ended: asyncio.Future[None]

    async def run(self) -> None:
        """Return when the job of the last item has ended.

        Raises:
            Exception: of a job or of `items`, as it was raised there.
        """
        self._ended = asyncio.get_running_loop().create_future()
        self._start()
        try:
            await self._ended
        finally:
            self._is_ending = True
            for worker in self._workers:
                worker.cancel()
            # Shielded, because anyio repeats a cancellation at every turn of the loop.
            with anyio.CancelScope(shield=True):
                while self._workers:
                    await asyncio.wait(self._workers)
        if self._failure is not None:
            raise self._failure

    def grow(self) -> None:
        """Start a job if fewer are under way than wanted; call it when `wanted` has increased."""
        if self._running and not self._is_ending and self._running < self._wanted():
            self._start()

    def _start(self) -> None:
        self._running += 1
        worker = asyncio.create_task(self._work())
        self._workers.add(worker)
        worker.add_done_callback(self._on_end)

    async def _work(self) -> None:
        try:
            while self._running <= max(1, self._wanted()):
                async with self._pulling:
                    if self._is_ending:
                        return
                    try:
                        item = await anext(self._items)
                    except StopAsyncIteration:
                        self._is_ending = True
                        return
                self.grow()
                await self._job(item)
        finally:
            self._running -= 1

    def _on_end(self, worker: asyncio.Task[None]) -> None:
        self._workers.remove(worker)
        failure = asyncio.CancelledError() if worker.cancelled() else worker.exception()
        if self._ended.done():
            return
        if failure is not None:
            self._is_ending, self._failure = True, failure
        if failure is not None or not self._workers:
            self._ended.set_result(None)


async def stream_from(
    produce: Callable[[Callable[[T], Awaitable[None]]], Awaitable[None]],
) -> AsyncGenerator[T, None]:
    """Yield the values that `produce` sends, at most `BUFFERED` ahead; then raise its error.

    Leaving the loop cancels `produce` and waits until it has ended.
    """
    loop = running_loop()
    send, receive = anyio.create_memory_object_stream[T](BUFFERED)

    async def run() -> None:
        async with send:
            await produce(send.send)

    # A task of its own: a task group must not stay open across `yield`, where the consumer may
    # leave the loop or be cancelled.
    task = loop.create_task(run())
    try:
        async with receive:
            async for value in receive:
                yield value
        await task
    finally:
        task.cancel()
        with anyio.CancelScope(shield=True):
            await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # mark as retrieved


def running_loop() -> asyncio.AbstractEventLoop:
    """The running event loop.

    Raises:
        UsageError: asyncio runs none, as under trio.
    """
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        raise UsageError(
            "vcgen runs in asyncio's event loops only: not under trio, nor without a loop"
        ) from None
