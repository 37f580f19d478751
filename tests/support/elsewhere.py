"""Servers for tests of where a key and a prompt go: the one they are for, and all the others."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from urllib.parse import urlsplit

import trustme

from tests.support.servers import accepting

ORIGIN = "origin.test"  # found by a proxy only: no resolver knows it


class Server:
    """Keeps every byte that reaches it, and answers each request with the same reply.

    Attributes:
        heard: what came, decrypted where the server is encrypted.
        port: on 127.0.0.1.
    """

    def __init__(self, reply: bytes = b"HTTP/1.1 403 No\r\ncontent-length: 0\r\n\r\n") -> None:
        self.heard = bytearray()
        self.port = 0
        self.reply = reply

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await self._hear(reader, b"\r\n\r\n")
        if b"content-length:" in head.lower():
            size = int(head.lower().split(b"content-length:")[1].split()[0])
            self.heard += await reader.readexactly(size)
        writer.write(self.reply)
        await writer.drain()

    async def _hear(self, reader: asyncio.StreamReader, end: bytes) -> bytes:
        try:
            head = await reader.readuntil(end)
        except asyncio.IncompleteReadError as error:
            self.heard += error.partial
            raise
        self.heard += head
        return head


class Proxy(Server):
    """Opens a tunnel to one server, whatever name is asked for, and keeps what passes through."""

    def __init__(self, origin: Server) -> None:
        super().__init__()
        self._origin = origin
        self.tunnels = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await self._hear(reader, b"\r\n\r\n")
        if not head.startswith(b"CONNECT "):
            writer.write(self.reply)
            return
        self.tunnels += 1
        writer.write(b"HTTP/1.1 200 Open\r\n\r\n")
        there = await asyncio.open_connection("127.0.0.1", self._origin.port)
        async with asyncio.TaskGroup() as both_ways:
            both_ways.create_task(self._pass(reader, there[1]))
            both_ways.create_task(self._pass(there[0], writer))

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(1 << 16):
                self.heard += data
                writer.write(data)
        finally:
            writer.close()


@asynccontextmanager
async def listening(server: Server, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    """A server at work on a port of its own."""
    async with accepting(server.answer, tls) as url:
        server.port = urlsplit(url).port or 0
        yield server
    await asyncio.sleep(0.01)  # in which the sockets are closed


def certificates(trusted: trustme.CA) -> Mapping[str, ssl.SSLContext]:
    """Server sides of TLS by what is wrong with them; nothing with the first."""
    began, ended = datetime(2019, 1, 1, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC)
    issued = {
        "good": trusted.issue_cert("localhost", ORIGIN),
        "of another name": trusted.issue_cert("other.example"),
        "of an unknown authority": trustme.CA().issue_cert("localhost", ORIGIN),
        "expired": trusted.issue_cert("localhost", ORIGIN, not_before=began, not_after=ended),
    }
    contexts = {}
    for name, certificate in issued.items():
        contexts[name] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(contexts[name])
    return contexts
