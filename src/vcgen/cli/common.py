"""What several commands do with their options."""

import signal
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar, cast

import anyio

from vcgen.cli.output import tell
from vcgen.cli.signals import end, end_at_once, install_handlers
from vcgen.data.clip_index import ClipIndex
from vcgen.data.records import Kind
from vcgen.errors import UsageError
from vcgen.pipeline.session import use_uvloop
from vcgen.tasks.recipe import Recipe
from vcgen.tasks.recipe_files import read_recipe

T = TypeVar("T")


def run_loop(main: Callable[[], Awaitable[T]]) -> T:
    """What a coroutine function returns."""

    async def guarded() -> T:
        install_handlers(end)
        try:
            return await main()
        finally:
            sys.stdout.flush()
            install_handlers(end_at_once)

    options = {"use_uvloop": use_uvloop()}
    if signal.getsignal(signal.SIGINT) is not end:  # not the command, but who calls it in Python
        return anyio.run(main, backend_options=options)
    # While a loop begins and ends an exception would leave coroutines of its own behind.
    install_handlers(end_at_once)
    try:
        return anyio.run(guarded, backend_options=options)
    finally:
        install_handlers(end)


def names(text: str) -> tuple[str, ...]:
    """Names between commas."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def ensure_distinct(output: Path, inputs: Iterable[Path]) -> None:
    """Raises UsageError where an output would take the place of what it is made from."""
    if output.exists() and any(each.exists() and output.samefile(each) for each in inputs):
        raise UsageError(f"{output} is what this is made from; name another file")


def read_known_clips(paths: Sequence[Path] | None, format_name: str) -> ClipIndex:
    """The clips of files; says how many rows are none."""
    clips = ClipIndex(paths or (), format_name)
    if clips.bad:
        tell(f"vcgen: rows that are no clips: {clips.bad:,}")
    return clips


def report_damaged(damaged: Mapping[str, int]) -> None:
    """Say of each file how many of its lines could not be read."""
    for name, count in damaged.items():
        tell(
            f"vcgen: damaged lines in {name}, passed over: {count:,}; the command that made the "
            "run, given again, makes their samples anew"
        )


def choose_recipe(
    name: str, *, tasks: str | None, turns: str | None, kinds: str | None, **others: Any
) -> Recipe:
    """A recipe with what options say instead; None says nothing.

    Tasks that are named replace the recipe's, and each clip gets all of them.
    """
    changes = {field: value for field, value in others.items() if value is not None}
    if tasks is not None:
        changes |= {"tasks": names(tasks), "weights": None}
    if turns is not None:
        changes["turns"] = _range(turns)
    if kinds is not None:
        changes["kinds"] = cast("tuple[Kind, ...]", names(kinds))
    return replace(read_recipe(name), **changes)


def _range(text: str) -> tuple[int, int]:
    least, dash, most = text.partition("-")
    try:
        return int(least), int(most if dash else least)
    except ValueError:
        raise UsageError(f"turns {text!r}: give a number or a range such as 3-5") from None
