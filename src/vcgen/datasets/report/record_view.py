"""Prepare a record, a clip and a reject for the template: plain values. Pure.

Characters that cannot be seen are replaced by their names. The texts are not HTML: the template
escapes them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from vcgen.checks.timing import extract_times
from vcgen.data.cleaning import with_visible
from vcgen.data.clips import Clip, Segment, Source, format_seconds
from vcgen.data.formatting import percent
from vcgen.data.records import KINDS, Record, Reject

AXIS = 1000  # units
_HEIGHT = 14
_LEAST = 4  # units, so that a moment is seen
_EXCERPT = 800  # characters of a reply
_TRACKS: Mapping[Source, str] = {
    "caption": "captions",
    "dense": "objects",
    "speech": "speech",
    "action": "actions",
}


class Filter(NamedTuple):
    """A filter of records.

    Attributes:
        classes: of a record's element, by the name of the choice.
    """

    name: str
    label: str
    classes: Mapping[str, str]


class Filters(NamedTuple):
    """All filters of a page."""

    task: Filter
    kind: Filter
    flag: Filter

    @classmethod
    def of(cls, tasks: Iterable[str], flags: Iterable[str]) -> "Filters":
        """Make the filters for records of these tasks, with these flags."""
        return cls(
            Filter("task", "Task", {name: f"t{at}" for at, name in enumerate(tasks)}),
            Filter("kind", "Kind", {name: f"k{at}" for at, name in enumerate(KINDS)}),
            Filter("flag", "Flag", {name: f"f{at}" for at, name in enumerate(flags)}),
        )

    def classes(self, record: Record) -> str:
        """Return the classes of a record's element."""
        kinds = {turn.kind for turn in record.turns}
        names = [
            *filter(None, [self.task.classes.get(record.task)]),
            *(self.kind.classes[kind] for kind in KINDS if kind in kinds),
            *(self.flag.classes[flag] for flag in record.flags if flag in self.flag.classes),
        ]
        return " ".join(["r", *names])


class TimelineBar(NamedTuple):
    """A segment on the axis, in units of `AXIS`, and the index of its line among all lines."""

    x: str
    width: str
    line: int


class TimelineTrack(NamedTuple):
    """The segments of one source of evidence."""

    name: str
    bars: list[TimelineBar]


@dataclass(frozen=True, slots=True)
class Evidence:
    """The evidence of a clip.

    Attributes:
        texts: of the whole video: caption, summary, tags.
        tracks: empty if nothing has a time.
        named_times: lines across a track at the times that the record names, as an SVG path.
        named: those times, as text.
        end: of the axis.
        lines: all segments in order of time, a tab between time and words.
    """

    texts: dict[str, str]
    tracks: list[TimelineTrack]
    named_times: str
    named: str
    end: str
    lines: list[str]


class TurnView(NamedTuple):
    """A turn, with the judge's verdict of its answer."""

    kind: str
    question: str
    answer: str
    verdict: str


@dataclass(frozen=True, slots=True)
class RecordView:
    """A record.

    Attributes:
        notes: its origin, in a few words each.
        evidence: None if its clip is unknown.
    """

    classes: str
    id: str
    task: str
    flags: list[str]
    turns: list[TurnView]
    notes: list[str]
    evidence: Evidence | None


class RejectView(NamedTuple):
    """A reject, with the beginning of its reply."""

    id: str
    message: str
    reply: str


def show_record(record: Record, clip: Clip | None, filters: Filters) -> RecordView:
    """Show a record beside its evidence."""
    texts = [text for turn in record.turns for text in (turn.question, turn.answer)]
    verdicts = [
        f"{verdict['verdict']}: {verdict['span']}".removesuffix(": ")
        for verdict in record.meta.get("judge", {}).get("verdicts", ())
    ]
    verdicts += [""] * (len(record.turns) - len(verdicts))
    turns = [
        TurnView(turn.kind, *map(with_visible, (turn.question, turn.answer, verdict)))
        for turn, verdict in zip(record.turns, verdicts, strict=False)
    ]
    return RecordView(
        filters.classes(record),
        with_visible(record.id),
        with_visible(record.task),
        [with_visible(flag) for flag in record.flags],
        turns,
        _notes(record),
        None if clip is None else show_evidence(clip, texts),
    )


def _notes(record: Record) -> list[str]:
    meta = record.meta
    notes = [] if record.video == record.clip_id else [with_visible(record.video)]
    if (ground := meta.get("ground")) is not None:
        notes.append(f"{percent(ground, 1)} of words in the evidence")
    if repairs := meta.get("repairs"):
        notes.append(f"{repairs:,} repair{'s' if repairs > 1 else ''}")
    if requests := meta.get("attempts"):
        notes.append(f"{requests:,} request{'s' if requests > 1 else ''}")
    if usage := meta.get("usage"):
        notes.append(f"{usage['prompt_tokens'] + usage['completion_tokens']:,} tokens")
    if model := meta.get("model"):
        notes.append(with_visible(model))
    return notes


def show_evidence(clip: Clip, texts: Sequence[str]) -> Evidence:
    """Show a clip, with the times marked that the texts name."""
    about = {
        "Caption": clip.caption or "",
        "Summary": clip.summary or "",
        "Tags": " · ".join(clip.tags),
    }
    end = clip.duration or max((segment.end for segment in clip.segments), default=0.0)
    tracks: list[TimelineTrack] = []
    times: list[float] = []
    if end > 0:
        tracks = [
            TimelineTrack(name, bars)
            for source, name in _TRACKS.items()
            if (bars := _bars(clip, source, end))
        ]
        times = [time for time in extract_times("\n".join(texts)) if time <= end]
    return Evidence(
        {name: with_visible(text) for name, text in about.items() if text},
        tracks,
        " ".join(f"M{_units(time / end)} 0v{_HEIGHT}" for time in times),
        f"named in the text: {', '.join(format_seconds(float(time)) for time in times)} s",
        f"{format_seconds(end)} s",
        [_line(segment) for segment in clip.segments],
    )


def _bars(clip: Clip, source: Source, end: float) -> list[TimelineBar]:
    bars = []
    for line, segment in enumerate(clip.segments):
        if segment.source == source:
            start = min(segment.start / end, 1 - _LEAST / AXIS)
            width = max((segment.end - segment.start) / end, _LEAST / AXIS)
            bars.append(TimelineBar(_units(start), _units(min(width, 1 - start)), line))
    return bars


def _units(part: float) -> str:
    return f"{AXIS * part:.0f}"


def _line(segment: Segment) -> str:
    start, end = format_seconds(segment.start), format_seconds(segment.end)
    time = start if start == end else f"{start}\u2013{end}"
    source = "" if segment.source == "caption" else f"{_TRACKS[segment.source]}: "
    return f"{time} s\t{source}{with_visible(segment.text)}"


def show_reject(reject: Reject) -> RejectView:
    """Show a reject as an example of its reason."""
    reply = reject.reply
    excerpt = reply if len(reply) <= _EXCERPT else f"{reply[:_EXCERPT]}…"
    return RejectView(
        with_visible(reject.id), with_visible(reject.message[:_EXCERPT]), with_visible(excerpt)
    )
