"""One connection with one request at a time, and the pool of connections to a server.

| state of a connection | entered by                       | left for                             |
|-----------------------|----------------------------------|--------------------------------------|
| busy                  | `exchange`                       | idle, after a whole reply; else lost |
| idle, in the pool     | a reply that leaves it usable    | busy; lost after `IDLE_S` or by FIN  |
| lost                  | either side, error, cancellation |                                      |
"""

import asyncio
import select
from typing import cast

from vcgen.engine.transport.base import Reply
from vcgen.engine.transport.deadline import grace_s
from vcgen.engine.transport.http1 import ReplyReader
from vcgen.engine.transport.large_replies import LARGE_BYTES, LargeReplies
from vcgen.errors import ConnectionLost, StaleConnection, TransportError

# Servers such as uvicorn and vLLM close idle connections after 5 s; a pool that keeps them longer
# sends into closed sockets.
IDLE_S = 4.0
# A FIN that the loop has not read yet. Only Linux reports it apart from data.
_HANG_UP = getattr(select, "POLLRDHUP", select.POLLIN)


class Pool:
    """The connections to one server.

    Args:
        large: the places for large replies, of all pools together.

    Attributes:
        open: all of them.
        idle: those without a request, the youngest last.
    """

    def __init__(self, large: LargeReplies) -> None:
        self.large = large
        self.open: set[Connection] = set()
        self.idle: list[Connection] = []

    def take(self, now: float) -> "Connection | None":
        """Take the youngest idle connection that the server has not closed; None without one."""
        while self.idle:
            connection = self.idle.pop()
            if now - connection.idle_since < IDLE_S and not connection.is_stale:
                return connection
            connection.abort()
        return None

    def drop_idle(self) -> None:
        """Close all idle connections."""
        for connection in self.idle:
            connection.abort()
        self.idle.clear()

    async def aclose(self) -> None:
        """Close all connections, and wait until their sockets are closed."""
        for connection in self.open:
            connection.abort()
        if self.open:
            await asyncio.wait([connection.lost for connection in self.open])


class Connection(asyncio.Protocol):
    """One connection, with at most one request on its way.

    Attributes:
        is_open: it has not been closed from either side.
        idle_since: loop time of its last reply.
        lost: done when its socket is closed.
    """

    def __init__(self, pool: Pool) -> None:
        self.is_open = True
        self.idle_since = 0.0
        self._loop = asyncio.get_running_loop()
        self.lost = self._loop.create_future()
        self._pool = pool
        self._reader = ReplyReader()
        self._reply: asyncio.Future[Reply] | None = None
        self._is_kept = self._is_large = False
        self._place: asyncio.Future[None] | None = None
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._fires_at = 0.0

    @property
    def is_stale(self) -> bool:
        """Whether it is closed, as the loop or the kernel knows; 0.5 us."""
        return not self.is_open or bool(self._hang_up.poll(0))

    async def exchange(self, message: bytes, deadline: float) -> Reply:
        """Send a request once and wait for its reply.

        Raises:
            TransportError: no whole reply; `StaleConnection` if not one byte of it came on a
                connection that has carried another before.
            TimeoutError: not by `deadline`, in loop time.
        """
        self._reader.expect()
        self._reply = self._loop.create_future()
        self._deadline = deadline
        if self._timer is None or self._fires_at > deadline:
            self._watch()
        self._transport.write(message)
        try:
            reply = await self._reply
        except asyncio.CancelledError:
            self.abort()
            raise
        finally:
            self._reply = None
            if self._is_large:
                self._is_large = False
                self._reader.drop_body()
                self._pool.large.leave(self._place)
        # A server that answers before it has read all may never read the rest.
        if self._reader.keep_alive and not self._transport.get_write_buffer_size():
            self._is_kept = True
            self.idle_since = self._loop.time()
            self._pool.idle.append(self)
        else:
            self.abort()
        return reply

    def abort(self) -> None:
        """Close it at once."""
        self.is_open = False
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._hang_up = select.poll()
        self._hang_up.register(transport.get_extra_info("socket").fileno(), _HANG_UP)

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
        elif self._reader.received_bytes > LARGE_BYTES and not self._is_large:
            self._enter()

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        self._pool.open.discard(self)
        self.lost.set_result(None)
        if self._timer is not None:
            self._timer.cancel()
        if self._reply is None or self._reply.done():
            return
        if exc is not None or not self._reader.begun:
            is_stale = self._is_kept and not self._reader.begun
            kind = StaleConnection if is_stale else ConnectionLost
            said = str(exc or "the server closed the connection before any reply")
            self._reply.set_exception(kind(said))
            return
        try:
            self._reply.set_result(self._reader.end())
        except TransportError as error:
            self._reply.set_exception(error)

    def _enter(self) -> None:
        """Read the rest of a large reply once there is a place for it."""
        self._is_large = True
        self._place = self._pool.large.enter()
        if self._place is not None:
            self._transport.pause_reading()
            self._place.add_done_callback(self._resume)

    def _resume(self, place: asyncio.Future[None]) -> None:
        if self.is_open and not place.cancelled():
            self._transport.resume_reading()

    def _watch(self) -> None:
        # One timer a connection, set again when it fires: one a request costs 10 us.
        if self._timer is not None:
            self._timer.cancel()
        self._fires_at = self._deadline
        self._timer = self._loop.call_at(self._deadline, self._look)

    def _look(self) -> None:
        self._timer = None
        if self._reply is None:
            return
        late_s = self._loop.time() - self._deadline
        if late_s < 0:
            self._watch()
        else:
            self._timer = self._loop.call_later(grace_s(late_s), self._expire, self._reply)

    def _expire(self, reply: asyncio.Future[Reply]) -> None:
        self._timer = None
        if self._reply is reply:
            self._fail(TimeoutError())
        elif self._reply is not None:
            self._watch()

    def _fail(self, error: Exception) -> None:
        if self._reply is not None and not self._reply.done():
            self._reply.set_exception(error)
        self.abort()
