"""Write a run as one page: statistics of its data, its rejects, and its records.

The page is one file, needs no network, and shows every text as text. A run is read twice, and the
records go from there to the disk, so memory grows with the clips, and by the few bytes an answer
that `DuplicateIndex` keeps.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from vcgen._version import __version__
from vcgen.checks.language import code_of
from vcgen.data.cleaning import with_visible
from vcgen.data.clip_index import ClipIndex
from vcgen.data.records import Record
from vcgen.datasets.report.charts import charts
from vcgen.datasets.report.page import page
from vcgen.datasets.report.record_view import (
    Filters,
    RecordView,
    RejectView,
    show_record,
    show_reject,
)
from vcgen.datasets.report.summary import (
    lead,
    limits,
    notes,
    provenance,
    sections,
    selection,
    tiles,
)
from vcgen.datasets.statistics import DatasetStatistics
from vcgen.pipeline.store.atomic_files import replacing_file
from vcgen.pipeline.store.layout import RECORDS, REJECTS
from vcgen.pipeline.store.manifest import Manifest
from vcgen.pipeline.store.read import StoredLine, read_outcomes, read_records

EXAMPLES = 3  # of each reason
_MOST_CHOICES = 40


@dataclass
class _FirstPass:
    """Results of reading a run for the first time.

    Attributes:
        records: how many the second pass goes through.
        with_clip: of them, whose clip is known.
        damaged: lines by file.
        examples: the first rejects of each reason.
    """

    clips: ClipIndex
    data: DatasetStatistics = field(default_factory=DatasetStatistics)
    records: int = 0
    with_clip: int = 0
    damaged: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[RejectView]] = field(default_factory=dict)

    def add(self, line: StoredLine) -> None:
        outcome = line.outcome
        if outcome is None:
            self.damaged[line.file] += 1
            return
        self.data.add(outcome)
        if isinstance(outcome, Record):
            self.records += 1
            self.with_clip += self.clips.find(outcome) is not None
            return
        examples = self.examples.setdefault(outcome.reason.value, [])
        if len(examples) < EXAMPLES:
            examples.append(show_reject(outcome))


def write_report(run: Path, output: Path, clips: ClipIndex, *, max_shown: int) -> int:
    """Write the page.

    Args:
        run: the directory; a run in progress is shown as far as it is.
        output: the file, which is replaced whole or not at all.
        clips: evidence of the records, where known.
        max_shown: if there are more records, an even sample of this size is shown.

    Returns:
        How many records are shown.

    Raises:
        UsageError: the run cannot be read, or the file cannot be written.
    """
    manifest, first = Manifest.read(run), _FirstPass(clips)
    for name in (RECORDS, REJECTS):
        for line in read_outcomes(run, name):
            first.add(line)
    data = first.data
    positions = list(evenly(first.records, max_shown))
    filters = Filters.of(list(data.tasks)[:_MOST_CHOICES], list(data.totals.flags)[:_MOST_CHOICES])
    content = {
        "name": with_visible(run.resolve().name),
        "simulated": manifest.simulated,
        "lead": lead(manifest, data),
        "sections": sections(charts(data, limits(manifest))),
        "tiles": tiles(data),
        "notes": notes(first.damaged, data.duplicates),
        "provenance": provenance(manifest),
        "rejects": _rejects(data.totals.rejects, first.examples),
        "shown": selection(first.records, len(positions), first.with_clip if len(clips) else None),
        "language": code_of(str(manifest.recipe.get("language", ""))).removeprefix("en"),
        "end": f"Made by vcgen {__version__}.",
    }
    with replacing_file(output) as file:
        for piece in page(filters, _views(run, positions, clips, filters), content):
            file.write(piece.encode("utf-8", "replace"))
    return len(positions)


def _views(
    run: Path, positions: Sequence[int], clips: ClipIndex, filters: Filters
) -> Iterator[RecordView]:
    remaining = iter(positions)
    wanted = next(remaining, None)
    for position, record in enumerate(read_records(run)):
        if wanted is None:
            return
        if position == wanted:
            yield show_record(record, clips.find(record), filters)
            wanted = next(remaining, None)


def _rejects(
    reasons: Mapping[str, int], examples: Mapping[str, list[RejectView]]
) -> list[dict[str, Any]]:
    ranked = sorted(reasons.items(), key=lambda item: -item[1])
    return [
        {"name": name.replace("_", " "), "count": f"{count:,}", "examples": examples[name]}
        for name, count in ranked
    ]


def evenly(total: int, most: int, seed: int = 0) -> Iterator[int]:
    """Yield `most` of `total` positions in order, a random one from each of equal parts."""
    if total <= most:
        yield from range(total)
        return
    draws = Random(seed)  # noqa: S311 - a repeatable sample, no secret
    for part in range(most):
        yield draws.randrange(part * total // most, (part + 1) * total // most)
