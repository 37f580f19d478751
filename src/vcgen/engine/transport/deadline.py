"""Deadlines that a pause of the process does not turn into failures.

After SIGSTOP, a suspend or a long callback, the loop runs its overdue timers before it reads the
sockets (uvloop), so replies that came in time would be dropped and paid for again. Each deadline
therefore fires twice: when it passes, and once the loop has had time to read.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

# Timers of both loops have a resolution of 1 ms: before one of 10 ms fires, sockets are read.
POLL_S = 0.01
# Reading hundreds of waiting replies takes a busy loop some iterations.
GRACE_S = 0.5


def grace_s(late_s: float) -> float:
    """Seconds to go on reading after a deadline that was noticed `late_s` seconds late."""
    return min(GRACE_S, max(POLL_S, late_s))


@asynccontextmanager
async def fail_at(deadline: float) -> AsyncIterator[None]:
    """Cancel the body at a time of the loop, after a last look at the sockets.

    Raises:
        TimeoutError: the deadline has passed.
    """
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(None) as timeout:
        timer = loop.call_at(deadline, _give_grace, timeout, deadline)
        try:
            yield
        finally:
            timer.cancel()


def _give_grace(timeout: asyncio.Timeout, deadline: float) -> None:
    now = asyncio.get_running_loop().time()
    timeout.reschedule(now + grace_s(now - deadline))
