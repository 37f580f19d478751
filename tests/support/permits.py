"""Permits, outcomes and schedulers, for tests of what limits learn and allow."""

from collections import deque
from collections.abc import Iterable, Sequence
from random import Random
from typing import Protocol

from vcgen.engine.chat import Usage
from vcgen.engine.config import Limits
from vcgen.engine.limits.limiter import EndpointLimiter
from vcgen.engine.limits.per_limit import PerLimit
from vcgen.engine.limits.permit import (
    Abandoned,
    Completed,
    Outcome,
    Permit,
    RequestSize,
    Throttled,
)
from vcgen.engine.limits.queue import Priority
from vcgen.engine.limits.scheduler import Scheduler


class _Learner(Protocol):
    def on_release(self, permit: Permit, outcome: Outcome, now: float) -> None: ...


SIZE = RequestSize(1, 1)
_LIMITER = EndpointLimiter(Limits(), Random(0))  # noqa: S311 - jitter


def permit(
    sent_at: float, number: int = 1, amounts: PerLimit[int] = PerLimit(1, 2, 1, 1)
) -> Permit:
    """A permit of some endpoint."""
    return Permit(_LIMITER, sent_at, number, SIZE, amounts)


def release(learner: _Learner, outcome: Outcome, sent_at: float, now: float) -> None:
    """Report an outcome to one controller."""
    learner.on_release(permit(sent_at), outcome, now)


DONE = Completed(Usage())
ABANDONED = Abandoned()


def closing(retry_after_s: float | None) -> Throttled:
    """A refusal that is certain, so that one of them closes a limiter."""
    return Throttled(retry_after_s, is_exhausted=True)


def scheduler(*limits: Limits) -> Scheduler:
    """A scheduler of endpoints with these limits."""
    return Scheduler([EndpointLimiter(each, Random(0)) for each in limits])  # noqa: S311 - jitter


def one_endpoint(
    rpm: int | None = None, tpm: int | None = None, concurrency: int = 1000
) -> Scheduler:
    """A scheduler of one endpoint."""
    return scheduler(Limits(rpm=rpm, tpm=tpm, concurrency=concurrency))


async def acquire(
    queue: Scheduler,
    prompt_bytes: int = 1,
    max_tokens: int = 1,
    priority: Priority = Priority.NEW,
    preferred: EndpointLimiter | None = None,
    excluded: Iterable[EndpointLimiter] = (),
) -> Permit:
    """Acquire a permit for a request of that size."""
    size = RequestSize(prompt_bytes, max_tokens)
    return await queue.acquire(size, priority, preferred, frozenset(excluded))


def change(queue: Scheduler, limits: Limits) -> None:
    """Change the limits of the first endpoint."""
    queue.limiters[0].change(limits)
    queue.offer_all()


def most_in_a_window(amounts: Sequence[tuple[float, int]]) -> int:
    """The largest sum of amounts within any 60 s, of pairs of a time and an amount."""
    window: deque[tuple[float, int]] = deque()
    most = total = 0
    for at, amount in amounts:
        window.append((at, amount))
        total += amount
        while window[0][0] <= at - 60:
            total -= window.popleft()[1]
        most = max(most, total)
    return most
