"""Counts of a run, of one process or the sum of several, and the summary at its end."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from functools import reduce
from typing import TypeVar

from vcgen.data.records import Reason, Reject
from vcgen.engine.chat import Usage
from vcgen.engine.dispatcher import Counters
from vcgen.engine.limits.bottleneck import BottleneckTimes

# The commonest message is among the first, unless every one is different.
MOST_MESSAGES, LONGEST_MESSAGE = 64, 200
_OF_ROWS = (Reason.INVALID_CLIP.value, Reason.DUPLICATE_CLIP.value)


@dataclass(slots=True)
class Progress:
    """Counts of samples and clips; may be read at any time.

    Attributes:
        records, rejects: outcomes of this run; rejects by reason.
    """

    clips: int = 0  # taken from the input
    records: int = 0
    rejects: Counter[str] = field(default_factory=Counter)
    resumed: int = 0  # samples that had their outcome before this run
    codes: Counter[str] = field(default_factory=Counter)  # rejects by the checks they failed
    messages: Counter[str] = field(default_factory=Counter)  # rejects by `reason: message`

    def reject(self, outcome: Reject) -> None:
        """Count a reject."""
        self.rejects[outcome.reason.value] += 1
        self.codes.update(outcome.codes)
        message = f"{outcome.reason.value}: {outcome.message[:LONGEST_MESSAGE]}"
        if message in self.messages or len(self.messages) < MOST_MESSAGES:
            self.messages[message] += 1

    @property
    def refused(self) -> int:
        """Invalid rows and duplicates of this run: one reject each."""
        return sum(self.rejects[reason] for reason in _OF_ROWS)


@dataclass(frozen=True, slots=True)
class RunSnapshot:
    """Counts of a run at one moment.

    Attributes:
        limiting: seconds by limiting factor, of all processes.
        judging: requests to the judge, not part of `counters`.
        left_out: endpoints that get no request any more while others do, and why.
    """

    progress: Progress = field(default_factory=Progress)  # its samples
    counters: Counters = field(default_factory=Counters)  # its requests
    in_flight: int = 0  # requests sent whose reply has not come
    limiting: BottleneckTimes = field(default_factory=BottleneckTimes)
    slots: int = 0  # number of requests that may be in flight at this moment
    judging: Counters = field(default_factory=Counters)
    left_out: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeSummary:
    """Requests to the judge."""

    model: str
    requests: int
    usage: Usage
    cost: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """The result of a run in numbers; `vcgen generate --json` prints it.

    Attributes:
        samples, records, rejects, rejects_by_reason: of the whole run directory, where there is
            one; all other fields cover this run only.
        requests, retries, throttled: attempts sent, those after the first, those refused by a rate
            limit.
    """

    samples: int
    records: int
    rejects: int
    rejects_by_reason: Mapping[str, int]
    rejects_by_code: Mapping[str, int]  # of this run, by the checks they failed
    commonest_messages: Mapping[str, str]  # of this run's rejects, by reason
    resumed: int  # samples that had their outcome before this run
    requests: int
    retries: int
    throttled: int
    usage: Usage  # tokens; failed and repaired attempts included where they were answered
    cost: float | None  # US dollars, None if the model's price is unknown
    seconds: float
    records_per_second: float
    limited_by: Mapping[str, float]  # share of the time by limiting factor, the largest first
    left_out: Mapping[str, str]  # endpoints that got no request any more, and why
    stopped: str | None  # why the run ended early, None if it did not
    model: str
    output: str | None  # the run directory, None without one
    judge: JudgeSummary | None  # None without a judge


def commonest_messages(messages: Counter[str]) -> dict[str, str]:
    """Return the commonest message of each reason, of a count by `reason: message`."""
    commonest = dict[str, str]()
    for text in sorted(messages, key=lambda text: (-messages[text], text)):
        reason, _, message = text.partition(": ")
        commonest.setdefault(reason, message)
    return commonest


def sum_of(snapshots: Iterable[RunSnapshot]) -> RunSnapshot:
    return reduce(_plus, snapshots, RunSnapshot())


T = TypeVar("T", RunSnapshot, Progress, Counters)


def _plus(left: T, right: T) -> T:
    """Add up each field; a field of counts is added up in the same way."""
    pairs = [(getattr(left, at.name), getattr(right, at.name)) for at in fields(left)]
    return type(left)(
        *(_plus(a, b) if isinstance(a, Progress | Counters) else a + b for a, b in pairs)
    )
