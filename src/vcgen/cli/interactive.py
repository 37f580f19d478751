"""A run at a terminal: its progress is shown, and Ctrl-C stops it."""

import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from functools import partial

import anyio

from vcgen.cli.app import Interrupted
from vcgen.cli.display import show_progress
from vcgen.cli.signals import ENDING
from vcgen.cli.stderr import STDERR
from vcgen.errors import BudgetSpent
from vcgen.pipeline.background import run_with_background
from vcgen.pipeline.runner import GRACE_S
from vcgen.pipeline.workers.supervisor import RunHandle


async def work_at_terminal(run: RunHandle, count_rows: Callable[[], int]) -> None:
    """Do the run and show its progress; `count_rows` counts the rows of its input.

    The first SIGINT, SIGTERM or SIGHUP stops sending and waits for requests in flight, the second
    ends the run at once.

    Raises:
        Interrupted: a signal ended the run.
        VcgenError: as for `Run.work`.
    """
    with anyio.CancelScope() as scope:
        await run_with_background(
            run.work, partial(_stop_on_signals, run, scope), partial(show_progress, run, count_rows)
        )
    if run.stopped is not None and not isinstance(run.stopped, BudgetSpent):
        raise run.stopped


async def _stop_on_signals(run: RunHandle, scope: anyio.CancelScope) -> None:
    with _signals() as signals:
        async for number in signals:
            if run.stopped is not None:
                scope.cancel()
                return
            run.stop(Interrupted(number))
            STDERR.line(
                f"stopping: waiting up to {GRACE_S:.0f} s for requests in flight "
                f"({run.snapshot().in_flight}); press Ctrl-C again to stop at once"
            )


@contextmanager
def _signals() -> Iterator[AsyncIterator[signal.Signals]]:
    """Receive signals, and restore their handlers afterwards, which a loop does not do."""
    handlers = {number: signal.getsignal(number) for number in ENDING}
    try:
        with anyio.open_signal_receiver(*handlers) as signals:
            yield signals
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
