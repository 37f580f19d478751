"""Whether an endpoint is out: told from failures in a row, ended by one request that succeeds.

How long that request is given, and how many others may be repeated.

The circuit breaker of M. Nygard, *Release It!*. Pure: time is an argument, in seconds.
"""

from dataclasses import dataclass

FAILURES = 5
OVER_S = 1.0


@dataclass(slots=True)
class CircuitBreaker:
    """Open while an endpoint is taken to be out.

    An endpoint that fails every third request is not out, and has few failures in a row. So it
    takes `FAILURES` of them, sent over `OVER_S` seconds at least, and none that was sent between
    them may have succeeded. Those that were sent earlier prove nothing.

    Attributes:
        opened_at: since when it is open, None while it is closed.
    """

    opened_at: float | None = None
    _succeeded_at: float = float("-inf")
    _failures: int = 0
    _first_at: float = 0.0

    def passed(self, sent_at: float) -> None:
        """A request sent at `sent_at` succeeded."""
        self._succeeded_at = max(self._succeeded_at, sent_at)
        if sent_at >= self._first_at:
            self._failures = 0
        if self.opened_at is not None and sent_at > self.opened_at:
            self.opened_at = None

    def failed(self, sent_at: float, now: float) -> bool:
        """A request sent at `sent_at` failed; whether the endpoint is out, and that was why.

        Of a probe, sent while it was out already, nobody can tell.
        """
        if self.opened_at is not None:
            return sent_at <= self.opened_at
        if sent_at > self._succeeded_at:
            self._first_at = min(self._first_at, sent_at) if self._failures else sent_at
            self._failures += 1
        if self._failures < FAILURES or sent_at - self._first_at < OVER_S:
            return False
        self.open(now)
        return True

    def open(self, now: float) -> None:
        """The endpoint is out, whatever came before."""
        self.opened_at = now
        self._failures = 0
