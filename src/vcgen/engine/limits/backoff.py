"""Keep away from an endpoint that refuses or fails, and let one request test it first.

A burst of refusals is one: only a request sent after the last closing backs off further.
Pure: time and chance are arguments.
"""

from dataclasses import dataclass
from random import Random

from vcgen.engine.limits.circuit_breaker import CircuitBreaker
from vcgen.engine.limits.concurrency import Concurrency
from vcgen.engine.limits.permit import (
    Completed,
    Failed,
    Outcome,
    Permit,
    Starved,
    Throttled,
    Unreachable,
)

# Official clients begin with 0.5 s and stop at 8 s, which a throttled server feels.
BACKOFF_S, BACKOFF_CAP_S = 1.0, 30.0
# How long the request that tests an endpoint goes alone, at most: refusals take less.
LONGEST_TEST_S = 5.0
# When to dial again where no request in flight there can free what this machine is short of.
STARVED_AGAIN_S = 1.0


def backoff_s(closings: int, draw: float) -> float:
    """Seconds to keep closed at the n-th closing in a row; `draw` in 0..1 is the jitter."""
    return float(min(BACKOFF_CAP_S, BACKOFF_S * 2 ** min(closings - 1, 10)) * (0.5 + draw / 2))


@dataclass(slots=True)
class Backoff:
    """When an endpoint is open again.

    Attributes:
        opens_at: nothing is sent before, in seconds of the loop's clock.
        closings: in a row, without a success between.
    """

    circuit: CircuitBreaker
    concurrency: Concurrency
    random: Random
    opens_at: float = float("-inf")
    closings: int = 0
    is_rate_known: bool = False
    _closed_at: float = float("-inf")
    _refusal_s: float = 0.0
    _is_tested: bool = False
    _test_sent: bool = False

    def on_acquire(self, permit: Permit, now: float) -> None:  # noqa: ARG002 - the protocol's
        """Let a test request go alone for as long as refusals take."""
        if not self._is_tested:
            return
        if self._test_sent:
            self._is_tested, self.closings = False, 0
        else:
            self._test_sent = True
            self.opens_at = now + min(LONGEST_TEST_S, 1.5 * self._refusal_s)

    def on_release(self, permit: Permit, outcome: Outcome, now: float) -> None:
        """Close after a throttle, a failure in an outage, or where no connection can be made."""
        match outcome:
            case Completed() if permit.sent_at > self._closed_at:
                self._is_tested, self._test_sent, self.closings = False, False, 0
            case Throttled(retry_after_s):
                is_tested = retry_after_s is None and not self.is_rate_known
                self._close(permit.sent_at, now, retry_after_s, is_tested=is_tested)
            case Unreachable(retry_after_s) if self.circuit.is_open:
                self._close(permit.sent_at, now, retry_after_s, is_tested=False)
            case Failed() if self.circuit.is_open:
                self._close(permit.sent_at, now, None, is_tested=False)
            case Starved() if not self.concurrency.in_flight:
                self.opens_at = max(self.opens_at, now + STARVED_AGAIN_S)

    def _close(self, sent_at: float, now: float, delay_s: float | None, *, is_tested: bool) -> None:
        draw = self.random.random()
        if sent_at > self._closed_at:
            self.closings += 1
            self._closed_at = now
            self._is_tested, self._test_sent = is_tested or self.closings > 1, False
        elif delay_s is None:
            return  # of the burst that closed it
        self._refusal_s = now - sent_at
        if delay_s is None:
            delay_s = backoff_s(self.closings, draw)
        self.opens_at = max(self.opens_at, now + delay_s)
