"""Handlers of SIGINT and SIGTERM outside of a run's work, for which see `vcgen.cli.interactive`.

Uses only the standard library: it is loaded before anything else is imported.
"""

import os
import signal
import sys
from collections.abc import Callable
from types import FrameType

Handler = Callable[[int, FrameType | None], None]


def install_handlers(handler: Handler | signal.Handlers) -> None:
    """Handle SIGINT and SIGTERM with `handler`."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handler)


def end(number: int, _: FrameType | None) -> None:
    """End the process by SystemExit, with 128 and the signal's number."""
    sys.exit(128 + number)


def end_at_once(number: int, _: FrameType | None) -> None:
    """End the process without unwinding, where nothing is open and an exception would do harm."""
    os._exit(128 + number)
