"""Messages between the process of a run and its workers: JSON lines, never with a key.

WorkerSpec    to the worker, once: its part of the run
Command       to the worker, while it works: other limits, or stop; an empty one once a second
Status        from the worker, four times a second and at its end: its counts
"""

import json
import sys
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import cache
from math import ceil
from pathlib import Path
from typing import Any, Self, TypeVar

import orjson
from pydantic import TypeAdapter

from vcgen.data.readers.inputs import InputStream, first_rows, open_input_files
from vcgen.data.readers.read import count_rows
from vcgen.engine.budget import Budget
from vcgen.engine.config import EndpointSpec, Limits
from vcgen.errors import UsageError
from vcgen.pipeline.progress import RunSnapshot
from vcgen.pipeline.runner import Run
from vcgen.pipeline.session import Options, open_run
from vcgen.tasks.recipe import Recipe

HEARTBEAT_S = 1.0
SILENCE_S = 3.0  # of three heartbeats: the supervisor is stopped, and its workers pause

T = TypeVar("T", "WorkerSpec", "Command", "Status")


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSpec:
    """A run of `vcgen generate`, or a worker's part of it, as plain values.

    Attributes:
        endpoints: each with its limits, of the whole run or of this worker; every process takes
            their keys from the environment.
        budget, max_records: of the whole run, or of this worker.
        python_path: where a worker finds the user's own tasks.

    Raises:
        UsageError: `workers` is below 1.
    """

    inputs: tuple[Path, ...]
    input_format: str
    transcripts: Path | None
    endpoints: tuple[EndpointSpec, ...]
    output: Path
    recipe: Recipe
    templates: Path | None
    timeout_s: float
    hedge: bool
    budget: Budget
    judge: EndpointSpec | None = None  # its endpoint, None without a judge
    max_clips: int | None = None  # of the whole input, None for all
    max_records: int | None = None
    workers: int = 1  # number of processes that work on the run
    number: int = 1  # of this worker, from 1
    python_path: tuple[str, ...] = field(default_factory=lambda: tuple(sys.path))

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise UsageError(f"workers must be at least 1, not {self.workers}")

    def clips(self) -> InputStream:
        """Open the whole input; raise UsageError without any."""
        rows = open_input_files(self.inputs, self.input_format, self.transcripts)
        return first_rows(rows, self.max_clips)

    @property
    def limits(self) -> tuple[Limits, ...]:
        """Limits of each endpoint, and last those of the judge's."""
        judge = () if self.judge is None else (self.judge,)
        return tuple(spec.limits for spec in (*self.endpoints, *judge))

    def with_limits(self, limits: Sequence[Limits]) -> Self:
        """Return a copy with other limits, in the order of `limits`."""
        own = len(self.endpoints)
        endpoints = tuple(map(_with_limits, self.endpoints, limits[:own]))
        judge = None if self.judge is None else _with_limits(self.judge, limits[own])
        return replace(self, endpoints=endpoints, judge=judge)

    def count_rows(self) -> int:
        """Estimate how many rows of the input the run will take."""
        rows = sum(count_rows(path, format=self.input_format) for path in self.inputs)
        rows = min(rows, self.max_clips or rows)
        if self.max_records is None:
            return rows
        per_row = len(self.recipe.tasks) if self.recipe.weights is None else 1
        return min(rows, ceil(self.max_records / per_row))

    def open(
        self, rows: InputStream, *, worker: int | None = None
    ) -> AbstractAsyncContextManager[Run]:
        """Open the run of some rows; arguments and errors as for `open_run`."""
        endpoints = [spec.with_key() for spec in self.endpoints]
        options = Options(
            output=self.output,
            budget=self.budget,
            recipe=self.recipe,
            max_records=self.max_records,
            templates=self.templates,
            timeout_s=self.timeout_s,
            hedge=self.hedge,
        )
        if self.judge is not None:
            options["judge"] = self.judge.with_key()
        return open_run(rows, endpoints, options, worker=worker)


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """An instruction to a worker at work; None leaves a thing as it is.

    Without any field it is a heartbeat: the supervisor still runs.
    """

    limits: tuple[Limits, ...] | None = None  # one an endpoint, in the order of `WorkerSpec.limits`
    stop: str | None = None  # the reason to stop


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The counts of a worker."""

    snapshot: RunSnapshot
    done: bool = False  # whether the worker has ended; then all its lines are on the disk
    error: tuple[str, str] | None = None  # type and message of the error that ended it early


def _with_limits(spec: EndpointSpec, limits: Limits) -> EndpointSpec:
    return replace(spec, endpoint=replace(spec.endpoint, limits=limits))


def encode(message: WorkerSpec | Command | Status) -> bytes:
    """Encode a message as one line, newline included."""
    try:
        return orjson.dumps(message, default=str, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError:  # a path or an error text with lone surrogates, which `json` escapes
        return json.dumps(message, default=_plain).encode() + b"\n"


def decode(kind: type[T], line: bytes) -> T:
    """Decode a line that `encode` made."""
    message: T = _adapters()[kind].validate_python(json.loads(line))
    return message


def _plain(value: Any) -> Any:
    if not is_dataclass(value):
        return str(value)
    return {field.name: getattr(value, field.name) for field in fields(value)}


@cache
def _adapters() -> dict[type, TypeAdapter[Any]]:
    return {kind: TypeAdapter(kind) for kind in (WorkerSpec, Command, Status)}
