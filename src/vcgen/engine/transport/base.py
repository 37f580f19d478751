"""The seam between the engine and whatever sends its bytes."""

from collections.abc import Mapping
from typing import NamedTuple, Protocol


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
