"""Virtual time, for tests of whatever waits, yours too.

    simulator = vcgen.sim.Simulator(rpm=600, latency_s=0.8)
    with vcgen.testing.virtual_clock() as runner:
        runner.run(my_pipeline(transport=vcgen.SimTransport(simulator)))

An hour passes in milliseconds and is the same each time. The clock begins at 0, and so do the
minutes and outages of a simulated endpoint. Real sockets and threads work, but no virtual time
passes while they are waited for. See docs/simulator.md.
"""

import asyncio
import selectors

_TICK_S = 1e-6  # aiolimiter re-arms its timer for ever on a rounding remainder if time stands still


class _VirtualSelector(selectors.DefaultSelector):
    """Where a loop would wait for its next timer, the clock leaps there instead."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        # Without a timer only a thread or a socket can wake the loop: wait for that in real time.
        events = super().select(None if timeout is None else 0)
        if not events and timeout is not None:
            self.now += max(timeout, 0.0)
        self.now += _TICK_S
        return events


class VirtualClockLoop(asyncio.SelectorEventLoop):
    """An event loop whose `time()` begins at 0 and moves only by the timers waited for."""

    def __init__(self) -> None:
        self._virtual = _VirtualSelector()
        super().__init__(self._virtual)

    def time(self) -> float:
        """Virtual seconds."""
        return self._virtual.now


def virtual_clock() -> asyncio.Runner:
    """A runner of coroutines on a `VirtualClockLoop`."""
    return asyncio.Runner(loop_factory=VirtualClockLoop)
