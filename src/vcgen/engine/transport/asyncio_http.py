"""HTTP/1.1 over asyncio: the default transport.

A transport moves bytes. It follows no redirect, uses no proxy it was not given, keeps one total
deadline an attempt, caps the decoded reply, and raises `TransportError` without a whole reply.

vcgen has a client of its own because a request costs 16 us of CPU here, two to a hundred times as
much in others written in Python, and a client in another thread (reqwest) waits for the
interpreter's lock at each reply. See docs/performance.md.
"""

import asyncio
import concurrent.futures
import os
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from functools import partial
from typing import Any, ParamSpec, TypeVar

from aiohappyeyeballs import start_connection

from vcgen.engine.transport.base import Reply
from vcgen.engine.transport.connection import Connection, Pool
from vcgen.engine.transport.deadline import fail_at
from vcgen.engine.transport.descriptors import shortage_of
from vcgen.engine.transport.http1 import address, post_head
from vcgen.engine.transport.large_replies import LargeReplies
from vcgen.errors import BadCertificate, ConnectFailed, LocalError, StaleConnection, TimedOut

# With thousands of requests in flight an iteration of the loop may take seconds, and connecting
# takes several: a shorter deadline would give up connections that are established.
CONNECT_S = 30.0
ADDRESSES_S = 60.0
# RFC 8305: how long to wait for one address before the next is tried beside it.
NEXT_ADDRESS_S = 0.25

P = ParamSpec("P")
T = TypeVar("T")


class HttpTransport:
    """The default: connections are kept and used again, the youngest first. For one event loop.

    A request is written at most once. A kept connection that the server has closed is dropped
    before a request is written to it. One that is lost after that, and before the reply's first
    byte, raises `StaleConnection`: the engine sends the request again, and counts both.
    """

    def __init__(self) -> None:
        self._servers: dict[str, _Server] = {}
        self._large = LargeReplies()

    async def post(
        self, url: str, headers: Mapping[str, str], body: bytes, timeout_s: float
    ) -> Reply:
        """As `Transport.post`."""
        server = self._servers.get(url)
        if server is None:
            server = self._servers[url] = _Server(url, self._large)
        message = server.message(headers, body)
        now = asyncio.get_running_loop().time()
        try:
            connection = server.pool.take(now)
            if connection is None:
                async with fail_at(now + timeout_s):
                    connection = await server.connect()
            return await connection.exchange(message, now + timeout_s)
        except StaleConnection:
            server.pool.drop_idle()  # they are older
            raise
        except TimeoutError as error:
            raise TimedOut(f"no whole reply within {timeout_s:g} s") from error

    async def aclose(self) -> None:
        for server in self._servers.values():
            await server.pool.aclose()
        self._servers.clear()


class _Server:
    """Where one URL leads: how a request to it begins, its addresses, and its connections."""

    def __init__(self, url: str, large: LargeReplies) -> None:
        self.pool = Pool(large)
        self._url = url
        self._address = address(url)
        self._tls = tls() if self._address.tls else None
        self._headers: Mapping[str, str] | None = None
        self._head = b""
        self._finding = asyncio.Lock()
        self._found = ("", 0)  # the address that answered last
        self._found_until = float("-inf")

    def message(self, headers: Mapping[str, str], body: bytes) -> bytes:
        """The bytes of a request; its head is made once, as its headers are always the same."""
        if headers != self._headers:
            self._head, self._headers = post_head(self._url, headers), dict(headers)
        return b"%b%d\r\n\r\n%b" % (self._head, len(body), body)

    async def connect(self) -> Connection:
        """A new connection.

        Raises:
            ConnectFailed: within `CONNECT_S`, none.
        """
        try:
            async with fail_at(asyncio.get_running_loop().time() + CONNECT_S):
                return await self._connect()
        except TimeoutError as error:
            raise ConnectFailed(f"no connection within {CONNECT_S:g} s") from error
        except OSError as error:  # DNS, refusal, TLS; no descriptors left
            self._found_until = float("-inf")
            raise connect_failed(error, error.strerror or str(error)) from error

    async def _connect(self) -> Connection:
        loop = asyncio.get_running_loop()
        # The first looks for the way, the others take it: a thousand at a time would ask the
        # resolver as often, and a race of addresses costs more than a connection.
        async with self._finding:
            sock = await self._find() if loop.time() >= self._found_until else None
        if sock is None:
            host, port = self._found
            return await self._greet(host=host, port=port)
        try:
            return await self._greet(sock=sock)
        except BaseException:
            sock.close()
            raise

    async def _greet(self, **where: Any) -> Connection:
        name = self._address.host if self._tls else None
        _, connection = await asyncio.get_running_loop().create_connection(
            lambda: Connection(self.pool), ssl=self._tls, server_hostname=name, **where
        )
        # Not earlier: uvloop does not report the loss of a connection cancelled while it is made.
        if connection.is_open:
            self.pool.open.add(connection)
        return connection

    async def _find(self) -> socket.socket:
        """Connect to the host's address that answers first (RFC 8305), and remember it."""
        host, port, _ = self._address
        loop = asyncio.get_running_loop()
        find = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        addresses = await loop.run_in_executor(_Daemon(), find)
        sock = await start_connection(addresses, happy_eyeballs_delay=NEXT_ADDRESS_S)
        try:
            self._found = sock.getpeername()[:2]
        except OSError:  # reset already
            sock.close()
            raise
        self._found_until = loop.time() + ADDRESSES_S
        return sock


class _Daemon(Executor):
    """A thread for one call, which the end of a loop or of the process does not wait for.

    A resolver that does not answer takes its time, and cannot be interrupted.
    """

    def submit(
        self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> "concurrent.futures.Future[T]":
        future: concurrent.futures.Future[T] = concurrent.futures.Future()
        future.set_running_or_notify_cancel()  # it cannot be cancelled any more

        def work() -> None:
            try:
                future.set_result(fn(*args, **kwargs))
            except Exception as error:  # noqa: BLE001 - raised to the caller by the future
                future.set_exception(error)

        threading.Thread(target=work, daemon=True).start()
        return future


def connect_failed(error: OSError, message: str) -> ConnectFailed:
    """The error for a connection that was not made: the server's, or this machine's."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return BadCertificate(message)
    if (shortage := shortage_of(error)) is not None:
        return LocalError(f"{message}: {shortage}")
    return ConnectFailed(message)


def tls() -> ssl.SSLContext:
    """The context that checks certificates by the system's authorities or `SSL_CERT_FILE`."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    if not {"SSL_CERT_FILE", "SSL_CERT_DIR"} & os.environ.keys():
        import certifi  # noqa: PLC0415 - not for plain http

        # In addition to the system's authorities: some Pythons come without any.
        context.load_verify_locations(certifi.where())
    return context
