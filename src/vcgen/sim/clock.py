"""Virtual time, for tests of waiting code, yours too.

    simulator = vcgen.sim.Simulator(rpm=600, latency_s=0.8)
    with vcgen.sim.virtual_clock() as runner:
        runner.run(my_pipeline(transport=vcgen.SimTransport(simulator)))

An hour passes in milliseconds, the same way each time. The clock begins at 0, and so do the minutes
and outages of a simulated endpoint. Real sockets and threads work but finish at times that differ
from run to run; the functions of an executor run at once. See docs/simulator.md.
"""

import asyncio
import selectors
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_TICK_S = 1e-6  # aiolimiter re-arms its timer for ever on a rounding remainder if time stands still


class _VirtualSelector(selectors.DefaultSelector):
    """Advances the clock to the next timer instead of waiting for it."""

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

    def run_in_executor(
        self,
        executor: Executor | None,  # noqa: ARG002 - no thread runs
        func: Callable[[*Ts], T],
        *args: *Ts,
    ) -> asyncio.Future[T]:
        """Run it at once: the time a thread takes differs from run to run."""
        done: asyncio.Future[T] = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - raised where it is awaited
            done.set_exception(error)
        return done


def virtual_clock() -> asyncio.Runner:
    """A runner of coroutines on a `VirtualClockLoop`."""
    return asyncio.Runner(loop_factory=VirtualClockLoop)
