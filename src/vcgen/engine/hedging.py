"""Which requests are so late that a second copy of them is worth its price. Pure.

After J. Dean and L. A. Barroso, *The Tail at Scale* (2013): a second copy is sent of what takes
longer than nearly all took, so that few are sent and the slowest are overtaken. There is room for
copies mostly at the end of a run, and then most of them are left: so the more are left for what is
in flight, the sooner a request is late, but never before half of them would be back.
"""

from collections import deque

MOST = 0.01  # of all requests
_HALF = 0.5
_REMEMBERED = 1000
_ENOUGH = 100
_SORT_EVERY = 50


class HedgePolicy:
    """What requests took lately, and how many second copies were sent.

    Attributes:
        late_s: seconds after which a request is late, None while too few have come back.
    """

    def __init__(self) -> None:
        self.late_s: float | None = None
        self._took: deque[float] = deque(maxlen=_REMEMBERED)
        self._sent = 0
        self._back = 0
        self._copies = 0

    def sent(self) -> None:
        """A request has left."""
        self._sent += 1

    def back(self, took_s: float, in_flight: int) -> None:
        """A request succeeded after so many seconds, and so many others have not come back."""
        self._took.append(took_s)
        self._back += 1
        if self._back >= _ENOUGH and (self.late_s is None or self._back % _SORT_EVERY == 0):
            share_late = min(_HALF, max(MOST, self._left / max(1, in_flight)))
            self.late_s = sorted(self._took)[int(len(self._took) * (1 - share_late))]

    @property
    def may_copy(self) -> bool:
        """Whether one more copy may be sent."""
        return self._left >= 1

    def copied(self) -> None:
        """A copy has left."""
        self._copies += 1

    @property
    def _left(self) -> float:
        return MOST * self._sent - self._copies
