"""What passes between the process of a run and its workers, a line of JSON each. Never a key."""

import sys
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from functools import cache
from math import ceil
from pathlib import Path
from typing import Any, Self, TypeVar

import orjson
from pydantic import TypeAdapter

from vcgen.data.readers.inputs import PlacedStream, open_input_files
from vcgen.data.readers.read import count_rows
from vcgen.engine.budget import Budget
from vcgen.engine.config import EndpointSpec, Limits
from vcgen.errors import UsageError
from vcgen.pipeline.progress import RunSnapshot
from vcgen.pipeline.runner import Run
from vcgen.pipeline.session import Options, open_run
from vcgen.tasks.recipe import Recipe

T = TypeVar("T", "WorkerSpec", "Command", "Status")


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSpec:
    """What `vcgen generate` is told, as plain values.

    Attributes:
        endpoints: each with its limits, of the whole run or of the worker that gets this job; keys
            are found in the environment, in every process.
        judge: the endpoint of the judge, None for no judge.
        budget, samples: of the whole run, or of the worker that gets this job.
        workers: how many do the run.
        number: which of them gets this job, from 1.
        python_path: where tasks of the user's own are looked for.

    Raises:
        UsageError: there are no workers.
    """

    inputs: tuple[Path, ...]
    input_format: str
    speech: Path | None
    endpoints: tuple[EndpointSpec, ...]
    output: Path
    recipe: Recipe
    templates: Path | None
    timeout_s: float
    hedge: bool
    budget: Budget
    judge: EndpointSpec | None = None
    samples: int | None = None
    workers: int = 1
    number: int = 1
    python_path: tuple[str, ...] = field(default_factory=lambda: tuple(sys.path))

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise UsageError(f"workers must be at least 1, not {self.workers}")

    def clips(self) -> PlacedStream:
        """All clips of the input; raises UsageError if there is none."""
        return open_input_files(self.inputs, self.input_format, self.speech)

    @property
    def limits(self) -> tuple[Limits, ...]:
        """Of each endpoint, and last of the judge's if there is one."""
        judge = () if self.judge is None else (self.judge,)
        return tuple(each.limits for each in (*self.endpoints, *judge))

    def limited(self, limits: Sequence[Limits]) -> Self:
        """The same with others, in the order of `limits`."""
        own = len(self.endpoints)
        endpoints = tuple(map(_limited, self.endpoints, limits[:own]))
        judge = None if self.judge is None else _limited(self.judge, limits[own])
        return replace(self, endpoints=endpoints, judge=judge)

    def count_rows(self) -> int:
        """About how many rows of the input there are to do."""
        rows = sum(count_rows(path, format=self.input_format) for path in self.inputs)
        if self.samples is None:
            return rows
        each = len(self.recipe.tasks) if self.recipe.weights is None else 1
        return min(rows, ceil(self.samples / each))

    def open(
        self, clips: PlacedStream, *, worker: int | None = None
    ) -> AbstractAsyncContextManager[Run]:
        """The run of some of the clips; arguments and errors as for `open_run`."""
        endpoints = [each.with_key() for each in self.endpoints]
        options = Options(
            output=self.output,
            budget=self.budget,
            recipe=self.recipe,
            samples=self.samples,
            templates=self.templates,
            timeout_s=self.timeout_s,
            hedge=self.hedge,
        )
        if self.judge is not None:
            options["judge"] = self.judge.with_key()
        return open_run(clips, endpoints, options, worker=worker)


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What a worker is told while it works: to stop and why, or its share of the limits.

    Attributes:
        limits: one an endpoint, as `Job.limits`.
    """

    limits: tuple[Limits, ...] | None = None
    stop: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What a worker tells.

    Attributes:
        done: this is its last word, and all that it wrote is on the disk.
        error: why it ended early, as the error's type and its message.
    """

    tally: RunSnapshot
    done: bool = False
    error: tuple[str, str] | None = None


def _limited(endpoint: EndpointSpec, limits: Limits) -> EndpointSpec:
    return replace(endpoint, endpoint=replace(endpoint.endpoint, limits=limits))


def encode(message: WorkerSpec | Command | Status) -> bytes:
    """One line, newline included."""
    return orjson.dumps(message, default=str, option=orjson.OPT_APPEND_NEWLINE)


def decode(kind: type[T], line: bytes) -> T:
    """The message of a line that `encode` made."""
    message: T = _adapters()[kind].validate_json(line)
    return message


@cache
def _adapters() -> dict[type, TypeAdapter[Any]]:
    return {kind: TypeAdapter(kind) for kind in (WorkerSpec, Command, Status)}
