"""Distinguish outages of an endpoint from single failures, and probe it by single requests.

The circuit breaker of M. Nygard, *Release It!*. Failures are quick and replies slow: when a failure
comes, the replies to requests sent beside it are still on their way. So failures are compared with
the requests sent in the same time, answered or not: those sent within `COHORT_S` are a cohort, and
cohorts in a row are lost if `LOST` of them has failed.

| state  | may be sent         | entered by                                   | left by            |
|--------|---------------------|----------------------------------------------|--------------------|
| closed | as limits allow     |                                              | an outage          |
| open   | one request a time  | enough failures in lost cohorts in a row, of | a success of a     |
|        |                     | requests sent after the last that succeeded  | request sent since |

Enough are `UNREACHED` refused connections, or `FAILURES` failures sent over `OVER_S`, more where
failures are frequent anyway. The breakers of resilience4j, Envoy and Finagle count a call when it
ends, by number or in a sliding window: with replies of 8 s and 512 in flight, 1 % of quick failures
are the only calls that have ended for 8 s, and look like an outage.

Pure: time is an argument.
"""

from bisect import bisect_right
from collections import deque
from dataclasses import dataclass, field
from math import log
from operator import attrgetter

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

# At ten requests a second a cohort is one request, so an outage begins with a cohort of its own.
COHORT_S = 0.1
# A tenth may hang where an endpoint dies; one that still answers a tenth is not out.
LOST = 0.9
# Failures in a row that chance does not explain: once in 100,000 times at the share that fails at
# any rate, which is at least `SHARE` and is counted over some `MEMORY` requests.
BY_CHANCE, SHARE, MEMORY = 1e-5, 0.02, 400
# A server that restarts fails whatever it has in hand, and is back: five within a second prove
# nothing. A refused connection says more, for nobody listens.
FAILURES, UNREACHED = 5, 3
OVER_S = 1.0
# Cohorts kept. They begin with a request sent, so what hangs in an outage is among the last.
COHORTS = 2048


@dataclass(slots=True)
class Cohort:
    """Requests sent in the same time, numbered from `first`, and how many of them have failed."""

    first: int
    began_at: float
    failed: int = 0
    failed_sent_at: float = 0.0


_first = attrgetter("first")


@dataclass(slots=True)
class CircuitBreaker:
    """Open while an endpoint is out; then one probe at a time is sent.

    Attributes:
        opened_at: None while closed.
        is_reached: the endpoint has replied at least once.
        has_answered: it has answered at least once, so key, model and address are right.
        is_absent: it never has, and refuses connections.
        failing_since: when the first request was sent since which none has got through.
    """

    opened_at: float | None = None
    is_reached: bool = False
    has_answered: bool = False
    is_absent: bool = False
    failing_since: float | None = None
    _succeeded_at: float = float("-inf")
    _probe: int | None = None
    _cohorts: deque[Cohort] = field(default_factory=lambda: deque(maxlen=COHORTS))
    _next_cohort_at: float = float("-inf")
    _last: int = 0
    _failures: float = 0.0  # of the requests sent after `_counted_from`
    _counted_from: int = 0

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
        """Note which request is the probe, and which were sent in the same time."""
        if self.is_open:
            self._probe = permit.number
        if now >= self._next_cohort_at:
            self._cohorts.append(Cohort(permit.number, now))
            self._next_cohort_at = now + COHORT_S
        self._last = permit.number

    def on_release(self, permit: Permit, outcome: Outcome, now: float) -> None:
        """Open after failures, close after a success."""
        if self.is_probe(permit):
            self._probe = None
        match outcome:
            case Completed():
                self.is_reached, self.is_absent = True, False
                self._succeed(permit.sent_at)
            case Failed(has_replied):
                self.is_reached |= has_replied
                self.is_absent = False
                self._fail(permit, now, FAILURES, OVER_S)
            case Refused() | Disabled():
                self.is_reached, self.is_absent = True, False
            case Throttled():
                self.is_reached, self.is_absent = True, False
                self._note_failing(permit.sent_at)
            case Unreachable():
                self.is_absent = not self.is_reached
                self._fail(permit, now, UNREACHED, 0.0)

    def _succeed(self, sent_at: float) -> None:
        self.has_answered = True
        self.failing_since = None
        self._succeeded_at = max(self._succeeded_at, sent_at)
        if self.opened_at is not None and sent_at > self.opened_at:
            self.opened_at = None

    def _fail(self, permit: Permit, now: float, least: int, over_s: float) -> None:
        """Count a failure, and open if it belongs to an outage."""
        if self.is_open:
            self._note_failing(permit.sent_at)
            return
        at = bisect_right(self._cohorts, permit.number, key=_first) - 1
        if at < 0:
            return
        cohort = self._cohorts[at]
        cohort.failed += 1
        cohort.failed_sent_at = max(cohort.failed_sent_at, permit.sent_at)
        self._count()
        lost = self._lost_around(at)
        if not lost:
            return
        failed = sum(cohort.failed for cohort in lost)
        is_over = lost[-1].failed_sent_at - lost[0].began_at >= over_s
        if is_over and failed >= max(least, self._by_chance(failed)):
            self.opened_at = now
            self._note_failing(lost[0].began_at)
            self._failures = max(0.0, self._failures - failed)

    def _count(self) -> None:
        self._failures += 1
        if self._last - self._counted_from >= 2 * MEMORY:
            self._failures /= 2
            self._counted_from = self._last - MEMORY

    def _lost_around(self, at: int) -> deque[Cohort]:
        """Cohorts with failures, in a row around that one, that together are lost; may be none."""
        lost, failed, sent = deque[Cohort](), 0, 0
        for numbers in range(at, -1, -1), range(at + 1, len(self._cohorts)):
            for each in numbers:
                cohort = self._cohorts[each]
                all_failed, all_sent = failed + cohort.failed, sent + self._size(each)
                if cohort.began_at <= self._succeeded_at or all_failed < LOST * all_sent:
                    break
                failed, sent = all_failed, all_sent
                if cohort.failed:
                    lost.appendleft(cohort) if each <= at else lost.append(cohort)
        return lost

    def _size(self, at: int) -> int:
        after = at + 1
        end = self._cohorts[after].first if after < len(self._cohorts) else self._last + 1
        return end - self._cohorts[at].first

    def _by_chance(self, failed: int) -> float:
        """The number of failures in a row beyond which chance does not explain them."""
        sent = max(self._last - self._counted_from, MEMORY)
        share = max(SHARE, (self._failures - failed) / sent)
        return log(BY_CHANCE) / log(min(share, 0.5))

    def _note_failing(self, sent_at: float) -> None:
        if self.failing_since is None:
            self.failing_since = sent_at
