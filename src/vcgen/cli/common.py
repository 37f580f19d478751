"""Helpers of several commands."""

import signal
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import anyio

from vcgen.cli.output import tell
from vcgen.cli.signals import end, end_at_once, install_handlers
from vcgen.data.clip_index import ClipIndex
from vcgen.errors import UsageError

T = TypeVar("T")


def run_loop(main: Callable[[], Awaitable[T]]) -> T:
    """Run a coroutine function in a new loop and return its result."""

    async def guarded() -> T:
        install_handlers(end)
        try:
            return await main()
        finally:
            sys.stdout.flush()
            install_handlers(end_at_once)

    options = {"use_uvloop": True}
    if signal.getsignal(signal.SIGINT) is not end:  # called from Python, not by the command
        return anyio.run(main, backend_options=options)
    # An exception raised while a loop starts or ends would leave its own coroutines behind.
    install_handlers(end_at_once)
    try:
        return anyio.run(guarded, backend_options=options)
    finally:
        install_handlers(end)


def ensure_distinct(output: Path, inputs: Iterable[Path]) -> None:
    """Raises UsageError if the output would overwrite one of its inputs."""
    if output.exists() and any(path.exists() and output.samefile(path) for path in inputs):
        raise UsageError(f"{output} is an input of this command; name another output file")


def read_known_clips(paths: Sequence[Path] | None, format_name: str) -> ClipIndex:
    """Index the clips of files; report rows that are not clips."""
    clips = ClipIndex(paths or (), format_name)
    if clips.bad:
        tell(f"vcgen: skipped rows that are not clips: {clips.bad:,}")
    return clips


def report_damaged(damaged: Mapping[str, int]) -> None:
    """Print how many lines of each file could not be read."""
    for name, count in damaged.items():
        tell(
            f"vcgen: skipped damaged lines in {name}: {count:,}; run the same `vcgen generate` "
            "again to regenerate them"
        )
