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
import resource
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from contextlib import suppress
from functools import partial
from typing import Any, ParamSpec, TypeVar, cast

from aiohappyeyeballs import start_connection

from vcgen.engine.transport.base import Reply
from vcgen.engine.transport.http1 import ReplyReader, address, post_head
from vcgen.errors import ConnectFailed, ConnectionLost, TimedOut, TransportError

# Servers such as uvicorn and vLLM close idle connections after 5 s; a pool that keeps them longer
# sends into closed sockets.
IDLE_S = 4.0
# With thousands of requests in flight an iteration of the loop may take seconds, and connecting
# takes several: a shorter deadline would give up connections that are established.
CONNECT_S = 30.0
ADDRESSES_S = 60.0
OTHER_FILES = 64
# RFC 8305: how long to wait for one address before the next is tried beside it.
NEXT_ADDRESS_S = 0.25

P = ParamSpec("P")
T = TypeVar("T")


class HttpTransport:
    """The default: connections are kept and used again, the youngest first. For one event loop.

    A request on a kept connection that the server closes before it answers is sent once more on a
    new one: the server has most likely not seen it, and a completion asked for twice does no harm.
    """

    def __init__(self) -> None:
        self._servers: dict[str, _Server] = {}

    async def post(
        self, url: str, headers: Mapping[str, str], body: bytes, timeout_s: float
    ) -> Reply:
        """As `Transport.post`."""
        server = self._servers.get(url)
        if server is None:
            server = self._servers[url] = _Server(url)
        message = server.message(headers, body)
        now = asyncio.get_running_loop().time()
        try:
            kept = server.kept(now)
            if kept is not None:
                with suppress(_Unanswered):
                    return await kept.exchange(message, now + timeout_s)
            async with asyncio.timeout_at(now + timeout_s):
                connection = await server.connect()
            return await connection.exchange(message, now + timeout_s)
        except TimeoutError as error:
            raise TimedOut(f"no whole reply within {timeout_s:g} s") from error

    async def aclose(self) -> None:
        for server in self._servers.values():
            await server.aclose()
        self._servers.clear()


class _Unanswered(ConnectionLost):
    """The connection ended before the reply's first byte."""


class _Server:
    """Where one URL leads: how a request to it begins, its addresses, and its connections."""

    def __init__(self, url: str) -> None:
        self.connections: set[_Connection] = set()
        self.idle: list[_Connection] = []
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

    def kept(self, now: float) -> "_Connection | None":
        """A connection that has waited less than `IDLE_S` for its next request."""
        while self.idle:
            connection = self.idle.pop()
            if connection.is_open and now - connection.idle_since < IDLE_S:
                return connection
            connection.abort()
        return None

    async def connect(self) -> "_Connection":
        """A new connection.

        Raises:
            ConnectFailed: within `CONNECT_S`, none.
        """
        try:
            async with asyncio.timeout(CONNECT_S):
                return await self._connect()
        except TimeoutError as error:
            raise ConnectFailed(f"no connection within {CONNECT_S:g} s") from error
        except OSError as error:  # DNS, refusal, TLS; no descriptors left
            self._found_until = float("-inf")
            raise ConnectFailed(error.strerror or str(error)) from error

    async def _connect(self) -> "_Connection":
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

    async def _greet(self, **where: Any) -> "_Connection":
        name = self._address.host if self._tls else None
        _, connection = await asyncio.get_running_loop().create_connection(
            lambda: _Connection(self), ssl=self._tls, server_hostname=name, **where
        )
        # Not earlier: uvloop does not report the loss of a connection cancelled while it is made.
        if connection.is_open:
            self.connections.add(connection)
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

    async def aclose(self) -> None:
        for connection in self.connections:
            connection.abort()
        if self.connections:
            await asyncio.wait([connection.lost for connection in self.connections])


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


class _Connection(asyncio.Protocol):
    """One connection, with at most one request on its way.

    Attributes:
        is_open: it has not been closed from either side.
        idle_since: loop time of its last reply.
        lost: done when its socket is closed.
    """

    def __init__(self, server: _Server) -> None:
        self.is_open = True
        self.idle_since = 0.0
        self._loop = asyncio.get_running_loop()
        self.lost = self._loop.create_future()
        self._server = server
        self._reader = ReplyReader()
        self._reply: asyncio.Future[Reply] | None = None
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None

    async def exchange(self, message: bytes, deadline: float) -> Reply:
        """Send a request and wait for its reply.

        Raises:
            TransportError: no whole reply; `_Unanswered` if not one byte of it came.
            TimeoutError: not by `deadline`, in loop time.
        """
        self._reader.expect()
        self._reply = self._loop.create_future()
        self._deadline = deadline
        if self._timer is None or self._timer.when() > deadline:
            self._watch()
        self._transport.write(message)
        try:
            reply = await self._reply
        except asyncio.CancelledError:
            self.abort()
            raise
        finally:
            self._reply = None
        # A server that answers before it has read all may never read the rest.
        if self._reader.keep_alive and not self._transport.get_write_buffer_size():
            self.idle_since = self._loop.time()
            self._server.idle.append(self)
        else:
            self.abort()
        return reply

    def abort(self) -> None:
        self.is_open = False
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self._reply is None or self._reply.done():
            self.abort()  # bytes without a request, or a second reply
            return
        try:
            reply = self._reader.feed(data)
        except TransportError as error:
            self._fail(error)
            return
        if reply is not None:
            self._reply.set_result(reply)

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        self._server.connections.discard(self)
        self.lost.set_result(None)
        if self._timer is not None:
            self._timer.cancel()
        if self._reply is None or self._reply.done():
            return
        if exc is not None or not self._reader.begun:
            kind = ConnectionLost if self._reader.begun else _Unanswered
            said = str(exc or "the server closed the connection before any reply")
            self._reply.set_exception(kind(said))
            return
        try:
            self._reply.set_result(self._reader.end())
        except TransportError as error:
            self._reply.set_exception(error)

    def _watch(self) -> None:
        # One timer a connection, set again when it fires: one a request costs 10 us.
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(self._deadline, self._look)

    def _look(self) -> None:
        self._timer = None
        if self._reply is None:
            return
        if self._loop.time() < self._deadline:
            self._watch()
        else:
            self._fail(TimeoutError())

    def _fail(self, error: Exception) -> None:
        if self._reply is not None and not self._reply.done():
            self._reply.set_exception(error)
        self.abort()


def most_connections() -> int:
    """Return how many connections this process may have open, by its limit of open files."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(1, 2**20 if soft == resource.RLIM_INFINITY else soft - OTHER_FILES)


def tls() -> ssl.SSLContext:
    """The context that checks certificates by the system's authorities or `SSL_CERT_FILE`."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    if not {"SSL_CERT_FILE", "SSL_CERT_DIR"} & os.environ.keys():
        import certifi  # noqa: PLC0415 - not for plain http

        # In addition to the system's authorities: some Pythons come without any.
        context.load_verify_locations(certifi.where())
    return context
