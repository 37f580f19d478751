"""Worker process of a run: processes its part of the clips and writes its own files.

Started by `supervisor` as `python -m vcgen.pipeline.workers.worker`. Reads a `WorkerSpec`, then
`Command`s, from standard input; writes `Status` lines to standard output; ends with its input.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from io import TextIOWrapper
from typing import Any, cast
from zlib import crc32

import anyio
import anyio.lowlevel

from vcgen.data.clips import Clip
from vcgen.data.readers.inputs import PlacedStream
from vcgen.data.readers.read import content_of
from vcgen.errors import RunStopped, VcgenError
from vcgen.pipeline.progress import RunSnapshot
from vcgen.pipeline.runner import Run
from vcgen.pipeline.session import use_uvloop
from vcgen.pipeline.workers.protocol import Command, Status, WorkerSpec, decode, encode

REPORT_EVERY_S = 0.25
ROWS_AT_ONCE = 1000
_LINE_BYTES = 1 << 26


def worker_of(item: Any, workers: int) -> int:
    """Which of so many workers, from 1, does a row of the input.

    The same for all rows of one id, so that duplicates meet, and for rows that say the same.
    """
    if isinstance(item, Clip):
        key = item.id
    else:
        # As a clip will have it, once it is one.
        found = item.get("id") if isinstance(item, Mapping) else None
        key = content_of(item) if found is None else str(found).strip()
    return crc32(key.encode("utf-8", "replace")) % workers + 1


async def part_of(clips: PlacedStream, number: int, workers: int) -> PlacedStream:
    """The clips of one worker."""
    rows = 0
    async for place, item in clips:
        rows += 1
        if rows % ROWS_AT_ONCE == 0:
            # Reading does not wait by itself, and orders must be heard meanwhile.
            await anyio.lowlevel.checkpoint()
        if worker_of(item, workers) == number:
            yield place, item


class Reports:
    """Where reports go: the descriptor that was standard output."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def send(self, report: Status) -> None:
        with suppress(OSError):  # nobody reads any more: then no orders come either, which ends us
            os.write(self._descriptor, encode(report))


async def work(orders: asyncio.StreamReader, reports: Reports) -> None:
    """Do what the first line says, and tell how it ended."""
    line = await orders.readline()
    if not line:
        return
    job = decode(WorkerSpec, line)
    sys.path[:] = job.python_path
    tally, error = RunSnapshot(), None
    try:
        part = part_of(job.clips(), job.number, job.workers)
        async with job.open(part, worker=job.number) as run:
            try:
                await _attended(run, orders, reports)
            finally:
                tally = run.tally()
            if run.stopped is not None:  # its budget is spent
                error = type(run.stopped).__name__, str(run.stopped)
    except Exception as failure:  # noqa: BLE001 - told in one line by the process that started us
        error = type(failure).__name__, str(failure)
        if not isinstance(failure, VcgenError):
            error = "RunStopped", f"worker {job.number}: {': '.join(error)}"
    reports.send(Status(tally=tally, done=True, error=error))


async def _attended(run: Run, orders: asyncio.StreamReader, reports: Reports) -> None:
    failure: Exception | None = None
    async with anyio.create_task_group() as group:
        group.start_soon(_obey, run, orders)
        group.start_soon(_report, run, reports)
        try:
            await run.work()
        except Exception as error:  # noqa: BLE001 - raised below, outside the group that would wrap it
            failure = error
        group.cancel_scope.cancel()
    if failure is not None:
        raise failure


async def _obey(run: Run, orders: asyncio.StreamReader) -> None:
    while line := await orders.readline():
        order = decode(Command, line)
        if order.limits is not None:
            run.change(order.limits)
        if order.stop is not None:
            run.stop(RunStopped(order.stop))
    run.stop(RunStopped("the process that started this worker has ended"))


async def _report(run: Run, reports: Reports) -> None:
    while True:
        reports.send(Status(tally=run.tally()))
        await anyio.sleep(REPORT_EVERY_S)


async def _main(orders: int, reports: int) -> None:
    reader = asyncio.StreamReader(limit=_LINE_BYTES)
    protocol = asyncio.StreamReaderProtocol(reader)
    with os.fdopen(orders, "rb", buffering=0) as pipe:
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, pipe)
        await work(reader, Reports(reports))
        transport.close()


def main() -> None:
    """The process."""
    # Whoever ends a whole group of processes ends the one that started us, and it tells us.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    orders, reports = os.dup(0), os.dup(1)
    # What a task prints goes to standard error: standard output is for reports.
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    cast("TextIOWrapper", sys.stdout).reconfigure(line_buffering=True, write_through=False)
    options = {"use_uvloop": use_uvloop()}
    anyio.run(_main, orders, reports, backend_options=options)


if __name__ == "__main__":
    main()
