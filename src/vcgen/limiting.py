"""What keeps the next request from leaving, and for how long. The clock is an argument."""

from dataclasses import astuple, dataclass
from typing import Literal

Factor = Literal["rpm", "tpm", "concurrency", "server", "budget", "caller"]


@dataclass(frozen=True, slots=True)
class Limiting:
    """Seconds that each factor was what kept the next request from leaving.

    Attributes:
        rpm, tpm: the requests and the tokens a minute that were given or announced.
        concurrency: as many requests were in flight as may be.
        server: it throttled, failed, or was out of reach.
        budget: what is in flight may spend the rest of it.
        caller: there was no request to send.
    """

    rpm: float = 0.0
    tpm: float = 0.0
    concurrency: float = 0.0
    server: float = 0.0
    budget: float = 0.0
    caller: float = 0.0

    def __add__(self, other: "Limiting") -> "Limiting":
        return Limiting(*map(sum, zip(astuple(self), astuple(other), strict=True)))

    def __sub__(self, other: "Limiting") -> "Limiting":
        pairs = zip(astuple(self), astuple(other), strict=True)
        return Limiting(*(mine - theirs for mine, theirs in pairs))


class Watch:
    """Times one factor after another; each lasts until the next turn.

    Args:
        now: seconds of the clock that all other calls go by.
    """

    def __init__(self, now: float) -> None:
        self._factor: Factor = "caller"
        self._since = now
        self._seconds: dict[Factor, float] = {}

    def turn(self, factor: Factor, now: float) -> None:
        """From `now` on it is this factor."""
        if factor != self._factor:
            seconds = self._seconds.get(self._factor, 0.0) + now - self._since
            self._seconds[self._factor] = seconds
            self._factor, self._since = factor, now

    def so_far(self, now: float) -> Limiting:
        """All factors up to `now`, the present one included."""
        present = self._seconds.get(self._factor, 0.0) + now - self._since
        return Limiting(**{**self._seconds, self._factor: present})
