"""How far a run is: the counts that are shown, of one process or the sum of several."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Any, Protocol, TypeVar

from vcgen.config import Limits
from vcgen.engine import Counters
from vcgen.records import Usage


@dataclass(slots=True)
class Progress:
    """How far a run is; may be read at any time.

    Attributes:
        clips: taken from the input.
        records, rejects: outcomes of this run; rejects by reason.
        resumed: samples that had their outcome before this run.
    """

    clips: int = 0
    records: int = 0
    rejects: Counter[str] = field(default_factory=Counter)
    resumed: int = 0


@dataclass(frozen=True, slots=True)
class Tally:
    """What a run has come to so far.

    Attributes:
        progress: its samples.
        counters: its requests.
        in_flight: requests sent whose reply has not come.
    """

    progress: Progress = field(default_factory=Progress)
    counters: Counters = field(default_factory=Counters)
    in_flight: int = 0


class Work(Protocol):
    """A run as those see it who watch and stop it, whether one process does it or several."""

    @property
    def limits(self) -> Limits:
        """What the endpoint allows."""

    @property
    def stopped(self) -> Exception | None:
        """Why the run is ending early, None while it is not."""

    def tally(self) -> Tally:
        """What it has come to so far."""

    def cost_of(self, usage: Usage) -> float | None:
        """US dollars, None if the model's price is not known."""

    def summary(self) -> dict[str, Any]:
        """Counts for people and programs."""

    def stop(self, reason: Exception) -> None:
        """Send nothing more; what is in flight has a grace period to arrive."""

    async def work(self) -> None:
        """Do the whole run, or raise why it ended early."""


T = TypeVar("T", Progress, Counters)


def total(tallies: Iterable[Tally]) -> Tally:
    """The sum of what several processes have come to."""
    progress, counters, in_flight = Progress(), Counters(), 0
    for tally in tallies:
        progress = _plus(progress, tally.progress)
        counters = _plus(counters, tally.counters)
        in_flight += tally.in_flight
    return Tally(progress, counters, in_flight)


def _plus(left: T, right: T) -> T:
    names = [each.name for each in fields(left)]
    return type(left)(*(getattr(left, name) + getattr(right, name) for name in names))
