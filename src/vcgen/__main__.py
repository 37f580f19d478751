"""The command, by the name of `vcgen` and as `python -m vcgen`."""

import atexit
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType


def main() -> None:
    """Do what the command line says; ends in SystemExit.

    A signal ends it silently with 128 and the signal's number, be it while modules are imported or
    while files are read. Only a run that works deals with signals in its own way.
    """
    _heed(_end_at_once)
    # Python forgets handlers before it has ended, and by then how it ends is decided.
    atexit.register(_heed, signal.SIG_IGN)
    from vcgen.cli import main as act  # noqa: PLC0415 - takes half a second, in which one may end it

    _heed(_end)
    try:
        act()
    finally:
        _heed(_end_at_once)


def _heed(handler: Callable[[int, FrameType | None], None] | signal.Handlers) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handler)


def _end(number: int, _: FrameType | None) -> None:
    sys.exit(128 + number)


def _end_at_once(number: int, _: FrameType | None) -> None:
    # Nothing is open, and neither an import nor the end of the interpreter takes an exception well.
    os._exit(128 + number)


if __name__ == "__main__":
    main()
