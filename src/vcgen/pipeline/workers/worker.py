"""Worker process of a run: processes its part of the clips and writes its own files.

Started by `supervisor` as `python -m vcgen.pipeline.workers.worker`. Reads a `WorkerSpec`, then
`Command`s, from standard input; writes `Status` lines to standard output; ends with its input and
pauses while that is silent.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from functools import partial
from io import TextIOWrapper
from typing import Any, cast
from zlib import crc32

import anyio
import anyio.lowlevel

from vcgen.data.clips import Clip
from vcgen.data.readers.inputs import InputStream
from vcgen.data.readers.read import content_of
from vcgen.errors import RunStopped, VcgenError
from vcgen.pipeline.background import run_with_background
from vcgen.pipeline.progress import RunSnapshot
from vcgen.pipeline.runner import Run
from vcgen.pipeline.workers.protocol import (
    SILENCE_S,
    Command,
    Status,
    WorkerSpec,
    decode,
    encode,
)

REPORT_EVERY_S = 0.25
ROWS_AT_ONCE = 1000
_LINE_BYTES = 1 << 26


def worker_of(item: Any, workers: int) -> int:
    """Return which worker, from 1, takes a row of the input.

    All rows of one id go to the same worker, so that it finds the duplicates, and so do all invalid
    rows of the same content.
    """
    if isinstance(item, Clip):
        key = item.id
    else:
        # Stripped, as `Clip` will have it.
        stated = item.get("id") if isinstance(item, Mapping) else None
        key = content_of(item) if stated is None else str(stated).strip()
    return crc32(key.encode("utf-8", "replace")) % workers + 1


async def part_of(clips: InputStream, number: int, workers: int) -> InputStream:
    """Yield the rows of one worker."""
    rows = 0
    async for row in clips:
        rows += 1
        if rows % ROWS_AT_ONCE == 0:
            # Reading never waits; let the task that reads commands run.
            await anyio.lowlevel.checkpoint()
        if worker_of(row.value, workers) == number:
            yield row


class StatusPipe:
    """The descriptor that was standard output, to the process that started this worker.

    Non-blocking, so a supervisor that reads nothing holds nobody up: what does not fit is dropped.
    A line of which a part was written is completed before any other.
    """

    def __init__(self, descriptor: int) -> None:
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        self._begun = b""  # the rest of a line of which a part was written

    def send(self, status: Status) -> None:
        """Write a line, or drop it."""
        self._begun = self._write(self._begun)
        if not self._begun:
            line = encode(status)
            rest = self._write(line)
            self._begun = b"" if len(rest) == len(line) else rest

    async def send_last(self, status: Status) -> None:
        """Write a line, waiting until it fits, or until the supervisor has ended."""
        rest = self._begun + encode(status)
        while rest := self._write(rest):
            await anyio.wait_writable(self._descriptor)

    def _write(self, data: bytes) -> bytes:
        """Return the part that does not fit; without a supervisor there is none."""
        try:
            return data[os.write(self._descriptor, data) :] if data else data
        except BlockingIOError:
            return data
        except OSError:  # the supervisor has ended: then our input ends too
            return b""


async def work(commands: asyncio.StreamReader, statuses: StatusPipe) -> None:
    """Work as the spec in the first line states; send a last status."""
    line = await commands.readline()
    if not line:
        return
    spec = decode(WorkerSpec, line)
    sys.path[:] = spec.python_path
    snapshot, error = RunSnapshot(), None
    try:
        part = part_of(spec.clips(), spec.number, spec.workers)
        async with spec.open(part, worker=spec.number) as run:
            try:
                await run_with_background(
                    run.work, partial(_obey, run, commands), partial(_report, run, statuses)
                )
            finally:
                snapshot = run.snapshot()
            if run.stopped is not None:  # its budget is spent
                error = type(run.stopped).__name__, str(run.stopped)
    except Exception as failure:  # noqa: BLE001 - the supervisor raises it
        error = type(failure).__name__, str(failure)
        if not isinstance(failure, VcgenError):
            error = "RunStopped", f"worker {spec.number}: {': '.join(error)}"
    await statuses.send_last(Status(snapshot=snapshot, done=True, error=error))


async def _obey(run: Run, commands: asyncio.StreamReader) -> None:
    while line := await _next_command(run, commands):
        command = decode(Command, line)
        if command.limits is not None:
            run.change(command.limits)
        if command.stop is not None:
            run.stop(RunStopped(command.stop))
    run.stop(RunStopped("the process that started this worker has ended"))


async def _next_command(run: Run, commands: asyncio.StreamReader) -> bytes:
    """Wait for a line; the run sends nothing while the supervisor is silent, as it is stopped."""
    with anyio.move_on_after(SILENCE_S):
        return await commands.readline()
    run.pause()
    try:
        return await commands.readline()
    finally:
        run.resume()


async def _report(run: Run, statuses: StatusPipe) -> None:
    while True:
        statuses.send(Status(snapshot=run.snapshot()))
        await anyio.sleep(REPORT_EVERY_S)


async def _main(commands: int, statuses: int) -> None:
    reader = asyncio.StreamReader(limit=_LINE_BYTES)
    protocol = asyncio.StreamReaderProtocol(reader)
    with os.fdopen(commands, "rb", buffering=0) as pipe:
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, pipe)
        await work(reader, StatusPipe(statuses))
        transport.close()


def main() -> None:
    # A signal to the whole group reaches the supervisor, which stops us by a command.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    commands, statuses = os.dup(0), os.dup(1)
    # Standard output is for statuses: print() in a task writes to standard error.
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    cast("TextIOWrapper", sys.stdout).reconfigure(line_buffering=True, write_through=False)
    anyio.run(_main, commands, statuses, backend_options={"use_uvloop": True})


if __name__ == "__main__":
    main()
