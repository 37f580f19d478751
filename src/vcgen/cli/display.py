"""The progress of a run: a live table on a terminal, elsewhere a line every ten seconds.

All of it goes to standard error; standard output is for results. A timer reads the run's counters,
so the hot path does no work for it. Nothing shown can end a run or hold it: `stderr` writes in a
thread of its own, and what a terminal does not take is not shown.
"""

import sys
from collections.abc import Callable
from contextlib import suppress
from threading import Thread

import anyio
from rich.console import Console
from rich.table import Table
from rich.text import Text

from vcgen.cli.eta import Look, Window, expected_samples
from vcgen.cli.output import judge_line, largest_shares, left_out, unless_zero
from vcgen.cli.stderr import STDERR
from vcgen.data.formatting import duration, money
from vcgen.engine.plain_text import plain
from vcgen.errors import UsageError
from vcgen.pipeline.workers.supervisor import RunHandle

REDRAW_S = 0.25
LOOK_EVERY_S = 1.0
LINE_EVERY_S = 10.0


class View:
    """The state of a run as labelled texts.

    Attributes:
        rows: rows of the input, about; None while they are not counted.
        seconds_left: of the run at its pace of the last minute; None while that is not known.
    """

    def __init__(self, run: RunHandle) -> None:
        self.rows: int | None = None
        self.seconds_left: float | None = None
        self._run = run
        self._window = Window()

    def fields(self, now: float) -> dict[str, str]:
        """Label to text, in the order shown; empty texts are left out."""
        snapshot, limits = self._run.snapshot(), self._run.limits
        progress, counters, usage = snapshot.progress, snapshot.counters, snapshot.counters.usage
        rejects = progress.rejects.total()
        outcomes = progress.records + rejects
        tokens = usage.prompt_tokens + usage.completion_tokens
        self._window.add(Look(now, outcomes, counters.requests, tokens, snapshot.limiting))
        growth, pace = self._window.growth, self._window.pace
        done = outcomes + progress.resumed
        expected = max(done, expected_samples(progress, self.rows or 0, self._run.tasks))
        end = self._window.end(expected - progress.resumed)
        is_open = self.rows is None or self._run.stopped is not None
        self.seconds_left = None if is_open or end is None else max(0.0, end - now)
        fields = {
            "samples": f"{done:,}" + (f" of ~{expected:,}" if self.rows else ""),
            "records": f"{progress.records:,}",
            "rejects": unless_zero(rejects),
            "done before": unless_zero(progress.resumed),
            "samples/s": f"{pace:,.1f}" if pace else "",
            "time left": "" if self.seconds_left is None else duration(self.seconds_left),
            "limited by": largest_shares(growth.limiting.shares(), 1),
            "in flight": f"{snapshot.in_flight:,} of {snapshot.slots:,}",
            "requests": f"{counters.requests:,}, {counters.retries:,} repeated",
            "requests/min": _of(growth.requests, limits.rpm),
            "tokens": f"{usage.prompt_tokens:,} in, {usage.completion_tokens:,} out",
            "tokens/min": _of(growth.tokens, limits.tpm),
            "cost": money(None if counters.unmetered else self._run.cost_of(usage)),
            "left out": left_out(dict(snapshot.left_out)),
            "judge": judge_line(self._run.summary().judge),
        }
        return {label: text for label, text in fields.items() if text}


async def show_progress(run: RunHandle, count_rows: Callable[[], int]) -> None:
    """Show a run until cancelled.

    `count_rows` counts the rows of the input; it is called in a thread and may take its time.
    """
    console = Console(stderr=True)
    view = View(run)

    def count() -> None:
        # The input may be gone by now; then the end of the run is not known.
        with suppress(OSError, UsageError):
            view.rows = count_rows()

    # A daemon: the process does not wait at its end for a long file to be counted.
    Thread(target=count, daemon=True).start()
    is_live = sys.stderr is not None and sys.stderr.isatty() and not console.is_dumb_terminal
    await (_draw(console, view) if is_live else _print_lines(view))


async def _draw(console: Console, view: View) -> None:
    with STDERR.above_frame():
        try:
            while True:
                STDERR.frame(_table(console, view.fields(anyio.current_time())))
                await anyio.sleep(REDRAW_S)
        finally:
            STDERR.frame(())


async def _print_lines(view: View) -> None:
    line_at = anyio.current_time() + LINE_EVERY_S
    while True:
        fields = view.fields(now := anyio.current_time())
        if now >= line_at:
            line_at += LINE_EVERY_S
            if STDERR.is_idle:
                STDERR.line(plain("; ".join(f"{label} {text}" for label, text in fields.items())))
        await anyio.sleep(LOOK_EVERY_S)


def _table(console: Console, fields: dict[str, str]) -> list[str]:
    """Return the lines of a table that fits the terminal, one line less than it has."""
    table = Table.grid(padding=(0, 2))
    for label, text in fields.items():
        table.add_row(Text(label, style="dim"), Text(plain(text)))
    with console.capture() as capture:
        console.print(table)
    return capture.get().splitlines()[: console.height - 1]


def _of(count: int, limit: int | None) -> str:
    return "" if limit is None else f"{count:,} of {limit:,}"
