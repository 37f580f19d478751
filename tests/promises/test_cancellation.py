"""Whatever ends a run early leaves no task, file or connection, and a directory that continues."""

import asyncio
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import anyio
import orjson
import pytest
import uvloop

import vcgen
from tests.support.common import CLIPS, Serving, outcome_ids
from tests.support.heavy import open_files, wait_until_closed
from tests.support.interrupts import STRICT, Interrupting, without_debug
from vcgen.cli.display import show_progress
from vcgen.data.readers.inputs import open_input
from vcgen.engine.chat import ChatRequest, Message
from vcgen.errors import RunStopped, UsageError
from vcgen.pipeline.session import open_run
from vcgen.sim import Simulator

SIX_CLIPS = 12  # samples


def test_signals_at_random_moments_lose_and_leave_nothing(tmp_path: Path) -> None:
    runs = Interrupting(tmp_path, seed=3)
    runs.meet(3)
    assert {ended.code for ended in runs.met} <= {0, 130, 143}


async def cancelled(**options: Any) -> BaseException:
    run = asyncio.create_task(vcgen.generate_batch(**options))
    await asyncio.sleep(0.2)
    run.cancel()
    await asyncio.wait([run])
    assert run.cancelled()
    return asyncio.CancelledError()


async def left(**options: Any) -> BaseException | None:
    outcomes = vcgen.stream(**options)
    async for _ in outcomes:
        break
    await outcomes.aclose()
    return None


async def stopped(**options: Any) -> BaseException:
    del options["model"]
    dead = vcgen.Endpoint(model="sim", base_url="http://127.0.0.1:9/v1")
    with pytest.raises(RunStopped) as ended:
        await vcgen.generate_batch(model=[dead], transport=Refusing(), **options)
    return ended.value


class Refusing:
    """A transport to a server that knows no key."""

    def __init__(self) -> None:
        self._way = vcgen.SimTransport(Simulator(key="another"))

    async def post(self, *request: Any) -> vcgen.Reply:
        return await self._way.post(*request)

    async def aclose(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
@pytest.mark.parametrize("end", [cancelled, left, stopped])
def test_a_run_that_ends_early_leaves_no_task_and_no_open_file(
    serving: Serving,
    tmp_path: Path,
    loop: Callable[[], asyncio.AbstractEventLoop],
    end: Callable[..., Coroutine[Any, Any, BaseException | None]],
) -> None:
    endpoint = vcgen.Endpoint(model="sim", base_url=serving(Simulator(latency_s=0.05)))
    known: dict[str, Any] = {"model": endpoint, "output": tmp_path / "run"}
    known["limits"] = vcgen.Limits(concurrency=2)
    clips = tmp_path / "clips.jsonl"  # longer than what is read ahead of it
    row = {"id": "", "caption": "A boat leaves.", "extra": {"note": "x" * 4000}}
    clips.write_bytes(b"".join(orjson.dumps(row | {"id": str(at)}) + b"\n" for at in range(2000)))

    async def main() -> None:
        before = open_files()
        # Kept, and with it the frames that it went through.
        ended = await end(clips=clips, **known)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        await wait_until_closed(before)
        del ended

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(main())


PROGRAM = """
import asyncio, sys, threading
import uvloop, vcgen

clips, base_url = sys.argv[1:]
endpoint = vcgen.Endpoint(model="sim", base_url=base_url)

async def leave(name):
    known = {"model": endpoint, "limits": vcgen.Limits(concurrency=2)}
    async for _ in vcgen.stream(clips, output=name + "-left", **known):
        break  # nobody closes the stream: the loop has to
    run = asyncio.create_task(vcgen.generate_batch(clips, output=name, **known))
    await asyncio.sleep(0.1)
    run.cancel()
    await asyncio.wait([run])
    for directory in (name, name + "-left"):
        result = await vcgen.generate_batch(clips, output=directory, **known)
    return result.summary.records

async def both(name):
    async with asyncio.TaskGroup() as group:
        runs = [group.create_task(leave(f"{name}-{at}")) for at in range(2)]
    return sum(run.result() for run in runs)

def in_a_loop(loop):
    with asyncio.Runner(loop_factory=loop) as runner:
        print(runner.run(both(loop.__module__)))

in_a_loop(asyncio.new_event_loop)
in_a_loop(uvloop.new_event_loop)  # again in the same process

# As in a notebook: a loop runs for ever, and its cells are awaited in it.
loop = asyncio.new_event_loop()
thread = threading.Thread(target=loop.run_forever, daemon=True)
thread.start()
for cell in ("a", "b"):
    print(asyncio.run_coroutine_threadsafe(both(cell), loop).result())
loop.call_soon_threadsafe(loop.stop)
thread.join()
print(asyncio.all_tasks(loop))
loop.close()
"""


def test_runs_leave_no_warning_in_any_loop(serving: Serving, tmp_path: Path) -> None:
    base_url = serving(Simulator(latency_s=0.03))
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, CLIPS, base_url],
        cwd=tmp_path,
        env=os.environ | STRICT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, without_debug(done.stderr)) == (0, "")
    assert done.stdout.split() == [str(2 * SIX_CLIPS)] * 4 + ["set()"]
    for run in tmp_path.iterdir():
        assert len(outcome_ids(run)) == SIX_CLIPS


def test_what_is_no_loop_of_asyncio_is_named() -> None:
    """As under trio, which anyio could work with: there is no loop of asyncio then."""
    engine = vcgen.Engine(vcgen.Endpoint(model="sim"))
    calls = [
        vcgen.generate_batch(CLIPS, model="sim"),
        anext(vcgen.stream(CLIPS, model="sim")),
        engine.__aenter__(),
    ]
    for call in calls:
        with pytest.raises(UsageError, match="not under trio"):
            call.__await__().__next__() if hasattr(call, "__await__") else call.send(None)


def test_a_resolver_that_does_not_answer_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, answers = threading.Event(), threading.Event()

    def resolve(*_: Any, **__: Any) -> list[Any]:
        asked.set()
        answers.wait()
        return []

    endpoint = vcgen.Endpoint(model="m", base_url="https://nowhere.example/v1")

    async def main() -> None:
        async with vcgen.Engine(endpoint) as engine:
            request = ChatRequest(messages=(Message("user", "Hello"),))
            asking = asyncio.create_task(engine.complete(request))
            while not asked.is_set():  # noqa: ASYNC110 - by a thread
                await asyncio.sleep(0.01)
            asking.cancel()
            await asyncio.wait([asking])

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    try:
        asyncio.run(main())  # ends, though the thread does not
    finally:
        answers.set()


def test_a_long_input_being_counted_holds_nobody_up() -> None:
    counting, counted = threading.Event(), threading.Event()

    def count() -> int:
        counting.set()
        counted.wait()
        return 0

    async def main() -> None:
        options = vcgen.Options()
        async with (
            open_run(open_input([]), vcgen.Endpoint(model="sim"), options) as run,
            anyio.create_task_group() as group,
        ):
            group.start_soon(show_progress, run, count)
            while not counting.is_set():  # noqa: ASYNC110 - by a thread
                await anyio.sleep(0.01)
            group.cancel_scope.cancel()

    before = set(threading.enumerate())
    anyio.run(main)
    # The interpreter waits for others when it ends.
    assert all(thread.daemon for thread in set(threading.enumerate()) - before)
    counted.set()
