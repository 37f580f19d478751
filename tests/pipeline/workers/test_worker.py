"""A worker: its rows, and how it ends with its input."""

import asyncio
import os
import subprocess
from collections.abc import Iterable, Iterator
from typing import Any, cast

import anyio
import anyio.lowlevel

from tests.support.blocked import blocked, fill
from tests.support.common import make_clip, run
from vcgen.data.readers.inputs import open_input
from vcgen.data.records import Reason, Reject
from vcgen.engine.config import Limits
from vcgen.pipeline.progress import Progress, RunSnapshot
from vcgen.pipeline.runner import Run
from vcgen.pipeline.workers.protocol import (
    HEARTBEAT_S,
    SILENCE_S,
    Command,
    Status,
    decode,
    encode,
)
from vcgen.pipeline.workers.supervisor import COMMAND
from vcgen.pipeline.workers.worker import StatusPipe, _obey, part_of, worker_of


def test_a_row_has_the_same_worker_in_any_form() -> None:
    clip = make_clip("harbour-1")
    for workers in (1, 2, 7):
        worker = worker_of(clip, workers)
        assert 1 <= worker <= workers
        for name in ("harbour-1", " harbour-1\n"):
            assert worker_of({"id": name}, workers) == worker
        assert worker_of({"id": 7}, workers) == worker_of({"id": "7"}, workers)
        first, second = (
            Reject(id=place, reason=Reason.INVALID_CLIP, message=f"{place}: no")
            for place in ("a.jsonl:3", "b.jsonl:4")
        )
        assert worker_of(first, workers) == worker_of(second, workers)
    for row in ({}, {"id": None}, {"id": "\ud800"}, {"caption": "\ud800"}, "text", 3, None):
        assert worker_of(row, 2) in (1, 2)
    assert worker_of({"id": "harbour-1"}, 1000) == 78  # in every version


def test_the_parts_of_all_workers_are_the_input() -> None:
    rows: list[dict[str, Any]] = [{"id": f"clip-{at}"} for at in range(50)] + [{}]

    async def main() -> None:
        places: list[str] = []
        for number in (1, 2, 3):
            part = [row async for row in part_of(open_input(rows), number, 3)]
            assert [worker_of(row.value, 3) for row in part] == [number] * len(part)
            places += [row.place for row in part]
        assert sorted(places) == sorted(f"clips[{at}]" for at in range(51))

    run(main)


def test_rows_that_are_never_waited_for_let_other_tasks_run() -> None:
    """Or a worker that skips finished clips would not read its commands."""
    turns = 0

    def endless() -> Iterator[dict[str, Any]]:
        while True:
            yield {"id": "another worker's"}

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await anyio.lowlevel.checkpoint()

    async def main() -> None:
        clips: Iterable[Any] = endless()
        mine = 3 - worker_of({"id": "another worker's"}, 2)
        async with anyio.create_task_group() as group:
            group.start_soon(count)
            with anyio.CancelScope() as scope:
                group.start_soon(cancel, scope)
                async for _ in part_of(open_input(clips), mine, 2):
                    raise AssertionError("not its row")
            group.cancel_scope.cancel()

    async def cancel(scope: anyio.CancelScope) -> None:
        while turns < 10:
            await anyio.lowlevel.checkpoint()
        scope.cancel()

    run(main)
    assert turns >= 10


def test_a_worker_without_spec_ends_silently() -> None:
    done = subprocess.run(
        COMMAND, input=b"", capture_output=True, check=False, env=dict(os.environ), timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


STATUS = Status(snapshot=RunSnapshot(Progress(records=3)))
LAST = Status(snapshot=RunSnapshot(Progress(records=4)), done=True)


def read_line(descriptor: int) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        line += os.read(descriptor, 1)
    return line


def test_a_status_that_does_not_fit_is_dropped_whole() -> None:
    with blocked() as pipe:
        statuses = StatusPipe(pipe.write_end)
        for _ in range(10):
            statuses.send(STATUS)
        os.read(pipe.read_end, 1 << 20)
        statuses.send(LAST)
        assert decode(Status, read_line(pipe.read_end)) == LAST


def test_a_status_of_which_a_part_was_written_is_completed_first() -> None:
    with blocked() as pipe:
        statuses = StatusPipe(pipe.write_end)
        # Larger than the pipe, so that a part of it fits.
        large = Status(snapshot=RunSnapshot(), error=("RunStopped", "x" * 100_000))
        os.read(pipe.read_end, 1 << 20)
        statuses.send(large)
        statuses.send(STATUS)
        read = os.read(pipe.read_end, 1 << 20)
        statuses.send(LAST)
        while read.count(b"\n") < 2:
            read += os.read(pipe.read_end, 1 << 20)
        first, second = read.splitlines()
        assert decode(Status, first) == large
        assert decode(Status, second) == LAST


def test_the_last_status_waits_for_room_and_holds_nothing_up() -> None:
    async def main() -> None:
        with blocked() as pipe:
            statuses = StatusPipe(pipe.write_end)
            async with anyio.create_task_group() as group:
                group.start_soon(statuses.send_last, LAST)
                await anyio.wait_all_tasks_blocked()
                os.read(pipe.read_end, 1 << 20)
            assert decode(Status, read_line(pipe.read_end)) == LAST

    anyio.run(main, backend_options={"use_uvloop": True})


def test_the_last_status_is_dropped_once_the_supervisor_has_ended() -> None:
    async def main() -> None:
        read_end, write_end = os.pipe()
        fill(write_end)
        async with anyio.create_task_group() as group:
            group.start_soon(StatusPipe(write_end).send_last, LAST)
            await anyio.wait_all_tasks_blocked()
            os.close(read_end)
        os.close(write_end)

    anyio.run(main, backend_options={"use_uvloop": True})


class Obeying:
    """A run that notes what it is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def pause(self) -> None:
        self.notes.append("pause")

    def resume(self) -> None:
        self.notes.append("resume")

    def stop(self, _: Exception) -> None:
        self.notes.append("stop")

    def change(self, _: object) -> None:
        self.notes.append("change")


def test_a_silent_supervisor_pauses_the_run_until_it_speaks() -> None:
    async def main() -> None:
        told, commands = Obeying(), asyncio.StreamReader()
        async with anyio.create_task_group() as group:
            group.start_soon(_obey, cast("Run", told), commands)
            for _ in range(20):
                commands.feed_data(encode(Command()))
                await anyio.sleep(HEARTBEAT_S)
            assert told.notes == []
            await anyio.sleep(SILENCE_S)
            assert told.notes == ["pause"]
            await anyio.sleep(3600)
            commands.feed_data(encode(Command(limits=(Limits(rpm=3),))))
            await anyio.sleep(HEARTBEAT_S)
            assert told.notes == ["pause", "resume", "change"]
            commands.feed_eof()
        assert told.notes[-1] == "stop"

    run(main)
