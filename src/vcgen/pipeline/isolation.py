"""Make a sample once more in a process of its own, to learn whether it makes vcgen fail.

An error of vcgen or of the machine stops the run. If the sample is the cause, such as a text that
is nested too deep, every run would stop there: that sample alone is rejected, and `vcgen retry`
makes it again. The process (`isolated`) gets the completions that the sample had and sends nothing.

| the process                               | the sample             |
|-------------------------------------------|------------------------|
| fails with the same error                 | is the cause           |
| is killed: by a crash, memory, CPU, time  | is the cause           |
| makes the sample                          | is not                 |
| would have to send a request              | is not known to be     |
| cannot start, cannot load the task        | is not known to be     |
"""

import inspect
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import orjson

from vcgen.data.clips import Clip
from vcgen.tasks.recipe import Recipe
from vcgen.tasks.registry import builtin_tasks
from vcgen.tasks.task import Task

# -P: a file in the working directory may have the name of a module.
COMMAND = (sys.executable, "-P", "-m", "vcgen.pipeline.isolated")
BEGUN = b"begun\n"  # the process writes this once it makes the sample, and then how that failed


@dataclass(frozen=True, slots=True, kw_only=True)
class IsolatedSample:
    """A sample, with all that it takes to make it once more.

    Attributes:
        task: see `task_reference`.
        model: that answered.
        calls: the clip's completions, as `CallCache.rows` returns them.
        python_path: where the user's own tasks are.
    """

    clip: Clip
    task: str
    sample: str
    recipe: Recipe
    templates: Path | None
    model: str
    calls: Mapping[str, Any]
    python_path: tuple[str, ...] = field(default_factory=lambda: tuple(sys.path))


async def fails_alone(sample: IsolatedSample, error: Exception) -> bool:
    """Return whether the sample alone repeats an error, by the table of this module."""
    row = orjson.dumps(sample, default=_plain)
    try:
        # A session of its own: Ctrl-C at a terminal must not look like a crash.
        ended = await anyio.run_process(
            COMMAND, input=row, check=False, stderr=subprocess.DEVNULL, start_new_session=True
        )
    except OSError:
        return False
    begun, _, failure = ended.stdout.partition(BEGUN)
    if begun or not ended.stdout:
        return False
    return ended.returncode < 0 or failure.decode() == type(error).__name__


def task_reference(task: Task) -> str | None:
    """Return a name by which another process finds a task, None without one."""
    if builtin_tasks().get(task.name) == task:
        return task.name
    function = inspect.unwrap(task.function)
    code = getattr(function, "__code__", None)
    # To load a script is to run it.
    if code is None or function.__module__ == "__main__" or not Path(code.co_filename).is_file():
        return None
    return f"{code.co_filename}:{function.__name__}"


def _plain(value: Any) -> Any:
    return value.model_dump() if isinstance(value, Clip) else str(value)
