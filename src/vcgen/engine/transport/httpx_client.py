"""HTTP by an `httpx.AsyncClient`: for proxies, mutual TLS, mocks, `ASGITransport`.

Slower than the default: httpx's pool costs milliseconds of CPU a request. The client is the
caller's, or made here to use the proxies that the environment names.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Self

import httpx

from vcgen.engine.config import LOOPBACK
from vcgen.engine.transport.asyncio_http import CONNECT_S, connect_failed, tls
from vcgen.engine.transport.base import Reply
from vcgen.engine.transport.connection import IDLE_S
from vcgen.engine.transport.deadline import fail_at
from vcgen.engine.transport.http1 import MAX_REPLY_BYTES, require_headers, too_large, unpacked
from vcgen.engine.transport.large_replies import LARGE_BYTES, LargeReplies
from vcgen.errors import (
    ConnectFailed,
    ConnectionLost,
    StaleConnection,
    TimedOut,
    TransportError,
    UsageError,
)

# The first event of httpcore on a connection that is already established.
_ON_A_KEPT_CONNECTION = "http11.send_request_headers.started"
_NO_BYTE_CAME = "Server disconnected without sending a response"


class HttpxTransport:
    """Sends by a client that its owner closes; redirects are never followed.

    A request is sent at most once, as by the default transport: httpx sends nothing again.

    Give the client a pool as large as the concurrency, `httpx.Limits(max_connections=None)`: a
    request that waits for a connection spends its deadline waiting.
    """

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self._large = LargeReplies()
        self._is_ours = False

    @classmethod
    def by_environment(cls) -> Self:
        """Through the proxies of `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, but for `NO_PROXY`.

        A proxy cannot read the bytes for an https endpoint. Requests to this machine use none,
        because their key travels over plain http.

        Raises:
            UsageError: a proxy is named that cannot be used.
        """
        # The limiter bounds the requests in flight.
        limits = httpx.Limits(max_connections=None, keepalive_expiry=IDLE_S)
        direct = dict.fromkeys(
            f"all://[{host}]" if ":" in host else f"all://{host}" for host in LOOPBACK
        )
        try:
            client = httpx.AsyncClient(verify=tls(), trust_env=True, mounts=direct, limits=limits)
        except (ValueError, ImportError, httpx.InvalidURL) as error:
            # Its message may hold the password of the proxy.
            raise UsageError(
                "the environment names a proxy that cannot be used; it must be an http or https "
                "address, or socks5 with the package socksio"
            ) from error
        made = cls(client)
        made._is_ours = True
        return made

    async def post(
        self, url: str, headers: Mapping[str, str], body: bytes, timeout_s: float
    ) -> Reply:
        """As `vcgen.transport.Transport.post`."""
        require_headers(headers)
        # httpx's own timeouts restart with each byte, so a drip never ends: one deadline for all.
        waits = httpx.Timeout(None, connect=CONNECT_S)
        try:
            request = self._client.build_request(
                "POST",
                url,
                headers={"accept-encoding": "identity", **headers},
                content=body,
                timeout=waits,
            )
        except httpx.InvalidURL as error:
            raise UsageError(f"{url!r} is no address: {error}") from error
        events: list[str] = []

        async def note(event: str, _: Mapping[str, Any]) -> None:
            events.append(event)

        request.extensions["trace"] = note
        response: httpx.Response | None = None
        try:
            async with fail_at(asyncio.get_running_loop().time() + timeout_s):
                response = await self._client.send(request, stream=True, follow_redirects=False)
                try:
                    received = await _body(response, self._large)
                finally:
                    await response.aclose()
        except TimeoutError as error:
            raise TimedOut(f"no whole reply within {timeout_s:g} s") from error
        except httpx.HTTPError as error:
            is_kept = response is None and events[:1] == [_ON_A_KEPT_CONNECTION]
            raise _translate(error, is_kept=is_kept) from error
        return Reply(response.status_code, dict(response.headers), received)

    async def aclose(self) -> None:
        """Close the client if it was made here."""
        if self._is_ours:
            await self._client.aclose()


async def _body(response: httpx.Response, large: LargeReplies) -> bytes:
    # httpx unpacks 64 KiB into 64 MiB before its size can be checked, and takes a truncated body
    # for whole. A mock's response is already decoded.
    is_plain = response.is_stream_consumed
    received = bytearray()
    place, is_large = None, False
    try:
        async for piece in response.aiter_bytes() if is_plain else response.aiter_raw():
            received += piece
            if len(received) > MAX_REPLY_BYTES:
                raise too_large()
            if len(received) > LARGE_BYTES and not is_large:
                is_large, place = True, large.enter()
                if place is not None:
                    await place
    finally:
        if is_large:
            large.leave(place)
    packing = "" if is_plain else response.headers.get("content-encoding", "")
    return unpacked(bytes(received), packing) if packing and received else bytes(received)


def _translate(error: httpx.HTTPError, *, is_kept: bool) -> TransportError:
    """The error of ours; `is_kept`: not a byte of a reply came on a connection used before."""
    message = str(error) or type(error).__name__
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError):
        cause = _os_error(error)
        return ConnectFailed(message) if cause is None else connect_failed(cause, message)
    is_unanswered = isinstance(error, httpx.NetworkError) or message.startswith(_NO_BYTE_CAME)
    if is_kept and is_unanswered:
        return StaleConnection(message)
    return ConnectionLost(message)


def _os_error(error: BaseException) -> OSError | None:
    """The error of the system below one of httpx, None if there was none."""
    below: BaseException | None = error
    while below is not None and not isinstance(below, OSError):
        below = below.__cause__ or below.__context__
    return below
