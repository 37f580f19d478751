"""A run at a terminal: progress while it works, and what Ctrl-C does to it."""

import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager

import anyio
from anyio.abc import TaskGroup

from vcgen.cli.display import show_progress
from vcgen.cli.output import tell
from vcgen.errors import BudgetSpent, RunStopped
from vcgen.pipeline.progress import RunHandle
from vcgen.pipeline.runner import GRACE_S


class Interrupted(RunStopped):
    """A signal ended the run; `number` is the signal's."""

    def __init__(self, number: int) -> None:
        super().__init__("interrupted")
        self.number = number


async def work_at_terminal(run: RunHandle, count_rows: Callable[[], int]) -> None:
    """Do the run, showing its progress; `count_rows` says how far there is to go.

    The first SIGINT or SIGTERM stops sending and waits for what is in flight, the second ends at
    once.

    Raises:
        Interrupted: a signal ended the run.
        VcgenError: as for `Run.work`.
    """
    failure: Exception | None = None
    async with anyio.create_task_group() as group:
        group.start_soon(_heed_signals, run, group)
        group.start_soon(show_progress, run, count_rows)
        try:
            await run.work()
        except Exception as error:  # noqa: BLE001 - raised below, outside the group that would wrap it
            failure = error
        group.cancel_scope.cancel()
    failure = failure or run.stopped
    if failure is not None and not isinstance(failure, BudgetSpent):
        raise failure


async def _heed_signals(run: RunHandle, group: TaskGroup) -> None:
    with _signals() as signals:
        async for number in signals:
            if run.stopped is not None:
                group.cancel_scope.cancel()
                return
            run.stop(Interrupted(number))
            tell(
                f"stopping: waiting up to {GRACE_S:.0f} s for what is in flight "
                f"({run.tally().in_flight}); press Ctrl-C again to stop at once"
            )


@contextmanager
def _signals() -> Iterator[AsyncIterator[signal.Signals]]:
    """Those that come; afterwards they do what they did before, which a loop by itself forgets."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with anyio.open_signal_receiver(*handlers) as signals:
            yield signals
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
