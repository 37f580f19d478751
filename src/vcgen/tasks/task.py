"""A task: an async function from a clip to turns."""

import inspect
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from vcgen.data.clips import Clip
from vcgen.data.records import Turn
from vcgen.errors import UsageError
from vcgen.tasks.ask import Ask

TaskFunction = Callable[[Clip, Ask], Awaitable[Sequence[Turn]]]


@dataclass(frozen=True, slots=True)
class Task:
    """A named way from a clip to turns; its name is part of the ids of its samples."""

    name: str
    function: TaskFunction


def task(function: TaskFunction) -> Task:
    """Make an async function `(clip, ask) -> turns` a task named after it, `_` written as `-`."""
    name = getattr(function, "__name__", "")
    if not (name.isidentifier() and inspect.iscoroutinefunction(function)):
        raise UsageError(f"a task is made of a named async function, not of {function!r}")
    return Task(name.replace("_", "-"), function)
