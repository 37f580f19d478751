"""Distinguish outages of an endpoint from single failures, and probe it by single requests.

The circuit breaker of M. Nygard, *Release It!*. Pure: time is an argument.
"""

from dataclasses import dataclass

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

    Successes and failures are compared by when their requests were sent: it takes `FAILURES`
    failures sent over at least `OVER_S` and no success sent between them.

    Attributes:
        opened_at: None while closed.
        is_reached: the endpoint has replied at least once.
        is_absent: it never has, and refuses connections.
        failing_since: when the first request was sent since which none has got through.
    """

    opened_at: float | None = None
    is_reached: bool = False
    is_absent: bool = False
    failing_since: float | None = None
    _succeeded_at: float = float("-inf")
    _failures: int = 0
    _first_at: float = 0.0
    _probe: int | None = None

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

    def on_acquire(self, permit: Permit, now: float) -> None:  # noqa: ARG002 - the protocol's
        """Note which request is the probe."""
        if self.is_open:
            self._probe = permit.number

    def on_release(self, permit: Permit, outcome: Outcome, now: float) -> None:
        """Open after failures, close after a success."""
        if self.is_probe(permit):
            self._probe = None
        match outcome:
            case Completed():
                self._succeed(permit.sent_at)
            case Failed(has_replied):
                self.is_reached |= has_replied
                self.is_absent = False
                self._fail(permit.sent_at, now)
                if self.is_open:
                    self._note_failing(permit.sent_at)
            case Throttled():
                self._note_failing(permit.sent_at)
            case Unreachable():
                self.is_absent = not self.is_reached
                self.opened_at, self._failures = now, 0
                self._note_failing(permit.sent_at)
        if isinstance(outcome, Completed | Refused | Disabled | Throttled):
            self.is_reached, self.is_absent = True, False

    def _succeed(self, sent_at: float) -> None:
        self.failing_since = None
        self._succeeded_at = max(self._succeeded_at, sent_at)
        if sent_at >= self._first_at:
            self._failures = 0
        if self.opened_at is not None and sent_at > self.opened_at:
            self.opened_at = None

    def _fail(self, sent_at: float, now: float) -> None:
        if self.is_open:
            return
        if sent_at > self._succeeded_at:
            self._first_at = min(self._first_at, sent_at) if self._failures else sent_at
            self._failures += 1
        if self._failures >= FAILURES and sent_at - self._first_at >= OVER_S:
            self.opened_at, self._failures = now, 0

    def _note_failing(self, sent_at: float) -> None:
        if self.failing_since is None:
            self.failing_since = sent_at
