"""Hedge late requests: send a second copy of the slowest ones, and take the first answer.

After J. Dean and L. A. Barroso, *The Tail at Scale* (2013). A request counts as late sooner when
more of the hedge budget is unspent, but never before the median latency: spare slots appear at the
end of a run, when most of the budget is left.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any

from vcgen.engine.call import Attempt, Call
from vcgen.engine.chat import Completion, Usage
from vcgen.engine.transport.deadline import grace_s

MOST_SHARE = 0.01  # of all requests, as the paper proposes
MEDIAN = 0.5
# Latencies remembered, those needed for a percentile of 99, and successes between two sorts.
REMEMBERED, ENOUGH, SORT_EVERY = 1000, 100, 50

Sending = Coroutine[Any, Any, Attempt | None]


class HedgePolicy:
    """Decides when a request is late and whether a copy of it may be sent. Pure.

    Attributes:
        late_s: latency in seconds from which a request is late, None while too few are known.
    """

    def __init__(self) -> None:
        self.late_s: float | None = None
        self._latencies: deque[float] = deque(maxlen=REMEMBERED)
        self._sent = 0
        self._answered = 0
        self._copies = 0

    def count_sent(self) -> None:
        """Count a request, copies included."""
        self._sent += 1

    def count_copy(self) -> None:
        """Count a copy."""
        self._copies += 1

    def learn(self, latency_s: float, in_flight: int) -> None:
        """Learn the latency of an answer; `in_flight` other requests are still out."""
        self._latencies.append(latency_s)
        self._answered += 1
        if self._answered < ENOUGH or (self.late_s is not None and self._answered % SORT_EVERY):
            return
        share = min(MEDIAN, max(MOST_SHARE, self._left / max(1, in_flight)))
        self.late_s = sorted(self._latencies)[int(len(self._latencies) * (1 - share))]

    @property
    def may_copy(self) -> bool:
        """Whether the budget allows a copy."""
        return self._left >= 1

    @property
    def _left(self) -> float:
        return MOST_SHARE * self._sent - self._copies


async def race(
    call: Call, first: Sending, copy: Callable[[], Sending], policy: HedgePolicy
) -> tuple[Attempt, Usage]:
    """Send a call, and copies of it while it is late.

    Args:
        call: counts the requests sent for it.
        first: sends it.
        copy: sends it once more; its result is None without a spare slot.
        policy: decides when.

    Returns:
        The first completion, or else the last failure, with the usage of all copies; and the part
        of that usage that the copies had.
    """
    before = call.sent
    tasks = [asyncio.ensure_future(first)]
    try:
        while (attempt := _winner(tasks, max(1, call.sent - before))) is None:
            tasks = [task for task in tasks if not task.done() or task.result()]
            pending = [task for task in tasks if not task.done()]
            done = await _wait(pending, policy.late_s)
            if not done and policy.may_copy and call.sent - before == len(tasks):
                tasks.append(asyncio.ensure_future(copy()))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    copies = call.sent - before - 1
    if not copies or not isinstance(attempt.result, Completion):
        return attempt, Usage()
    # A cancelled copy is billed too; its usage is unknown and taken to be its twin's.
    cancelled = sum([attempt.result.usage] * copies, Usage())
    result = replace(attempt.result, usage=attempt.result.usage + cancelled)
    return attempt._replace(result=result), cancelled


async def _wait(tasks: Sequence[asyncio.Task[Any]], late_s: float | None) -> bool:
    """Wait for one of some tasks; False if they are late, and not because the loop stood still."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    done, _ = await asyncio.wait(tasks, timeout=late_s, return_when=asyncio.FIRST_COMPLETED)
    if not done and late_s is not None:
        read_s = grace_s(loop.time() - began - late_s)
        done, _ = await asyncio.wait(tasks, timeout=read_s, return_when=asyncio.FIRST_COMPLETED)
    return bool(done)


def _winner(tasks: Sequence[asyncio.Task[Attempt | None]], sent: int) -> Attempt | None:
    """The first completion, or the last failure once all that were sent have failed."""
    attempts = [attempt for task in tasks if task.done() and (attempt := task.result())]
    completions = [attempt for attempt in attempts if isinstance(attempt.result, Completion)]
    if completions:
        return completions[0]
    return attempts[-1] if len(attempts) >= sent else None
