"""A task: an async function from a clip to turns.

    @vcgen.task
    async def colours(clip, ask):
        answer = await ask("colours")
        return [vcgen.Turn("descriptive", "Which colours are in the video?", answer.text)]

A task of several steps calls `ask` several times.
"""

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
    """A function from a clip to turns, and its name, which the ids of its samples contain."""

    name: str
    function: TaskFunction


def task(function: TaskFunction) -> Task:
    """Make a task of an async function `(clip, ask) -> turns`, named after it with `-` for `_`."""
    name = getattr(function, "__name__", "")
    if not (name.isidentifier() and inspect.iscoroutinefunction(function)):
        raise UsageError(f"@vcgen.task needs a named async function, not {function!r}")
    return Task(name.replace("_", "-"), function)
