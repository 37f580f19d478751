"""Runs over very many clips, and with very many requests in flight, measured from within."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import uvloop

import vcgen
from vcgen.engine.transport.base import Reply
from vcgen.pipeline.api import Result

OPTIONS: dict[str, Any] = {"tasks": ["description"], "recipe": vcgen.Recipe(refine=False)}
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def open_files() -> list[str]:
    """What this process has open, once for each descriptor.

    Not /dev/null: libuv, under uvloop, keeps one at hand for as long as its loop lives.
    """
    found = []
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - Path would have the directory open too
        try:
            found.append(os.readlink(f"/proc/self/fd/{name}"))  # noqa: PTH115 - no path
        except FileNotFoundError:  # the listing's own
            continue
    return sorted(path for path in found if path != "/dev/null")


async def wait_until_closed(before: list[str]) -> None:
    """Until no more is open than was; fails the test when that takes long."""
    async with asyncio.timeout(20):
        while open_files() != before:  # noqa: ASYNC110 - the other end may be about to close
            await asyncio.sleep(0.01)


class Repeating(vcgen.SimTransport):
    """Has the first request answered by the simulator, and the others alike: it costs nothing."""

    _reply: Reply | None = None

    async def post(
        self, url: str, headers: Mapping[str, str], body: bytes, timeout_s: float
    ) -> Reply:
        if self._reply is None:
            self._reply = await super().post(url, headers, body, timeout_s)
        return self._reply


def rows(count: int) -> Iterator[dict[str, Any]]:
    for number in range(count):
        yield {"id": f"clip-{number:07}", "caption": "A woman walks her dog along the path."}


class Growth(NamedTuple):
    """Of a run: bytes a clip after the warm-up, megabytes in the end, CPU time a clip."""

    bytes_each: float
    resident_mb: float
    cpu_us: float


async def growth(clips: int, warm_up: int, output: Path) -> Growth:
    """How much memory a run with a directory takes for each clip more."""
    began = time.process_time()
    seen: list[int] = []

    def watched() -> Iterator[dict[str, Any]]:
        for number, row in enumerate(rows(clips)):
            if number in {warm_up, clips - 1}:
                seen.append(resident_bytes())
            yield row

    limits = vcgen.Limits(concurrency=64)
    result = await vcgen.generate_batch(
        watched(), model="sim", output=output, limits=limits, transport=Repeating(), **OPTIONS
    )
    assert len(result.records) == clips
    early, late = seen
    cpu_us = (time.process_time() - began) / clips * 1e6
    return Growth((late - early) / (clips - warm_up), late / 1e6, cpu_us)


def measured_growth(clips: int, warm_up: int, output: Path) -> Growth:
    """`growth`, from outside a loop."""
    return uvloop.run(growth(clips, warm_up, output))


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * _PAGE_BYTES


class Load(NamedTuple):
    """What a run came to; descriptors open before it, at most, and after it."""

    result: Result
    before: int
    most: int
    after: int


async def load(base_url: str, in_flight: int, seconds: float) -> Load:
    """Begin clips for so long, so many at once, and let the last ones finish."""
    loop = asyncio.get_running_loop()
    before, most = open_files(), 0
    ends_at = loop.time() + seconds

    async def endless() -> AsyncIterator[dict[str, Any]]:
        number = 0
        while loop.time() < ends_at:
            yield {"id": f"clip-{number}", "caption": f"A boat with number {number} leaves."}
            number += 1

    async def watch() -> None:
        nonlocal most
        while True:
            most = max(most, len(os.listdir("/proc/self/fd")))  # noqa: PTH208 - twice as fast
            await asyncio.sleep(1)

    watching = asyncio.create_task(watch())
    endpoint = vcgen.Endpoint(model="sim", base_url=base_url)
    limits = vcgen.Limits(concurrency=in_flight)
    result = await vcgen.generate_batch(endless(), model=endpoint, limits=limits, **OPTIONS)
    watching.cancel()
    await asyncio.wait([watching])
    await wait_until_closed(before)
    return Load(result, len(before), most, len(open_files()))
