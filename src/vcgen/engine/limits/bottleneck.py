"""The limit that holds requests back, and for how long. Pure: the clock is an argument."""

from dataclasses import asdict, astuple, dataclass
from typing import Literal

Limit = Literal["rpm", "tpm", "concurrency", "server", "budget", "caller"]


@dataclass(frozen=True, slots=True)
class BottleneckTimes:
    """Seconds for which each limit was the bottleneck.

    Attributes:
        rpm, tpm: requests and tokens a minute, given or announced.
        concurrency: slots in flight.
        server: it throttled, failed, or was out of reach.
        budget: requests in flight have reserved the rest of it.
        caller: nothing to send.
    """

    rpm: float = 0.0
    tpm: float = 0.0
    concurrency: float = 0.0
    server: float = 0.0
    budget: float = 0.0
    caller: float = 0.0

    def __add__(self, other: "BottleneckTimes") -> "BottleneckTimes":
        return BottleneckTimes(*map(sum, zip(astuple(self), astuple(other), strict=True)))

    def __sub__(self, other: "BottleneckTimes") -> "BottleneckTimes":
        pairs = zip(astuple(self), astuple(other), strict=True)
        return BottleneckTimes(*(mine - theirs for mine, theirs in pairs))

    def shares(self) -> dict[str, float]:
        """The share of each bottleneck above 0, largest first."""
        seconds: dict[str, float] = asdict(self)
        whole = sum(seconds.values()) or 1.0
        parts = {name: round(part / whole, 3) for name, part in seconds.items()}
        ordered = sorted(parts, key=lambda name: -parts[name])
        return {name: parts[name] for name in ordered if parts[name] > 0}
