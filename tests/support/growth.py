"""The memory and time this process takes to refuse a reply; `tests/endless.py` starts it."""

import sys
import time
from pathlib import Path

import anyio
import httpx
import orjson

from vcgen.engine.transport.asyncio_http import HttpTransport
from vcgen.engine.transport.httpx_client import HttpxTransport
from vcgen.errors import ReplyTooLarge


def peak() -> float:
    """The most megabytes this process has had, not counting who started it, as `ru_maxrss` does."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


async def measure(url: str, transport: str) -> tuple[float, float]:
    async with httpx.AsyncClient() as client:
        sender = HttpTransport() if transport == "own" else HttpxTransport(client)
        await sender.post(url, {}, b"{}", 60)
        before, began = peak(), time.process_time()
        try:
            await sender.post(url, {}, b"{}", 60)
        except ReplyTooLarge:
            return peak() - before, time.process_time() - began
        finally:
            await sender.aclose()
    raise AssertionError("it was taken")


if __name__ == "__main__":
    print(orjson.dumps(anyio.run(measure, sys.argv[1], sys.argv[2])).decode())  # noqa: T201 - its result
