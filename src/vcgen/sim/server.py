"""The simulated endpoint over HTTP/1.1 on loopback: asyncio and h11, keep-alive, no tasks.

    POST {any prefix}/chat/completions    the model
    GET  {any prefix}/models              its one name
    GET  /healthz                         whether it is up

A connection is a protocol that answers as bytes arrive, and delays are timers: a shutdown closes
connections and waits for nothing else.
"""

import asyncio
import errno
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import anyio
import h11
import orjson

from vcgen.errors import UsageError
from vcgen.sim.limits import CREATED
from vcgen.sim.replies import SimReply, refuse
from vcgen.sim.simulator import Simulator
from vcgen.sim.validation import Refusal

MAX_BODY_BYTES = 16 << 20
# Thousands may connect at once: a client that finds the backlog full retries after seconds.
_BACKLOG = 4096

_MODELS = orjson.dumps(
    {
        "object": "list",
        "data": [{"id": "sim", "object": "model", "created": CREATED, "owned_by": "vcgen"}],
    }
)
_TOO_LARGE = Refusal(413, f"The request's body is larger than {MAX_BODY_BYTES} bytes.")
_BAD_REQUEST = Refusal(400, "This is not HTTP/1.1.")
# SO_LINGER on, zero seconds: closing sends RST instead of FIN.
_LINGER_ZERO = struct.pack("ii", 1, 0)


@asynccontextmanager
async def serve(simulator: Simulator, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """Serve the simulator while the block runs; yields the base URL, `http://127.0.0.1:8099/v1`.

    Port 0 takes a free one. The simulator's clock begins with the block.

    Raises:
        UsageError: the address cannot be bound.
    """
    connections: set[_Connection] = set()
    loop = asyncio.get_running_loop()
    began = loop.time()
    try:
        server = await loop.create_server(
            lambda: _Connection(simulator, began, connections), host, port, backlog=_BACKLOG
        )
    except OSError as error:
        taken = "is taken: choose another" if error.errno == errno.EADDRINUSE else "cannot be bound"
        raise UsageError(f"sim: port {port} on {host} {taken}") from error
    try:
        yield f"http://{host}:{server.sockets[0].getsockname()[1]}/v1"
    finally:
        server.close()
        closing = [connection.abort() for connection in connections]
        with anyio.CancelScope(shield=True):
            if closing:
                await asyncio.wait(closing)
            await server.wait_closed()


class _Connection(asyncio.Protocol):
    """One client's connection; requests on it are answered one after another."""

    def __init__(self, simulator: Simulator, began: float, connections: "set[_Connection]") -> None:
        self._simulator, self._began, self._connections = simulator, began, connections
        self._http = h11.Connection(h11.SERVER)
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._closed: asyncio.Future[None] = self._loop.create_future()
        self._timer: asyncio.TimerHandle | None = None
        self._request: h11.Request | None = None
        self._body: list[bytes] = []
        self._size = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's name
        self._connections.discard(self)
        self._closed.set_result(None)
        if self._timer is not None:
            self._timer.cancel()

    def abort(self) -> asyncio.Future[None]:
        """Close at once; the future is done when the connection is closed."""
        self._transport.abort()
        return self._closed

    def data_received(self, data: bytes) -> None:
        self._http.receive_data(data)
        self._advance()

    def eof_received(self) -> None:
        self._http.receive_data(b"")
        self._advance()

    # A client that sends requests and reads no reply must not fill the memory.
    def pause_writing(self) -> None:
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._transport.resume_reading()

    def _advance(self) -> None:
        """Process the bytes received, up to one whole request."""
        try:
            while not self._transport.is_closing():
                event = self._http.next_event()
                if isinstance(event, h11.Request):
                    self._request, self._body, self._size = event, [], 0
                elif isinstance(event, h11.Data):
                    self._body.append(event.data)
                    self._size += len(event.data)
                    if self._size > MAX_BODY_BYTES:
                        self._refuse(_TOO_LARGE)
                elif isinstance(event, h11.EndOfMessage):
                    self._route()
                elif isinstance(event, h11.ConnectionClosed):
                    self._transport.close()
                else:  # NEED_DATA, PAUSED
                    break
            self._invite()
        except h11.RemoteProtocolError:
            self._refuse(_BAD_REQUEST)

    def _invite(self) -> None:
        if self._http.they_are_waiting_for_100_continue and not self._transport.is_closing():
            self._send(h11.InformationalResponse(status_code=100, headers=[]))

    def _route(self) -> None:
        assert self._request is not None  # noqa: S101 - a message's end follows its start
        path = self._request.target.decode("ascii").partition("?")[0]
        method = self._request.method
        expected = b"POST" if path.endswith("/chat/completions") else b"GET"
        if path != "/healthz" and not path.endswith(("/chat/completions", "/models")):
            self._reply(refuse(Refusal(404, f"Unknown request URL: {path}.", "unknown_url")))
        elif method != expected:
            message = f"Not allowed: {method.decode('ascii')} on {path}."
            answer = refuse(Refusal(405, message, "method_not_supported"))
            answer.headers["allow"] = expected.decode("ascii")
            self._reply(answer)
        elif method == b"GET":
            body = _MODELS if path.endswith("/models") else b'{"status":"ok"}'
            self._reply(SimReply(200, {"content-type": "application/json"}, body))
        else:
            self._complete(self._request)

    def _complete(self, request: h11.Request) -> None:
        headers = {name.decode("ascii"): value.decode("latin-1") for name, value in request.headers}
        now = self._loop.time() - self._began
        answer = self._simulator.answer(headers, b"".join(self._body), now)
        self._body = []
        if answer.fault == "hang":
            return
        if answer.delay_s > 0:
            self._timer = self._loop.call_later(answer.delay_s, self._finish, answer)
        else:
            self._finish(answer)

    def _finish(self, answer: SimReply) -> None:
        if self._transport.is_closing():
            return
        if answer.fault in {"close", "refused", "handshake"}:
            self._transport.close()
        elif answer.fault == "reset":
            self._reset(answer)
        else:
            self._reply(answer)
            if answer.delay_s > 0:
                self._advance()

    def _reset(self, answer: SimReply) -> None:
        """Break the connection in the middle of the body, as a crashing server does."""
        self._send(self._head(answer), h11.Data(data=answer.body[: len(answer.body) // 2]))
        peer: socket.socket = self._transport.get_extra_info("socket")
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        self._loop.call_soon(self._transport.abort)

    def _reply(self, answer: SimReply) -> None:
        """Send a whole answer; the next request on the connection may follow."""
        is_head = self._request is not None and self._request.method == b"HEAD"
        body = b"" if is_head else answer.body
        self._send(self._head(answer), h11.Data(data=body), h11.EndOfMessage())
        if self._http.our_state is h11.MUST_CLOSE:
            self._transport.close()
        elif self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()

    def _refuse(self, refusal: Refusal) -> None:
        """Answer a request that cannot be read to its end, and close."""
        if self._http.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            answer = refuse(refusal)
            answer.headers["connection"] = "close"
            self._send(self._head(answer), h11.Data(data=answer.body), h11.EndOfMessage())
        self._transport.close()

    def _head(self, answer: SimReply) -> h11.Response:
        headers = [*answer.headers.items(), ("content-length", str(len(answer.body)))]
        return h11.Response(status_code=answer.status, headers=headers)

    def _send(self, *events: h11.Event) -> None:
        self._transport.write(b"".join(self._http.send(event) or b"" for event in events))
