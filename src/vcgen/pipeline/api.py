"""The public calls `generate_batch`, `stream` and `run`; all options are checked before sending."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar, Unpack

import anyio

from vcgen.data.readers.inputs import Clips, open_input
from vcgen.data.records import Outcome, Record, Reject
from vcgen.engine.chat import Usage
from vcgen.engine.pool import stream_from
from vcgen.errors import UsageError
from vcgen.pipeline.progress import RunSummary
from vcgen.pipeline.runner import Deliver
from vcgen.pipeline.session import Model, Options, open_run
from vcgen.pipeline.store.read import read_records, read_rejects

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Stored(Generic[T]):
    """Outcomes in a run directory; each iteration reads them from there, one at a time."""

    path: Path
    count: int
    read: Callable[[Path], Iterator[T]]

    def __iter__(self) -> Iterator[T]:
        return self.read(self.path)

    def __len__(self) -> int:
        return self.count


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Outcomes and counts of a run.

    Attributes:
        records, rejects: lists, or read lazily from the run directory, if there is one, with those
            of earlier runs.
        usage: tokens of this run, failed and repaired attempts included where they were answered;
            the summary has those of a judge.
        cost: US dollars of these tokens, None if the model's price is unknown.
        seconds: duration of this run.
        summary: counts of the run, as `vcgen generate --json` prints them.
    """

    records: list[Record] | Stored[Record]
    rejects: list[Reject] | Stored[Reject]
    usage: Usage
    cost: float | None
    seconds: float
    summary: RunSummary


async def generate_batch(clips: Clips, *, model: Model, **options: Unpack[Options]) -> Result:
    """Generate the samples of all clips.

    Args:
        clips: a path, or an iterable or async iterable of `Clip` or dicts of its fields.
        model: a name (endpoint and key come from the environment), `sim`, an `Endpoint`, or several
            of one model, which share the requests.
        options: see `Options`.

    Raises:
        UsageError: wrong use, before anything is sent.
        RunStopped: dead key, exhausted quota, unreachable endpoint; with `output`, the same call
            continues.
        StoreError: the run directory could not be written.
    """
    records: list[Record] = []
    rejects: list[Reject] = []

    async def collect(outcome: Outcome) -> None:
        if isinstance(outcome, Record):
            records.append(outcome)
        else:
            rejects.append(outcome)

    deliver = None if options.get("output") else collect
    async with open_run(open_input(clips), model, options, deliver) as opened:
        await opened.work()
    store, summary = opened.store, opened.summary()
    return Result(
        records=Stored(store.path, store.records, read_records) if store else records,
        rejects=Stored(store.path, store.rejects.total(), read_rejects) if store else rejects,
        usage=opened.engine.counters.usage,
        cost=summary.cost,
        seconds=summary.seconds,
        summary=summary,
    )


def stream(
    clips: Clips, *, model: Model, **options: Unpack[Options]
) -> AsyncGenerator[Outcome, None]:
    """Yield outcomes as they finish, in constant memory.

    Arguments and errors as for `generate_batch`. Leaving the loop early ends the run; with `output`
    another call continues it.
    """

    async def produce(send: Deliver) -> None:
        async with open_run(open_input(clips), model, options, send) as opened:
            await opened.work()

    return stream_from(produce)


def run(clips: Clips, *, model: Model, **options: Unpack[Options]) -> Result:
    """Call `generate_batch` from a script and block until it ends; not for code in a loop."""

    async def main() -> Result:
        return await generate_batch(clips, model=model, **options)

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return anyio.run(main, backend_options={"use_uvloop": True})
    raise UsageError("a loop is running here: await vcgen.generate_batch(...) instead of vcgen.run")
