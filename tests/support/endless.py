"""Replies without end, and what it takes a process of its own to refuse them."""

import asyncio
import subprocess
import sys
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import orjson
from anyio.from_thread import start_blocking_portal

from tests.support.servers import accepting, read_body

MEBIBYTE = 1 << 20
SMALL = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Refused(NamedTuple):
    """What it took: megabytes the process grew by at most, and seconds of its own work."""

    megabytes: float
    seconds: float


def bomb(mebibytes: int) -> Iterator[bytes]:
    """A reply of that many mebibytes of zeros, packed into a thousandth."""
    packer = zlib.compressobj(wbits=16 + zlib.MAX_WBITS)
    yield b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n"
    yield packer.compress(bytes(MEBIBYTE)) + packer.flush(zlib.Z_FULL_FLUSH)
    piece = packer.compress(bytes(MEBIBYTE)) + packer.flush(zlib.Z_FULL_FLUSH)
    yield piece * (mebibytes - 1)


def line(mebibytes: int) -> Iterator[bytes]:
    """A reply of one line of that many mebibytes."""
    yield b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (mebibytes * MEBIBYTE)
    for _ in range(mebibytes):
        yield b"x" * MEBIBYTE


def crumbs(mebibytes: int) -> Iterator[bytes]:
    """A reply in chunks of two bytes each."""
    yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    for _ in range(mebibytes):
        yield b"2\r\nxx\r\n" * (MEBIBYTE // 7)


def trailers(mebibytes: int) -> Iterator[bytes]:
    """A reply with headers after its body, without end."""
    yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n"
    for _ in range(mebibytes):
        yield b"a: b\r\n" * (MEBIBYTE // 6)


def refuse(reply: Iterable[bytes], transport: str) -> Refused:
    """Send it to a process that asks for it by a transport, `own` or `httpx`."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for pieces in ([SMALL], reply):
            await read_body(reader)
            for piece in pieces:
                writer.write(piece)
                await writer.drain()

    script = Path(__file__).with_name("growth.py")
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(accepting(serve)) as url,
    ):
        command = [sys.executable, str(script), url, transport]
        asked = subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=50)
    return Refused(*orjson.loads(asked.stdout))
