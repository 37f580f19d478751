"""Compose the texts of a report besides charts and records: figures, notes, provenance. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from vcgen.data.cleaning import with_visible
from vcgen.data.formatting import duration, money, percent, short
from vcgen.datasets.near_duplicates import NEAR_MISSING
from vcgen.datasets.report.charts import Chart
from vcgen.datasets.statistics import DatasetStatistics, DuplicateCounts
from vcgen.pipeline.store.manifest import Manifest

_SECTIONS = {
    "data": ("Questions and answers", ""),
    "quality": ("Quality", "Flags are findings worth a look that were no reason to reject."),
    "time": (
        "Time",
        "Requests and tokens of a sample count at the moment it ended, not when they were sent.",
    ),
}
_MOST_RATE = 10**15  # higher ones are not from vcgen


class Section(NamedTuple):
    """A part of the page; `name` is for links."""

    name: str
    title: str
    about: str
    charts: list[Chart]


class Tile(NamedTuple):
    """A figure, with a note below it."""

    name: str
    value: str
    note: str = ""


def sections(charts: Iterable[Chart]) -> list[Section]:
    """Group charts by section, leaving out empty sections."""
    grouped: dict[str, Section] = {}
    for chart in charts:
        section = grouped.setdefault(
            chart.section, Section(chart.section, *_SECTIONS[chart.section], [])
        )
        section.charts.append(chart)
    return list(grouped.values())


def tiles(data: DatasetStatistics) -> list[Tile]:
    """Compose the figures at the top of the page."""
    totals, usage, turns = data.totals, data.totals.usage, sum(data.kinds.values())
    records, samples = totals.records, totals.samples
    made = [
        Tile("Records", f"{records:,}", f"of {samples:,} samples"),
        Tile(
            "Rejected",
            f"{totals.rejected:,}",
            f"{percent(totals.rejected, samples)} of samples" if samples else "",
        ),
        Tile("Turns", f"{turns:,}", f"{turns / records:.1f} a record" if records else ""),
        _repeats(data.duplicates),
        Tile(
            "Tokens",
            short(usage.prompt_tokens + usage.completion_tokens),
            f"{short(usage.prompt_tokens)} in, {short(usage.completion_tokens)} out",
        ),
        Tile(
            "Requests",
            f"{data.requests:,}",
            f"{data.requests / samples:.1f} a sample" if samples else "",
        ),
        Tile("Cost", money(totals.cost), _cost_per_record(totals.cost, records)),
    ]
    if data.time:
        made.append(
            Tile("Time", duration(data.time.length_s), "from the first outcome to the last")
        )
    if judge := totals.judge:
        verdicts = ", ".join(f"{count:,} {name}" for name, count in judge.verdicts.items())
        note = f"{verdicts}; cost {money(judge.cost)}"
        made.append(Tile("Judge's verdicts", f"{sum(judge.verdicts.values()):,}", note))
    return made


def _repeats(duplicates: DuplicateCounts) -> Tile:
    exact, near = duplicates.exact_answers, duplicates.near_answers
    words = f"{exact:,} of them to the word" if near is not None else "to the word"
    note = f"{words}, {duplicates.records:,} whole records besides"
    return Tile("Repeated answers", f"{exact + (near or 0):,}", note)


def _cost_per_record(cost: float | None, records: int) -> str:
    return f"{money(1000 * cost / records)} a thousand records" if cost and records else ""


def limits(manifest: Manifest) -> dict[str, list[int]]:
    """Return the limits a minute, where they were given every time the run was begun."""
    given = {
        "requests": [rates.rpm for rates in manifest.limits],
        "tokens": [rates.tpm for rates in manifest.limits],
    }
    return {
        name: sorted({rate for rate in rates if rate is not None})
        for name, rates in given.items()
        if rates and all(rate is not None and rate < _MOST_RATE for rate in rates)
    }


def lead(manifest: Manifest, data: DatasetStatistics) -> str:
    """Describe the run in a sentence."""
    text = f"Instruction data by {with_visible(manifest.model or 'an unknown model')}"
    if time := data.time:
        first, last = time.first.date(), time.last.date()
        text += f", made on {first}" if first == last else f", made from {first} to {last}"
    return f"{text}."


def provenance(manifest: Manifest) -> dict[str, str]:
    """List the run's settings by name."""
    content = manifest.to_json()
    settings: dict[str, Any] = {
        name: content[name] for name in ("vcgen", "started") if name in content
    }
    settings |= {name: value for name, value in content["run"].items() if name != "recipe"}
    settings |= dict(manifest.recipe)
    return {with_visible(str(name)): with_visible(_text(value)) for name, value in settings.items()}


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {each}" for name, each in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "by default" if value is None else str(value)


def selection(records: int, shown: int, with_clip: int | None) -> str:
    """Describe which records are shown, and whether beside their evidence.

    Args:
        records: of the run.
        shown: of them.
        with_clip: records whose clips are known, None if no clips were given.
    """
    which = (
        f"All {records:,}"
        if shown == records
        else f"{shown:,} of {records:,}, drawn evenly from the whole run; the figures above are of "
        "all"
    )
    if with_clip is None:
        return f"{which}. Give their clips (--clips) to see the evidence beside them."
    if not with_clip and records:
        return f"{which}. None of them is about a clip that was given, by its id or its video."
    text = (
        f"{which}. Beside each is the evidence of its clip: bars are segments along the time of "
        "the video, lines are times that the text names."
    )
    if missing := records - with_clip:
        text += f" No clip was given for {missing:,} of the run's records."
    return text


def notes(damaged: Mapping[str, int], duplicates: DuplicateCounts) -> list[str]:
    """Name the gaps in the figures: damaged lines by file, near duplicates."""
    lines = [
        f"{name}: {count:,} damaged line{'s are' if count > 1 else ' is'} in no figure here."
        for name, count in damaged.items()
    ]
    if duplicates.near_answers is None:
        lines.append(f"{NEAR_MISSING[0].upper()}{NEAR_MISSING[1:]}")
    return lines
