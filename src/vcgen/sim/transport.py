"""The simulated endpoint in memory: no socket, the running loop's clock, real or virtual."""

from collections.abc import Mapping

import anyio

from vcgen.engine.transport.base import Reply
from vcgen.errors import ConnectFailed, ConnectionLost, TimedOut
from vcgen.sim.simulator import Simulator


class SimTransport:
    """A `vcgen.Transport` that asks a `Simulator`; any URL will do."""

    def __init__(self, simulator: Simulator | None = None) -> None:
        self.simulator = simulator or Simulator()

    async def post(
        self,
        url: str,  # noqa: ARG002 - one endpoint serves all
        headers: Mapping[str, str],
        body: bytes,
        timeout_s: float,
    ) -> Reply:
        """Answer after the simulator's latency; faults of the connection raise.

        Raises:
            ConnectFailed: an outage refuses connections; the fault was `refused` or `handshake`.
            ConnectionLost: the fault was `reset` or `close`.
            TimedOut: the fault was `hang`, or the latency is longer than `timeout_s`.
        """
        answer = self.simulator.answer(headers, body, anyio.current_time())
        if answer.fault == "hang" or answer.delay_s > timeout_s:
            await anyio.sleep(timeout_s)
            raise TimedOut(f"no whole reply within {timeout_s:g} s")
        await anyio.sleep(answer.delay_s)
        if answer.fault == "refused":
            raise ConnectFailed("connection refused by the simulated endpoint")
        if answer.fault == "handshake":
            raise ConnectFailed("the simulated endpoint cut the TLS handshake")
        if answer.fault == "reset":
            raise ConnectionLost("connection reset by the simulated endpoint")
        if answer.fault == "close":
            raise ConnectionLost("connection closed by the simulated endpoint before any reply")
        return Reply(answer.status, answer.headers, answer.body)

    async def aclose(self) -> None:
        """Do nothing: no connection is open."""


class TimedTransport(SimTransport):
    """A transport that records the seconds from each request to its reply, in `latencies`."""

    def __init__(self, simulator: Simulator | None = None) -> None:
        super().__init__(simulator)
        self.latencies: list[float] = []

    async def post(
        self, url: str, headers: Mapping[str, str], body: bytes, timeout_s: float
    ) -> Reply:
        """As `SimTransport.post`; a request that raises is not recorded."""
        sent_at = anyio.current_time()
        reply = await super().post(url, headers, body, timeout_s)
        self.latencies.append(anyio.current_time() - sent_at)
        return reply
