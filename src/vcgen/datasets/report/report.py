"""A run as one page to be looked at: what its data is like, its rejects, and its records.

The page is one file, needs no network, and shows whatever it holds as text. A run is read twice,
and what is shown goes from there to the disk, so memory grows with the clips, and by the few bytes
an answer that `vcgen.duplicates` keeps.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vcgen._version import __version__
from vcgen.checks.language import code_of
from vcgen.data.cleaning import with_visible
from vcgen.data.clip_index import ClipIndex
from vcgen.data.records import Record, Reject
from vcgen.datasets.report.charts import charts, count
from vcgen.datasets.report.page import page
from vcgen.datasets.report.record_view import (
    Filters,
    RecordView,
    RejectView,
    show_record,
    show_reject,
)
from vcgen.datasets.report.rows import evenly, read_outcomes
from vcgen.datasets.report.summary import lead, limits, made, notes, sections, shown, tiles
from vcgen.datasets.report.svg import renderer
from vcgen.datasets.statistics import DatasetStatistics
from vcgen.pipeline.store.atomic_files import replacing_file
from vcgen.pipeline.store.directory import read_manifest
from vcgen.pipeline.store.layout import RECORDS, REJECTS

EXAMPLES = 3  # of each reason
_MOST_CHOICES = 40


@dataclass
class _Looked:
    """What a first look at a run has found.

    Attributes:
        records: how many there were, which is how many the second look goes through.
        with_clip: of them, whose clip is known.
        damaged: lines, by file.
        examples: the first rejects of each reason.
    """

    clips: ClipIndex
    survey: DatasetStatistics = field(default_factory=DatasetStatistics)
    records: int = 0
    with_clip: int = 0
    damaged: dict[str, int] = field(default_factory=lambda: {RECORDS: 0, REJECTS: 0})
    examples: dict[str, list[RejectView]] = field(default_factory=dict)

    def add(self, name: str, outcome: Record | Reject | None) -> None:
        if outcome is None:
            self.damaged[name] += 1
            return
        self.survey.add(outcome)
        if isinstance(outcome, Record):
            self.records += 1
            self.with_clip += self.clips.find(outcome) is not None
        elif len(known := self.examples.setdefault(outcome.reason.value, [])) < EXAMPLES:
            known.append(show_reject(outcome))


def write_report(run: Path, output: Path, clips: ClipIndex, *, limit: int) -> int:
    """Write the page.

    Args:
        run: the directory; a run in progress is shown as far as it is.
        output: the file, which is replaced whole or not at all.
        clips: evidence of the records, as far as it is known.
        limit: of records that are shown; where there are more, an even sample of so many.

    Returns:
        How many records are shown.

    Raises:
        UsageError: there is no run, the file cannot be written, or the library that draws is not
            installed.
    """
    manifest, draw = read_manifest(run), renderer()
    looked = _Looked(clips)
    for name in (RECORDS, REJECTS):
        for outcome in read_outcomes(run, name):
            looked.add(name, outcome)
    found = looked.survey.summary()
    drawn = [(chart, draw(chart.spec)) for chart in charts(found, limits(manifest))]
    places = list(evenly(looked.records, limit))
    filters = Filters.of(
        list(found["tasks"])[:_MOST_CHOICES], sorted(found["flags"])[:_MOST_CHOICES]
    )
    content = {
        "name": with_visible(run.resolve().name),
        "simulated": bool(manifest.get("simulated")),
        "lead": lead(manifest, found),
        "sections": sections(drawn),
        "tiles": tiles(found),
        "notes": notes(looked.damaged),
        "made": made(manifest),
        "rejects": _rejects(found["rejects"], looked.examples),
        "shown": shown(looked.records, len(places), looked.with_clip if len(clips) else None),
        "language": _language(manifest),
        "end": f"Made by vcgen {__version__}.",
    }
    with replacing_file(output) as file:
        for piece in page(filters, _shown(run, places, clips, filters), content):
            file.write(piece.encode("utf-8", "replace"))
    return len(places)


def _shown(
    run: Path, places: list[int], clips: ClipIndex, filters: Filters
) -> Iterator[RecordView]:
    wanted = iter(places)
    next_place = next(wanted, None)
    records = (each for each in read_outcomes(run, RECORDS) if isinstance(each, Record))
    for place, record in enumerate(records):
        if next_place is None:
            return
        if place == next_place:
            yield show_record(record, clips.find(record), filters)
            next_place = next(wanted, None)


def _rejects(
    reasons: Mapping[str, int], examples: Mapping[str, list[RejectView]]
) -> list[dict[str, Any]]:
    ranked = sorted(reasons.items(), key=lambda item: -item[1])
    return [
        {"name": name.replace("_", " "), "count": count(number), "examples": examples[name]}
        for name, number in ranked
    ]


def _language(manifest: Mapping[str, Any]) -> str:
    """The code of what the records are written in, empty for the page's own and for none known."""
    match manifest:
        case {"run": {"recipe": {"language": str(language)}}}:
            return code_of(language).removeprefix("en")
    return ""
