"""How far a run is: the counts that are shown, of one process or the sum of several."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Any, Protocol, Self, TypeVar

from vcgen.engine.chat import Usage
from vcgen.engine.config import Limits
from vcgen.engine.engine import Counters
from vcgen.engine.limits.bottleneck import BottleneckTimes
from vcgen.errors import Reason

_OF_ROWS = (Reason.INVALID_CLIP.value, Reason.DUPLICATE_CLIP.value)


@dataclass(slots=True)
class FinishedClips:
    """Some clips that nothing is left to do for, and the replies they took in this run."""

    clips: int = 0
    replies: int = 0

    def add(self, replies: int = 0) -> None:
        """One clip more."""
        self.clips += 1
        self.replies += replies

    def __add__(self, other: Self) -> "FinishedClips":
        return FinishedClips(self.clips + other.clips, self.replies + other.replies)


@dataclass(slots=True)
class Progress:
    """How far a run is; may be read at any time.

    Attributes:
        clips: taken from the input.
        records, rejects: outcomes of this run; rejects by reason.
        resumed: samples that had their outcome before this run.
        ended: clips that have all their outcomes and were begun in this run.
        continued: those that were begun before, most of which had all their outcomes then.
    """

    clips: int = 0
    records: int = 0
    rejects: Counter[str] = field(default_factory=Counter)
    resumed: int = 0
    ended: FinishedClips = field(default_factory=FinishedClips)
    continued: FinishedClips = field(default_factory=FinishedClips)

    @property
    def refused(self) -> int:
        """Rows of this run that were no clip, or one whose id was taken: one reject each."""
        return sum(self.rejects[reason] for reason in _OF_ROWS)


@dataclass(frozen=True, slots=True)
class RunSnapshot:
    """What a run has come to so far.

    Attributes:
        progress: its samples.
        counters: its requests.
        in_flight: requests sent whose reply has not come.
        limiting: what kept requests from leaving, in seconds of all its processes.
        slots: how many requests may be in flight at this moment.
        judging: requests to the judge, which the others do not count.
    """

    progress: Progress = field(default_factory=Progress)
    counters: Counters = field(default_factory=Counters)
    in_flight: int = 0
    limiting: BottleneckTimes = field(default_factory=BottleneckTimes)
    slots: int = 0
    judging: Counters = field(default_factory=Counters)


class RunHandle(Protocol):
    """A run as those see it who watch and stop it, whether one process does it or several."""

    @property
    def limits(self) -> Limits:
        """What the endpoint allows."""

    @property
    def tasks(self) -> int:
        """How many samples each clip is to have."""

    @property
    def stopped(self) -> Exception | None:
        """Why the run is ending early, None while it is not."""

    def tally(self) -> RunSnapshot:
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


def total(tallies: Iterable[RunSnapshot]) -> RunSnapshot:
    """The sum of what several processes have come to."""
    progress, counters, in_flight, limiting = Progress(), Counters(), 0, BottleneckTimes()
    slots, judging = 0, Counters()
    for tally in tallies:
        progress = _plus(progress, tally.progress)
        counters = _plus(counters, tally.counters)
        in_flight += tally.in_flight
        limiting += tally.limiting
        slots += tally.slots
        judging = _plus(judging, tally.judging)
    return RunSnapshot(progress, counters, in_flight, limiting, slots, judging)


def _plus(left: T, right: T) -> T:
    names = [each.name for each in fields(left)]
    return type(left)(*(getattr(left, name) + getattr(right, name) for name in names))
