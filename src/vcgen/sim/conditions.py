"""Conditions of the simulated endpoint: limits, latency, and changes of both by the clock."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from vcgen.errors import UsageError
from vcgen.sim.latency import Latency
from vcgen.sim.limits import ServerLimits, require_count, require_one_of

OutageKind = Literal["refused", "503", "hang"]


@dataclass(frozen=True, slots=True)
class Outage:
    """No request is served from one second of the clock until another.

    Attributes:
        kind: connections are refused, or every answer is a 503 without a hint, or hangs.

    Raises:
        UsageError: an unknown kind.
    """

    from_s: float
    to_s: float
    kind: OutageKind = "refused"

    def __post_init__(self) -> None:
        require_one_of("the outage", self.kind, get_args(OutageKind))


@dataclass(frozen=True, slots=True)
class Capacity:
    """Multiplies limits and slots by `times`, from a second of the clock until the next change.

    Raises:
        UsageError: not a number over 0.
    """

    from_s: float
    times: float

    def __post_init__(self) -> None:
        if not 0 < self.times < math.inf:
            raise UsageError(f"sim: the capacity is {self.times} times, not a number over 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """The conditions that a simulated endpoint runs under.

    Attributes:
        slots: the number of requests processed at once, each for its latency, while others wait;
            None for any number.
        prefix_blocks: the size of the prefix cache, in blocks of 64 tokens, which replies report as
            `cached_tokens`; None for no cache, which saves time.
        outages, capacity: by the seconds that `Simulator.answer` gets.

    Raises:
        UsageError: fewer than one slot or block.
    """

    limits: ServerLimits = ServerLimits()
    latency: Latency = Latency()
    slots: int | None = None
    prefix_blocks: int | None = None
    outages: Sequence[Outage] = ()
    capacity: Sequence[Capacity] = ()

    def __post_init__(self) -> None:
        require_count("slots", self.slots)
        require_count("prefix_blocks", self.prefix_blocks)

    def outage_at(self, now: float) -> Outage | None:
        """The first outage under way at that time."""
        for outage in self.outages:
            if outage.from_s <= now < outage.to_s:
                return outage
        return None

    def capacity_at(self, now: float) -> float:
        """The factor of the capacity at that time."""
        begun = [change for change in self.capacity if change.from_s <= now]
        return max(begun, key=lambda change: change.from_s).times if begun else 1.0
