"""What a page shows of a record, a clip and a reject: plain values for a template. Pure.

Text is as it was but for characters that cannot be seen, whose names stand in their place. It is
not HTML: the template escapes it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from vcgen.checks.timing import extract_times
from vcgen.data.cleaning import with_visible
from vcgen.data.clips import Clip, Segment, Source, format_seconds
from vcgen.data.records import KINDS, Record, Reject
from vcgen.datasets.report.charts import count, share

AXIS = 1000  # units
_HEIGHT = 14
_LEAST = 4  # units, so that a moment is seen
_EXCERPT = 800  # characters of a reply
_LANES: Mapping[Source, str] = {
    "caption": "captions",
    "dense": "objects",
    "speech": "speech",
    "action": "actions",
}


class Filter(NamedTuple):
    """What records can be filtered by: a class of their elements for each choice.

    Attributes:
        classes: by name of the choice, which is shown.
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
        """For records of these tasks, with these flags."""
        return cls(
            Filter("task", "Task", {name: f"t{at}" for at, name in enumerate(tasks)}),
            Filter("kind", "Kind", {name: f"k{at}" for at, name in enumerate(KINDS)}),
            Filter("flag", "Flag", {name: f"f{at}" for at, name in enumerate(flags)}),
        )

    def classes(self, record: Record) -> str:
        """Of a record's element."""
        found = [
            *filter(None, [self.task.classes.get(record.task)]),
            *(self.kind.classes[kind] for kind in KINDS if _has(record, kind)),
            *(self.flag.classes[flag] for flag in record.flags if flag in self.flag.classes),
        ]
        return " ".join(["r", *found])


def _has(record: Record, kind: str) -> bool:
    return any(turn.kind == kind for turn in record.turns)


class TimelineBar(NamedTuple):
    """A segment on the axis, in units of `AXIS`, and the place of its line among all lines."""

    x: str
    width: str
    line: int


class TimelineTrack(NamedTuple):
    """The segments of one source of evidence."""

    name: str
    bars: list[TimelineBar]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of a clip.

    Attributes:
        told: of the whole video, by what it is: caption, summary, tags.
        lanes: empty where nothing has a time.
        marks: lines across a lane at the times that the record names, as an SVG path.
        named: those times.
        end: of the axis.
        lines: all segments in order of time, a tab between time and words.
    """

    told: dict[str, str]
    lanes: list[TimelineTrack]
    marks: str
    named: str
    end: str
    lines: list[str]


class Said(NamedTuple):
    """A turn, with what a judge said of its answer."""

    kind: str
    question: str
    answer: str
    verdict: str


@dataclass(frozen=True, slots=True)
class RecordView:
    """A record.

    Attributes:
        notes: where it came from, in a few words each.
        evidence: None where its clip is not known.
    """

    classes: str
    id: str
    task: str
    flags: list[str]
    turns: list[Said]
    notes: list[str]
    evidence: Evidence | None


class RejectView(NamedTuple):
    """A reject; of its reply the beginning."""

    id: str
    message: str
    reply: str


def show_record(record: Record, clip: Clip | None, filters: Filters) -> RecordView:
    """A record beside its evidence."""
    texts = [text for turn in record.turns for text in (turn.question, turn.answer)]
    verdicts = record.meta.get("judge", {}).get("verdicts", ())
    told = [f"{each['verdict']}: {each['span']}".removesuffix(": ") for each in verdicts]
    told += [""] * (len(record.turns) - len(told))
    turns = [
        Said(turn.kind, with_visible(turn.question), with_visible(turn.answer), with_visible(said))
        for turn, said in zip(record.turns, told, strict=False)
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
        notes.append(f"{share(ground, 1)} of words in the evidence")
    if repairs := meta.get("repairs"):
        notes.append(f"{count(repairs)} repair{'s' if repairs > 1 else ''}")
    if requests := meta.get("attempts"):
        notes.append(f"{count(requests)} request{'s' if requests > 1 else ''}")
    if usage := meta.get("usage"):
        notes.append(f"{count(usage['prompt_tokens'] + usage['completion_tokens'])} tokens")
    if model := meta.get("model"):
        notes.append(with_visible(model))
    return notes


def show_evidence(clip: Clip, texts: Sequence[str]) -> Evidence:
    """A clip, with the times marked that the texts name."""
    told = {
        "Caption": clip.caption or "",
        "Summary": clip.summary or "",
        "Tags": " · ".join(clip.tags),
    }
    end = clip.duration or max((each.end for each in clip.segments), default=0.0)
    lanes: list[TimelineTrack] = []
    named: list[float] = []
    if end > 0:
        lanes = [
            TimelineTrack(name, bars)
            for source, name in _LANES.items()
            if (bars := _bars(clip, source, end))
        ]
        named = [each for each in extract_times("\n".join(texts)) if each <= end]
    return Evidence(
        {name: with_visible(text) for name, text in told.items() if text},
        lanes,
        " ".join(f"M{_units(each / end)} 0v{_HEIGHT}" for each in named),
        f"named in the text: {', '.join(format_seconds(float(each)) for each in named)} s",
        f"{format_seconds(end)} s",
        [_line(each) for each in clip.segments],
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
    source = "" if segment.source == "caption" else f"{_LANES[segment.source]}: "
    return f"{time} s\t{source}{with_visible(segment.text)}"


def show_reject(reject: Reject) -> RejectView:
    """A reject as an example of its reason."""
    reply = reject.reply
    excerpt = reply if len(reply) <= _EXCERPT else f"{reply[:_EXCERPT]}…"
    return RejectView(
        with_visible(reject.id), with_visible(reject.message[:_EXCERPT]), with_visible(excerpt)
    )
