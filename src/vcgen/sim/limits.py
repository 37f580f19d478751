"""True limits of the simulated endpoint: no 60 s hold more than `rpm` requests and `tpm` tokens."""

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

WINDOW_S = 60.0


@dataclass(slots=True)
class Window:
    """What was taken in the last 60 s of one limit; time is an argument, in seconds.

    Attributes:
        limit: the most that any 60 s may hold.
        used: what the last 60 s hold.
    """

    limit: int
    used: int = 0
    _taken: deque[tuple[float, int]] = field(default_factory=deque)

    def wait_s(self, amount: int, now: float) -> float:
        """Seconds until `amount` would fit, 0 if it fits now, infinite if it never will."""
        self._forget(now)
        if amount > self.limit:
            return math.inf
        excess, wait = self.used + amount - self.limit, 0.0
        for taken_at, taken in self._taken:
            if excess <= 0:
                break
            excess, wait = excess - taken, taken_at + WINDOW_S - now
        return wait

    def take(self, amount: int, now: float) -> None:
        """Count `amount` from now on."""
        self._taken.append((now, amount))
        self.used += amount

    def headers(self, name: str, now: float) -> Mapping[str, str]:
        """`x-ratelimit-*` as they stand; the reset is when all that was taken is forgotten."""
        self._forget(now)
        reset_s = self._taken[-1][0] + WINDOW_S - now if self._taken else 0.0
        return {
            f"x-ratelimit-limit-{name}": str(self.limit),
            f"x-ratelimit-remaining-{name}": str(max(0, self.limit - self.used)),
            f"x-ratelimit-reset-{name}": format_reset(reset_s),
        }

    def _forget(self, now: float) -> None:
        while self._taken and self._taken[0][0] <= now - WINDOW_S:
            self.used -= self._taken.popleft()[1]


def format_reset(seconds: float) -> str:
    """A duration as OpenAI writes it: `20ms`, `1.5s`, `1m0s`."""
    if seconds < 1:
        return f"{max(0, round(seconds * 1000))}ms"
    minutes, rest = divmod(round(seconds, 3), 60)
    return f"{int(minutes)}m{rest:g}s" if minutes else f"{rest:g}s"
