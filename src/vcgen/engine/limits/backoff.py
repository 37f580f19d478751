"""How long an endpoint that refused is left alone. Pure; time is an argument, in seconds."""

from dataclasses import dataclass

BACKOFF_S, BACKOFF_CAP_S = 1.0, 30.0
LONGEST_PROBE_S = 5.0
PUT_UP_WITH = 0.1


def backoff_s(closures: int, draw: float) -> float:
    """Seconds to keep the gate closed at the n-th closure in a row, if the endpoint says none."""
    return float(min(BACKOFF_CAP_S, BACKOFF_S * 2 ** min(closures - 1, 10)) * (0.5 + draw / 2))


@dataclass(slots=True)
class Backoff:
    """When the gate is open: closed by a throttle, and opened by one request that goes ahead.

    Attributes:
        opens_at: nothing leaves before.
        count: flights in a row that closed the gate, without a success between.
    """

    opens_at: float = float("-inf")
    count: int = 0
    _closed_at: float = float("-inf")
    _refusal_s: float = 0.0
    _is_probed: bool = False
    _probe_left: bool = False

    def refused(
        self, sent_at: float, now: float, delay_s: float | None, draw: float, *, probe: bool
    ) -> None:
        """A request sent at `sent_at` was refused: close.

        Args:
            delay_s: for how long, None for longer each time in a row.
            draw: a random number in 0..1, for the jitter.
            probe: whether to send one request ahead of the others, as is done from the second time
                in a row.
        """
        if sent_at > self._closed_at:
            self.count += 1
            self._closed_at = now
            self._is_probed, self._probe_left = probe or self.count > 1, False
        elif delay_s is None:
            return  # of the same burst as the closure already in force
        self._refusal_s = now - sent_at
        delay = backoff_s(self.count, draw) if delay_s is None else delay_s
        self.opens_at = max(self.opens_at, now + delay)

    def tolerated(self, sent_at: float, now: float, delay_s: float | None) -> None:
        """A request was refused by an endpoint that refuses some whatever is done.

        Without a `delay_s` the gate is closed for a tenth of the time since it last was.
        """
        if delay_s is None:
            delay_s = min(BACKOFF_S, PUT_UP_WITH * (now - max(self._closed_at, 0.0)))
        if sent_at > self._closed_at:
            self._closed_at = now
        self.opens_at = max(self.opens_at, now + delay_s)

    def left(self, now: float) -> None:
        """A request has left: a probe goes alone for as long as refusals take."""
        if not self._is_probed:
            return
        if self._probe_left:
            self._is_probed, self.count = False, 0
        else:
            self._probe_left = True
            self.opens_at = now + min(LONGEST_PROBE_S, 1.5 * self._refusal_s)

    def passed(self, sent_at: float) -> None:
        """A request sent at `sent_at` succeeded."""
        if sent_at > self._closed_at:
            self._is_probed, self._probe_left, self.count = False, False, 0
