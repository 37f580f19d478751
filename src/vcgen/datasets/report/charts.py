"""Lay out the charts of a report: bars of named counts, and columns along an axis.

Pure: positions are percentages of a picture that the page's template draws as SVG shapes, so that
charts fit any screen. The title of each chart sums it up in a sentence.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import ceil, floor, log10
from typing import NamedTuple

from vcgen.data.cleaning import with_visible
from vcgen.data.formatting import percent, short
from vcgen.data.records import KINDS
from vcgen.datasets.histograms import FRACTION_BINS, Histogram, Timeline
from vcgen.datasets.statistics import DatasetStatistics, WordCounts

MOST_BARS = 24  # more than there are reasons
_LONG_NAME, _SHORT_NAME = 24, 12  # characters
_LEAST_WIDTH = 0.015  # of a bar that is not 0
_BAR_CHARACTERS = 34  # that fit into the width of all bars
_WHOLE = -0.5  # start of the first bin, so that whole numbers are in the middle of theirs
_UNITS = ((86_400, "days"), (3_600, "hours"), (60, "minutes"))
_LONG = 3  # of a unit; for less, the smaller unit is used


class BarPart(NamedTuple):
    """A part of a bar, with a label if there is room."""

    x: str
    width: str
    label: str = ""


class BarRow(NamedTuple):
    """A named bar of one or more parts, and a note beside it."""

    name: str
    note: str
    parts: list[BarPart]


class Tick(NamedTuple):
    """A labelled position on an axis."""

    at: str
    label: str


class Column(NamedTuple):
    """A column that stands on the axis."""

    x: str
    y: str
    width: str
    height: str


class Plot(NamedTuple):
    """Columns along the chart's axis.

    Attributes:
        y_ticks: empty for a plot without a scale.
        limits: heights of dashed lines.
        median: its x, empty if it is not marked.
    """

    columns: list[Column]
    y_ticks: Sequence[Tick] = ()
    limits: Sequence[str] = ()
    name: str = ""
    note: str = ""
    median: str = ""


class Chart(NamedTuple):
    """A chart, of bars or of plots above a shared axis.

    Attributes:
        section: of the page.
        subject: in a word or two.
    """

    section: str
    subject: str
    title: str
    bars: Sequence[BarRow] = ()
    plots: Sequence[Plot] = ()
    x_ticks: Sequence[Tick] = ()
    x_title: str = ""


def charts(data: DatasetStatistics, limits: Mapping[str, Sequence[int]]) -> list[Chart]:
    """Lay out all charts for which there is data.

    Args:
        data: of the run.
        limits: `requests` and `tokens` allowed a minute, where known.
    """
    made: list[Chart] = []
    if data.totals.records:
        made += [*_kinds(data), *_first_words(data)]
        made += _lengths("answers", "an answer", data.answers)
        made += _lengths("questions", "a question", data.questions)
        made += _turns(data.turns)
    if data.totals.samples:
        made += [_outcomes(data), *_grounding(data), *_flags(data)]
    if data.time:
        made += _rates(data.time, limits)
    return made


def _kinds(data: DatasetStatistics) -> Iterator[Chart]:
    if turns := sum(data.kinds.values()):
        most = max(data.kinds, key=data.kinds.__getitem__)
        title = f"Of {turns:,} turns, {percent(data.kinds[most], turns)} are of the kind {most}."
        yield Chart("data", "Kinds", title, bars=_bars(data.kinds.items(), turns))


def _first_words(data: DatasetStatistics) -> Iterator[Chart]:
    first_words = data.first_words
    if not first_words:
        return
    most = max(first.count for first in first_words)
    rows = []
    for first in first_words:
        rest = first.count - sum(first.next.values())
        parts, start = [], 0
        for word, count in [*first.next.items(), *([("…", rest)] if rest else [])]:
            label = _name(word, _SHORT_NAME)
            room = _BAR_CHARACTERS * count / most
            parts.append(
                BarPart(
                    _position(start / most),
                    _position(count / most),
                    label if _width(label) + 1 < room else "",
                )
            )
            start += count
        rows.append(BarRow(_name(first.word, _SHORT_NAME), f"{first.count:,}", parts))
    title = (
        f"“{_name(first_words[0].word, _SHORT_NAME)}” begins "
        f"{percent(first_words[0].count, sum(data.kinds.values()))} of questions; bars are divided "
        "by the second word."
    )
    yield Chart("data", "First words", title, bars=rows)


def _lengths(side: str, one: str, words: WordCounts) -> Iterator[Chart]:
    if not words.all:
        return
    low, median, high = words.all.percentiles
    title = f"Half of the {side} have up to {median} words; nine in ten have {low} to {high}."
    by_kind = {kind: words.by_kind[kind] for kind in KINDS if kind in words.by_kind}
    end = max(each.width * len(each.bins) for each in by_kind.values()) + _WHOLE
    plots = [
        Plot(
            _columns(each.bins, each.width, end),
            name=kind,
            note="median {1}, nine in ten {0} to {2}".format(*each.percentiles),
            median=_position((each.percentiles.median - _WHOLE) / (end - _WHOLE)),
        )
        for kind, each in by_kind.items()
    ]
    ticks = _ticks(_WHOLE, end, least_step=1)
    yield Chart(
        "data", f"Length of {side}", title, plots=plots, x_ticks=ticks, x_title=f"words of {one}"
    )


def _turns(turns: Histogram) -> Iterator[Chart]:
    if not turns or turns.most < 2:
        return
    title = f"A record has {turns.mean:.1f} turns on average, {turns.most} at most."
    end = turns.width * len(turns.bins) + _WHOLE
    plot = Plot(_columns(turns.bins, turns.width, end), _counts(turns.bins))
    ticks = _ticks(_WHOLE, end, least_step=1)
    yield Chart("data", "Turns", title, plots=[plot], x_ticks=ticks, x_title="turns a record")


def _outcomes(data: DatasetStatistics) -> Chart:
    totals, repaired = data.totals, data.repaired
    rows = {
        "accepted at once": totals.records - repaired,
        "accepted, repaired": repaired,
        **{reason.replace("_", " "): count for reason, count in _ranked(totals.rejects)},
    }
    title = (
        f"{percent(totals.records, totals.samples)} of {totals.samples:,} samples were accepted, "
        f"{percent(repaired, totals.samples)} after a repair."
    )
    return Chart("quality", "Outcomes", title, bars=_bars(rows.items(), totals.samples))


def _grounding(data: DatasetStatistics) -> Iterator[Chart]:
    ground = data.ground
    if ground.mean is None:
        return
    title = (
        f"Of the words of an average record's answers, {percent(ground.mean, 1)} are in the "
        "evidence."
    )
    plot = Plot(_columns(ground.bins, 1 / FRACTION_BINS, 1, start=0), _counts(ground.bins))
    yield Chart(
        "quality",
        "Grounding",
        title,
        plots=[plot],
        x_ticks=_ticks(0, 1),
        x_title="fraction of words in the evidence",
    )


def _flags(data: DatasetStatistics) -> Iterator[Chart]:
    if flags := _ranked(data.totals.flags):
        records, (name, count) = data.totals.records, flags[0]
        which = f"most frequent of {len(flags):,} flags" if len(flags) > 1 else "only flag"
        title = (
            f"The {which} is {_name(name, _LONG_NAME)}, at {percent(count, records)} of records."
        )
        yield Chart("quality", "Flags", title, bars=_bars(flags, records))


def _rates(time: Timeline, limits: Mapping[str, Sequence[int]]) -> Iterator[Chart]:
    length_s = time.width_s * len(time.bins)
    unit_s, unit = _unit(length_s)
    for name in ("records", "requests", "tokens"):
        amounts = [getattr(activity, name) for activity in time.bins]
        rates = [amount * 60 / time.width_s for amount in amounts]
        known = limits.get(name, ())
        mean = sum(rates) / len(rates)
        title = (
            f"{f'{mean:,.0f}' if mean >= 10 else f'{mean:.2g}'} {name} a minute on average, "
            f"{max(amounts):,} in the fastest {_interval(time.width_s)}"
        )
        if known:
            title += f"; allowed were {' or '.join(f'{limit:,}' for limit in known)} a minute"
        top = max(*rates, *known, 0) or 1
        plot = Plot(
            _columns(rates, 1, len(rates), start=0, top=top),
            _y_ticks(top),
            [_position(1 - limit / top) for limit in known],
        )
        yield Chart(
            "time",
            f"{name.capitalize()} a minute",
            f"{title}.",
            plots=[plot],
            x_ticks=_ticks(0, length_s / unit_s),
            x_title=f"{unit} from the start",
        )


def _bars(rows: Iterable[tuple[str, int]], whole: float) -> list[BarRow]:
    shown = list(rows)[:MOST_BARS]
    most = max(count for _, count in shown) or 1
    return [
        BarRow(
            _name(name, _LONG_NAME),
            f"{count:,} · {percent(count, whole)}",
            [BarPart("0%", _position(max(count / most, _LEAST_WIDTH) if count else 0))],
        )
        for name, count in shown
    ]


def _columns(
    bins: Sequence[float], width: float, end: float, *, start: float = _WHOLE, top: float = 0
) -> list[Column]:
    """Lay out bins from `start` on an axis that ends at `end`, the tallest as high as `top`."""
    top = top or max(bins) or 1
    return [
        Column(
            _position(at * width / (end - start)),
            _position(1 - value / top),
            _position(width / (end - start)),
            _position(value / top),
        )
        for at, value in enumerate(bins)
        if value
    ]


def _counts(bins: Sequence[int]) -> list[Tick]:
    return _y_ticks(max(bins), least_step=1)


def _y_ticks(top: float, *, least_step: float = 0) -> list[Tick]:
    values = _round_values(0, top, 5, least_step)
    return [Tick(_position(1 - value / top), short(value)) for value in values]


def _ticks(start: float, end: float, *, least_step: float = 0) -> list[Tick]:
    values = _round_values(start, end, 8, least_step)
    return [Tick(_position((value - start) / (end - start)), f"{value:,.6g}") for value in values]


def _round_values(start: float, end: float, most: int, least_step: float) -> list[float]:
    """Choose multiples of 1, 2 or 5 times a power of ten."""
    rough = max((end - start) / most, least_step)
    power = 10.0 ** floor(log10(rough))
    step = next(step for step in (power, 2 * power, 5 * power, 10 * power) if step >= rough)
    return [step * at for at in range(ceil(start / step), floor(end / step) + 1)]


def _position(fraction: float) -> str:
    return f"{100 * fraction:.4g}%"


def _ranked(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: -item[1])


def _name(text: str, most: int) -> str:
    shown = with_visible(" ".join(text.split())) or "(none)"
    return shown if len(shown) <= most else f"{shown[: most - 1]}…"


def _width(text: str) -> int:
    """About how many Latin characters are as wide, rather more than fewer."""
    return sum(1 if character.isascii() else 2 for character in text)


def _unit(seconds: float) -> tuple[int, str]:
    units = ((unit_s, name) for unit_s, name in _UNITS if seconds > _LONG * unit_s)
    return next(units, (1, "seconds"))


def _interval(seconds: float) -> str:
    unit_s, unit = _unit(seconds)
    return unit.removesuffix("s") if seconds == unit_s else f"{seconds / unit_s:.3g} {unit}"
