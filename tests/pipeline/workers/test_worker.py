"""A worker: its rows, and how it ends with its input."""

import os
import subprocess
from collections.abc import Iterable, Iterator
from typing import Any

from tests.support.common import make_clip, run
from vcgen.data.readers.inputs import open_input
from vcgen.data.records import Reason, Reject
from vcgen.pipeline.workers.supervisor import COMMAND
from vcgen.pipeline.workers.worker import part_of, worker_of


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
    import anyio  # noqa: PLC0415 - only here

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
