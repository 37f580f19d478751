"""The interface between the engine and the client that sends its bytes."""

from collections.abc import Mapping
from typing import NamedTuple, Protocol


class Reply(NamedTuple):
    """An HTTP reply, whole. Header names are lower-case, the body is decoded."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport(Protocol):
    """Sends the bytes of a request and returns its reply."""

    async def post(
        self, url: str, headers: Mapping[str, str], body: bytes, timeout_s: float
    ) -> Reply:
        """Send one POST and read the whole reply within `timeout_s` seconds.

        Raises:
            TransportError: no whole reply came; the subclass is the cause.
        """

    async def aclose(self) -> None:
        """Close all connections; the transport is not used afterwards."""
