"""HTTP by pyreqwest: the default transport, and the protocol every transport keeps.

A transport moves bytes. It follows no redirect, uses no proxy it was not given, keeps one total
deadline an attempt, caps the decoded reply, and raises `TransportError` for whatever is no reply.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import NamedTuple, Protocol

from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import PyreqwestError, RequestTimeoutError
from pyreqwest.response import Response

from vcgen.errors import ConnectFailed, ConnectionLost, ReplyTooLarge, TimedOut

MAX_REPLY_BYTES = 16 << 20
# Servers such as uvicorn and vLLM close idle connections after 5 s; a pool that keeps them longer
# sends into closed sockets.
IDLE_S = 4.0
CONNECT_S = 10.0


class Reply(NamedTuple):
    """An HTTP reply, whole. Header names are lower-case, the body is decoded."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport(Protocol):
    """What sends a request's bytes and brings the reply's."""

    async def post(
        self, url: str, headers: Mapping[str, str], body: bytes, timeout_s: float
    ) -> Reply:
        """Send one POST and read the whole reply within `timeout_s` seconds.

        Raises:
            TransportError: there is no whole reply; the subclass says why.
        """

    async def aclose(self) -> None:
        """Close what is open; the transport is not used afterwards."""


class ReqwestTransport:
    """The default: pyreqwest, HTTP/1.1 with keep-alive."""

    def __init__(self) -> None:
        self._client: Client = (
            ClientBuilder()
            .follow_redirects(enable=False)
            .no_proxy()
            .referer(enable=False)
            .connect_timeout(timedelta(seconds=CONNECT_S))
            .pool_idle_timeout(timedelta(seconds=IDLE_S))
            .build()
        )

    async def post(
        self, url: str, headers: Mapping[str, str], body: bytes, timeout_s: float
    ) -> Reply:
        request = (
            self._client.post(url)
            .headers(headers)
            .timeout(timedelta(seconds=timeout_s))
            .body_bytes(body)
            .build_streamed()
        )
        try:
            async with request as response:
                reader = response.body_reader
                received = bytes(await reader.read(MAX_REPLY_BYTES + 1) or b"")
                if len(received) > MAX_REPLY_BYTES:
                    raise ReplyTooLarge(f"the reply is larger than {MAX_REPLY_BYTES} bytes")
                return Reply(response.status, _headers(response), received)
        except PyreqwestError as error:
            raise _translate(error, timeout_s) from error

    async def aclose(self) -> None:
        await self._client.close()


def _headers(response: Response) -> dict[str, str]:
    try:
        return dict(response.headers.items())
    except ValueError:  # a value that is not ASCII; none of those we read ever is
        return {}


def _translate(error: PyreqwestError, timeout_s: float) -> Exception:
    causes = getattr(error, "details", {}).get("causes") or [{"message": error.message}]
    messages = [cause["message"] for cause in causes]
    # pyreqwest says ConnectError also where a connection broke before the reply's first byte, and
    # ConnectTimeoutError where that byte did not come: only its causes tell what was under way.
    if "client error (Connect)" in messages:
        return ConnectFailed(messages[-1])
    if isinstance(error, RequestTimeoutError):
        return TimedOut(f"no whole reply within {timeout_s:g} s")
    return ConnectionLost(messages[-1])
