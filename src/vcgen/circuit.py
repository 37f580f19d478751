"""Whether an endpoint is out: told from failures in a row, ended by one request that succeeds.

How long that request is given, and how many others may be repeated.

The circuit breaker of M. Nygard, *Release It!*. Pure: time is an argument, in seconds.
"""

from dataclasses import dataclass
from math import inf

FAILURES = 5
OVER_S = 1.0
# Twitter's Finagle allows as many: https://twitter.github.io/finagle/guide/Clients.html#retries
RETRIES_A_SUCCESS, RETRIES_A_SECOND, MOST_RETRIES = 0.2, 10.0, 100.0
# A probe gets some times as long as late replies took before, or this, or a part of the time that
# its endpoint has been out: it may be slow to come back.
LEAST_PROBE_S, PROBE_TIMES, PROBE_PART = 10.0, 3.0, 0.25
WEIGHT = 0.05


@dataclass(slots=True)
class Circuit:
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


@dataclass(slots=True)
class ReplyTimes:
    """How long replies take, estimated as TCP does (RFC 6298): a mean and a mean deviation.

    Attributes:
        mean_s: infinite before the first.
    """

    mean_s: float = inf
    _deviation_s: float = 0.0

    def learn(self, took_s: float) -> None:
        """A reply took so long."""
        if self.mean_s == inf:
            self.mean_s, self._deviation_s = took_s, took_s / 2
            return
        error = took_s - self.mean_s
        self.mean_s += WEIGHT * error
        self._deviation_s += WEIGHT * (abs(error) - self._deviation_s)

    def probe_s(self, out_s: float) -> float:
        """Seconds to give the probe of an endpoint that has been out for so long."""
        late_s = self.mean_s + 4 * self._deviation_s
        return max(LEAST_PROBE_S, PROBE_TIMES * late_s, PROBE_PART * out_s)


class RetryBudget:
    """How many failed requests are sent again, so that retries never become most of the load."""

    def __init__(self) -> None:
        self._left = MOST_RETRIES
        self._at = float("-inf")

    def passed(self) -> None:
        """A request succeeded."""
        self._left = min(MOST_RETRIES, self._left + RETRIES_A_SUCCESS)

    def take(self, now: float) -> float:
        """Seconds to wait before one more; whoever asks first waits least."""
        earned = (now - self._at) * RETRIES_A_SECOND
        self._left, self._at = min(MOST_RETRIES, self._left + earned) - 1, now
        return max(0.0, -self._left / RETRIES_A_SECOND)
