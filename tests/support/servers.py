"""Servers on loopback for tests over real sockets: handlers, faults of a connection, a CA."""

import asyncio
import socket
import ssl
import struct
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import anyio
import httpx
import pytest
import trustme

from vcgen.engine.transport.asyncio_http import HttpTransport
from vcgen.engine.transport.base import Transport
from vcgen.engine.transport.httpx_client import HttpxTransport

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Opening = Callable[[], AsyncIterator[Transport]]


async def own() -> AsyncIterator[Transport]:
    """Open the default transport."""
    opened = HttpTransport()
    yield opened
    await opened.aclose()


async def own_on_uvloop() -> AsyncIterator[Transport]:
    """Open the default transport; `run_on` runs this one on uvloop."""
    async for opened in own():
        yield opened


async def over_httpx() -> AsyncIterator[Transport]:
    """Open httpx's; its client follows redirects by itself, which the transport must not."""
    unlimited = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(limits=unlimited, follow_redirects=True) as client:
        yield HttpxTransport(client)


def run_on(opening: Opening, main: Callable[[Transport], Awaitable[None]]) -> None:
    """Run `main` with a transport opened, on the loop of that transport."""

    async def opened() -> None:
        async with asynccontextmanager(opening)() as sender:
            await main(sender)

    anyio.run(opened, backend_options={"use_uvloop": opening is own_on_uvloop})


@asynccontextmanager
async def listening(handler: Handler) -> AsyncIterator[str]:
    """Serve `handler`, which answers once a whole request has come; yields the URL."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_body(reader)
        await handler(reader, writer)

    async with accepting(answer) as url:
        yield url


@asynccontextmanager
async def accepting(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Leave each connection to `handler`; yields the URL."""
    accepted: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            await handler(reader, writer)
        writer.close()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted[asyncio.get_running_loop().create_task(answer(reader, writer))] = writer

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls)
    try:
        yield f"http{'s' if tls else ''}://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    finally:
        server.close()
        for task, writer in accepted.items():
            task.cancel()
            writer.transport.abort()
        if accepted:
            await asyncio.wait(accepted)


@contextmanager
def black_hole() -> Iterator[str]:
    """Yield the URL of a host that takes no further connection and refuses none."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        yield f"http://127.0.0.1:{full.getsockname()[1]}/v1"
        for one in waiting:
            one.close()


class Leaving:
    """What a server has seen that closes each connection after one reply.

    Attributes:
        requests: that arrived.
        closed: released each time it has closed a connection.
    """

    def __init__(self) -> None:
        self.requests = 0
        self.closed = threading.Semaphore(0)


@contextmanager
def leaving_in_a_thread(reply: bytes) -> Iterator[tuple[str, Leaving]]:
    """Close each connection after one reply, whatever the loop of the test does meanwhile."""
    seen = Leaving()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with suppress(OSError):  # the test is over
                while True:
                    with server.accept()[0] as peer:
                        if peer.recv(1 << 16):
                            seen.requests += 1
                            peer.sendall(reply)
                    seen.closed.release()

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/v1", seen
        server.shutdown(socket.SHUT_RDWR)


async def read_body(reader: asyncio.StreamReader) -> bytes:
    """Read a request; returns its body."""
    head = await reader.readuntil(b"\r\n\r\n")
    return await reader.readexactly(int(head.lower().split(b"content-length:")[1].split()[0]))


def saying(head: str, body: bytes = b"", status: str = "200 OK") -> Handler:
    """Answer with a head and a body."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        del reader
        writer.write(f"HTTP/1.1 {status}\r\n{head}\r\n".encode("latin-1") + body)
        await writer.drain()

    return handler


async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read and never answer."""
    del writer
    await reader.read()


async def close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Close without an answer."""
    del reader
    writer.close()


async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send a RST."""
    del reader
    peer = writer.get_extra_info("socket")
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send a body byte by byte, without end."""
    del reader
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n")
    while not writer.is_closing():
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.02)


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """A certificate authority that this process trusts."""
    made = trustme.CA()
    made.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    return made
