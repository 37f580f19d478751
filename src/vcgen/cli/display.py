"""What a run tells people: a live display or a line every ten seconds, and at its end a summary.

All of it goes to standard error; standard output is for results. Drawn on a timer from the run's
own counters, so that the hot path knows nothing of it. Nothing that is shown can end a run.
"""

import sys
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from math import inf
from threading import Thread
from typing import Generic, TypeVar

import anyio
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from vcgen.cli.eta import EtaEstimate
from vcgen.cli.output import (
    _duration,
    _judged,
    _shares,
    _unless_zero,
    money,
    tell,
)
from vcgen.engine.limits.bottleneck import BottleneckTimes
from vcgen.errors import UsageError
from vcgen.pipeline.progress import RunHandle

REDRAW_S = 0.25
LOOK_EVERY_S = 1.0
LINE_EVERY_S = 10.0
MINUTE_S = 60.0
LATE_S = 0.2

T = TypeVar("T", int, BottleneckTimes)


class Meter(Generic[T]):
    """How a counter has grown over the last minute, or since the first look at it.

    Args:
        none: what it says where it has not grown.
    """

    def __init__(self, none: T) -> None:
        self._none: T = none
        self._seen: deque[tuple[float, T]] = deque()

    def look(self, now: float, count: T) -> None:
        """Take in what the counter says at `now`, in seconds."""
        self._seen.append((now, count))
        # A look that comes a moment late must not cost the one a minute before.
        while now - self._seen[0][0] > MINUTE_S + LATE_S and len(self._seen) > 2:
            self._seen.popleft()

    @property
    def growth(self) -> T:
        """Counts between the first and the last look that are remembered."""
        return self._seen[-1][1] - self._seen[0][1] if self._seen else self._none

    @property
    def seconds(self) -> float:
        """Time between these looks."""
        return self._seen[-1][0] - self._seen[0][0] if self._seen else 0.0


class View:
    """What is shown of a run, as labelled texts.

    Attributes:
        rows: about how many the input has, None while that is not known.
    """

    def __init__(self, run: RunHandle) -> None:
        self.rows: int | None = None
        self._run = run
        self._forecast = EtaEstimate()
        self._outcomes, self._requests, self._tokens = Meter(0), Meter(0), Meter(0)
        self._limiting = Meter(BottleneckTimes())

    def fields(self, now: float) -> dict[str, str]:
        """Label to text, in the order to show them; what there is nothing to say of is left out."""
        tally, limits = self._run.tally(), self._run.limits
        progress, counters, usage = tally.progress, tally.counters, tally.counters.usage
        rejects = progress.rejects.total()
        outcomes = progress.records + rejects
        done = outcomes + progress.resumed
        if outcomes:
            # From the first outcome on: the wait for it says nothing about the pace.
            self._outcomes.look(now, outcomes)
        self._requests.look(now, counters.requests)
        self._tokens.look(now, usage.prompt_tokens + usage.completion_tokens)
        self._limiting.look(now, tally.limiting)
        self._forecast.look(now, tally)
        speed = self._outcomes.growth / (self._outcomes.seconds or inf)
        fields = {
            "samples": f"{done:,}{self._of_all(done, progress.refused)}",
            "records": f"{progress.records:,}",
            "rejects": _unless_zero(rejects),
            "done before": _unless_zero(progress.resumed),
            "samples/s": f"{speed:,.1f}" if speed else "",
            "time left": self._time_left(),
            "limited by": _shares(self._limiting.growth.shares(), 1),
            "in flight": f"{tally.in_flight:,} of {tally.slots:,}",
            "requests": f"{counters.requests:,}, {counters.retries:,} repeated",
            "requests/min": _of(self._requests.growth, limits.rpm),
            "tokens": f"{usage.prompt_tokens:,} in, {usage.completion_tokens:,} out",
            "tokens/min": _of(self._tokens.growth, limits.tpm),
            "cost": money(self._run.cost_of(usage)),
            "judge": _judged(self._run.summary()["judge"]),
        }
        return {label: text for label, text in fields.items() if text}

    def _of_all(self, done: int, refused: int) -> str:
        # A row that is no clip has one reject for all tasks.
        total = (self.rows or 0) * self._run.tasks - refused * (self._run.tasks - 1)
        return f" of ~{total:,}" if total and total >= done else ""

    def _time_left(self) -> str:
        if self.rows is None or self._run.stopped is not None:
            return ""
        seconds = self._forecast.seconds_left(self.rows)
        return "" if seconds is None else _duration(seconds)


async def show_progress(run: RunHandle, count_rows: Callable[[], int]) -> None:
    """Show a run until cancelled: live on a terminal, else a line every `LINE_EVERY_S` seconds.

    `count_rows`, of the input, is called in a thread, and may take its time.
    """
    console = Console(stderr=True)
    view = View(run)

    def count() -> None:
        # The input may be gone by now; then it is not known how far there is to go.
        with suppress(OSError, UsageError):
            view.rows = count_rows()

    # A daemon: nobody waits at the end of a process for a long file to be counted.
    Thread(target=count, daemon=True).start()
    is_live = sys.stderr.isatty() and not console.is_dumb_terminal
    await (_draw(console, view) if is_live else _print_lines(view))


async def _draw(console: Console, view: View) -> None:
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while True:
            live.update(_table(view.fields(anyio.current_time())), refresh=True)
            await anyio.sleep(REDRAW_S)


async def _print_lines(view: View) -> None:
    line_at = anyio.current_time() + LINE_EVERY_S
    while True:
        fields = view.fields(now := anyio.current_time())
        if now >= line_at:
            line_at += LINE_EVERY_S
            tell("; ".join(f"{label} {text}" for label, text in fields.items()))
        await anyio.sleep(LOOK_EVERY_S)


def _table(rows: dict[str, str]) -> Table:
    table = Table.grid(padding=(0, 2))
    for label, text in rows.items():
        table.add_row(Text(label, style="dim"), Text(text))
    return table


def _of(count: int, limit: int | None) -> str:
    return "" if limit is None else f"{count:,} of {limit:,}"
