"""The process that makes one sample, started by `isolation` as `python -m vcgen.pipeline.isolated`.

Reads an `IsolatedSample` as JSON; writes `BEGUN`, and the type of the error that no sample caused,
if there is one.
"""

import os
import resource
import signal
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import anyio
from pydantic import TypeAdapter

from vcgen.engine.config import Endpoint
from vcgen.engine.engine import Engine
from vcgen.errors import InternalError, RunStopped, VcgenError
from vcgen.pipeline.isolation import BEGUN, IsolatedSample
from vcgen.pipeline.samples import SampleMaker
from vcgen.tasks.clip_context import ClipContext
from vcgen.tasks.registry import find_task
from vcgen.tasks.templates import Templates

# A sample takes some megabytes and milliseconds.
MEMORY_BYTES = 4 << 30
CPU_S = 60
WALL_S = 120


class ReplayedCalls:
    """A store of completions that keeps no others."""

    has_calls = True

    def __init__(self, rows: Mapping[str, Any]) -> None:
        self._rows = rows

    def find_call(self, key: str) -> Mapping[str, Any] | None:
        """As `CallStore.find_call`."""
        return self._rows.get(key)

    def keep_call(self, row: Mapping[str, Any]) -> None:
        """Keep nothing."""


async def failure_of(isolated: IsolatedSample) -> str:
    """Make the sample; return the type of the error that no sample caused, empty without one."""
    task, templates = find_task(isolated.task), Templates(isolated.templates)
    samples = SampleMaker(templates, isolated.recipe, None, lambda: datetime.now(UTC))
    engine = Engine(Endpoint(model=isolated.model, base_url="http://127.0.0.1/v1"))
    engine.stop(RunStopped("this process sends no request"))
    context = ClipContext(isolated.clip, engine, ReplayedCalls(isolated.calls))
    try:
        await samples.make(task, context, isolated.sample)
    except InternalError as error:
        return type(error.__cause__).__name__
    return ""


def _main() -> None:
    written, sys.stdout = os.dup(1), sys.stderr  # a task may print
    sample = TypeAdapter(IsolatedSample).validate_json(sys.stdin.buffer.read())
    sys.path[:] = sample.python_path
    find_task(sample.task)  # its imports take their time
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    signal.alarm(WALL_S)
    os.write(written, BEGUN)
    try:
        failure = anyio.run(failure_of, sample)
    except VcgenError:
        return
    os.write(written, failure.encode())


if __name__ == "__main__":
    _main()
