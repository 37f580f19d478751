"""Handlers of the signals that end a process outside of a run's work.

During the work of a run, `vcgen.cli.interactive` receives them.

Uses only the standard library: it is loaded before anything else is imported.
"""

import os
import signal
import sys
from collections.abc import Callable
from types import FrameType

# A closed terminal sends SIGHUP, unless `nohup` has made the process ignore it.
_HANGS_UP = signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN
ENDING = (signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if _HANGS_UP else []))
Handler = Callable[[int, FrameType | None], None]


def install_handlers(handler: Handler | signal.Handlers) -> None:
    """Handle the signals of `ENDING` with `handler`."""
    for number in ENDING:
        signal.signal(number, handler)


def end(number: int, _: FrameType | None) -> None:
    """End the process by SystemExit, with 128 and the signal's number."""
    sys.exit(128 + number)


def end_at_once(number: int, _: FrameType | None) -> None:
    """End the process without unwinding, where nothing is open and an exception would do harm."""
    os._exit(128 + number)
