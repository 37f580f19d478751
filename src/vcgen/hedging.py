"""Which requests are so late that a second copy of them is worth its price. Pure.

After J. Dean and L. A. Barroso, *The Tail at Scale* (2013): a second copy is sent of what takes
longer than nearly all took, so that few are sent and the slowest are overtaken.
"""

from collections import deque

QUANTILE = 0.95
MOST = 0.01  # of all requests
_REMEMBERED = 1000
_ENOUGH = 100
_SORT_EVERY = 50


class Hedging:
    """What requests took lately, and how many second copies were sent.

    Attributes:
        late_s: seconds after which a request is late, None while too few have come back.
    """

    def __init__(self) -> None:
        self.late_s: float | None = None
        self._took: deque[float] = deque(maxlen=_REMEMBERED)
        self._sent = 0
        self._copies = 0

    def sent(self) -> None:
        """A request has left."""
        self._sent += 1

    def back(self, took_s: float) -> None:
        """A request succeeded after so many seconds."""
        self._took.append(took_s)
        count = len(self._took)
        if count >= _ENOUGH and (self.late_s is None or self._sent % _SORT_EVERY == 0):
            self.late_s = sorted(self._took)[int(count * QUANTILE)]

    @property
    def may_copy(self) -> bool:
        """Whether one more copy may be sent."""
        return self._copies + 1 <= MOST * self._sent

    def copied(self) -> None:
        """A copy has left."""
        self._copies += 1
