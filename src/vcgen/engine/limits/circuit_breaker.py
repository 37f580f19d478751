"""Distinguish outages of an endpoint from single failures, and probe it by single requests.

The circuit breaker of M. Nygard, *Release It!*. Pure: time is an argument.

Failures come back sooner than replies, which take seconds: of the requests sent in one second, all
that failed may be known while all that succeed are still on their way. So failures are compared
with the requests in flight that may still succeed, not with the replies that have come.

| event                             | opens if                                                |
|-----------------------------------|---------------------------------------------------------|
| a connection fails                | most requests fail                                      |
| a request fails in another way    | most requests fail, `FAILURES` at least, sent over      |
|                                   | `OVER_S` at least                                       |
| a reply to a request sent since   | (closes)                                                |
| it opened                         |                                                         |

Most requests fail: those that failed in a row outnumber those in flight that may still succeed. A
row ends with a reply to a request sent since its first. A request in flight for longer than a late
reply takes is not expected to succeed.

Other breakers count failures in a window of requests by when they end (resilience4j, Envoy,
Finagle): with slow replies, such a window holds little else than failures.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice, takewhile
from math import inf

from vcgen.engine.limits.permit import (
    Completed,
    Disabled,
    Failed,
    Outcome,
    Permit,
    Refused,
    Throttled,
    Unreachable,
)

# An endpoint that fails every third request has five failures in a row once in 243 times, and
# seldom without a success sent between the first and the last of them.
FAILURES = 5
OVER_S = 1.0


@dataclass(slots=True)
class CircuitBreaker:
    """Open while an endpoint is out; then one probe at a time is sent.

    Args:
        late_s: gives the seconds after which a reply is late.

    Attributes:
        opened_at: None while closed.
        is_reached: the endpoint has replied at least once.
        has_answered: it has answered at least once, so key, model and address are right.
        is_absent: it never has, and refuses connections.
        failing_since: when the first request was sent since which none has got through.
    """

    late_s: Callable[[], float] = lambda: inf
    opened_at: float | None = None
    is_reached: bool = False
    has_answered: bool = False
    is_absent: bool = False
    failing_since: float | None = None
    _succeeded_at: float = float("-inf")
    _failures: int = 0
    _first_at: float = 0.0
    _probe: int | None = None
    _in_flight: dict[int, float] = field(default_factory=dict)  # sent at, the latest last

    @property
    def is_open(self) -> bool:
        """Whether the endpoint is out."""
        return self.opened_at is not None

    @property
    def is_probed(self) -> bool:
        """Whether a probe is in flight."""
        return self._probe is not None

    def is_probe(self, permit: Permit) -> bool:
        """Whether a request is the probe in flight."""
        return permit.number == self._probe

    def failing_s(self, now: float) -> float:
        """Seconds since which no request has got through."""
        return 0.0 if self.failing_since is None else now - self.failing_since

    def explains(self, permit: Permit) -> bool:
        """Whether the failure of a request sent before the outage was found is due to it."""
        return self.opened_at is not None and permit.sent_at <= self.opened_at

    def on_acquire(self, permit: Permit, now: float) -> None:
        """Note that a request is in flight, and whether it is the probe."""
        self._in_flight[permit.number] = now
        if self.is_open:
            self._probe = permit.number

    def on_release(self, permit: Permit, outcome: Outcome, now: float) -> None:
        """Open after failures, close after a success."""
        self._in_flight.pop(permit.number, None)
        if self.is_probe(permit):
            self._probe = None
        match outcome:
            case Completed():
                self._succeed(permit.sent_at)
            case Failed(has_replied):
                self.is_reached |= has_replied
                self.is_absent = False
                self._count_failure(permit.sent_at)
                lasts = self._failures >= FAILURES and permit.sent_at - self._first_at >= OVER_S
                if lasts and self._most_fail(now):
                    self._open(now)
                if self.is_open:
                    self._note_failing(permit.sent_at)
            case Throttled():
                self._note_failing(permit.sent_at)
            case Unreachable():
                self.is_absent = not self.is_reached
                self._count_failure(permit.sent_at)
                if self.is_open or self._most_fail(now):
                    self._open(now)
                    self._note_failing(permit.sent_at)
        if isinstance(outcome, Completed | Refused | Disabled | Throttled):
            self.is_reached, self.is_absent = True, False

    def _succeed(self, sent_at: float) -> None:
        self.has_answered = True
        self.failing_since = None
        self._succeeded_at = max(self._succeeded_at, sent_at)
        if sent_at >= self._first_at:
            self._failures = 0
        if self.opened_at is not None and sent_at > self.opened_at:
            self.opened_at = None

    def _count_failure(self, sent_at: float) -> None:
        if not self.is_open and sent_at > self._succeeded_at:
            self._first_at = min(self._first_at, sent_at) if self._failures else sent_at
            self._failures += 1

    def _most_fail(self, now: float) -> bool:
        """Whether the failures in a row outnumber the requests that may still succeed."""
        oldest = now - self.late_s()
        possible = takewhile(lambda sent_at: sent_at >= oldest, reversed(self._in_flight.values()))
        return sum(1 for _ in islice(possible, self._failures)) < self._failures

    def _open(self, now: float) -> None:
        self.opened_at, self._failures = now, 0

    def _note_failing(self, sent_at: float) -> None:
        if self.failing_since is None:
            self.failing_since = sent_at
