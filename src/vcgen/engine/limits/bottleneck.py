"""What keeps the next request from leaving, and for how long. The clock is an argument."""

from dataclasses import asdict, astuple, dataclass
from typing import Literal

Limit = Literal["rpm", "tpm", "concurrency", "server", "budget", "caller"]


@dataclass(frozen=True, slots=True)
class BottleneckTimes:
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

    def __add__(self, other: "BottleneckTimes") -> "BottleneckTimes":
        return BottleneckTimes(*map(sum, zip(astuple(self), astuple(other), strict=True)))

    def __sub__(self, other: "BottleneckTimes") -> "BottleneckTimes":
        pairs = zip(astuple(self), astuple(other), strict=True)
        return BottleneckTimes(*(mine - theirs for mine, theirs in pairs))

    def shares(self) -> dict[str, float]:
        """Each factor's share of all these seconds, the largest first; without those of none."""
        seconds: dict[str, float] = asdict(self)
        whole = sum(seconds.values()) or 1.0
        parts = {name: round(part / whole, 3) for name, part in seconds.items()}
        ordered = sorted(parts, key=lambda name: -parts[name])
        return {name: parts[name] for name in ordered if parts[name] > 0}
