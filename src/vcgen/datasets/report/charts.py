"""The charts of a report, from the summary of a survey. Pure.

The title of each says in a sentence what is to be seen, so that whoever does not see it knows it.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from vcgen.data.cleaning import with_visible
from vcgen.data.records import KINDS
from vcgen.datasets.histograms import SHARES
from vcgen.datasets.report.vega import (
    WHOLE,
    Bar,
    Ridge,
    Spec,
    StackedPart,
    bars,
    hills,
    histogram,
    passage,
    pieces,
)

MOST_BARS = 20  # more than there are reasons
SPACE = "\u00a0"  # that no line breaks at
_WIDE, _NARROW = 24, 12  # characters of a name
_UNITS = ((86_400, "days"), (3_600, "hours"), (60, "minutes"))
_LONG = 3  # of a unit, or the smaller one is used


class Chart(NamedTuple):
    """A picture to be drawn.

    Attributes:
        section: of the page.
        subject: what it is about, in a word or two.
        title: what is to be seen.
    """

    section: str
    subject: str
    title: str
    spec: Spec


def charts(found: Mapping[str, Any], limits: Mapping[str, Sequence[int]]) -> list[Chart]:
    """All that there is something to show of.

    Args:
        found: the summary of a `vcgen.survey.Survey`.
        limits: what was allowed a minute, of `requests` and `tokens`, as far as that is known.
    """
    made = []
    if found["records"]:
        made += [*_questions(found), *_lengths(found["words"]), *_turns(found["turns"])]
    if _ended(found):
        made += [_outcomes(found), *_quality(found)]
    if found["time"]:
        made += _passages(found["time"], limits)
    return made


def count(number: float) -> str:
    """A number for people."""
    return f"{number:,.0f}"


def share(part: float, whole: float) -> str:
    """Per cent, with a digit where it is near none or all; only none is 0, and only all is 100."""
    percent = 100 * part / whole
    if 0 < percent < 10 or 99 < percent < 100:
        return f"{min(max(percent, 0.1), 99.9):.1f}{SPACE}%"
    return f"{percent:.0f}{SPACE}%"


def _ended(found: Mapping[str, Any]) -> int:
    return sum([found["records"], *found["rejects"].values()])


def _outcomes(found: Mapping[str, Any]) -> Chart:
    ended, records, repaired = _ended(found), found["records"], found["repaired"]
    reasons = sorted(found["rejects"].items(), key=lambda item: -item[1])
    rows = {
        "accepted at once": records - repaired,
        "accepted, repaired": repaired,
        **{reason.replace("_", " "): number for reason, number in reasons},
    }
    return Chart(
        "quality",
        "Outcomes",
        f"{share(records, ended)} of {count(ended)} samples were accepted, "
        f"{share(repaired, ended)} after a repair.",
        bars(_bars(rows, ended)),
    )


def _bars(rows: Mapping[str, int], whole: float) -> list[Bar]:
    return [
        Bar(_name(name, _WIDE), number, f"{count(number)} · {share(number, whole)}")
        for name, number in list(rows.items())[:MOST_BARS]
    ]


def _name(text: str, most: int) -> str:
    shown = with_visible(" ".join(text.split())) or "(none)"
    return shown if len(shown) <= most else f"{shown[: most - 1]}…"


def _questions(found: Mapping[str, Any]) -> list[Chart]:
    kinds, firsts = found["kinds"], found["first_words"]
    made = []
    if asked := sum(kinds.values()):
        most = max(kinds, key=kinds.__getitem__)
        title = f"Of {count(asked)} turns, {share(kinds[most], asked)} are of the kind {most}."
        made.append(Chart("data", "Kinds", title, bars(_bars(kinds, asked))))
        first = firsts[0]
        title = (
            f"“{_name(first['word'], _NARROW)}” begins {share(first['count'], asked)} of "
            "questions; beside each first word are the second ones."
        )
        made.append(Chart("data", "First words", title, pieces(_pieces(firsts))))
    return made


def _turns(turns: Mapping[str, Any]) -> list[Chart]:
    if turns["most"] < 2:
        return []
    title = f"A record has {turns['mean']:.1f} turns on average, {turns['most']} at most."
    spec = histogram(turns["bins"], turns["width"], title="turns a record", start=WHOLE)
    return [Chart("data", "Turns", title, spec)]


def _pieces(firsts: Sequence[Mapping[str, Any]]) -> list[StackedPart]:
    rows = []
    for first in firsts:
        name = f"{_name(first['word'], _NARROW)}  {count(first['count'])}"
        at = 0
        for second in first["next"]:
            label = _name(second["word"], _NARROW)
            rows.append(StackedPart(name, at, at + second["count"], label))
            at += second["count"]
        if at < first["count"]:
            rows.append(StackedPart(name, at, first["count"], "…"))
    return rows


def _lengths(words: Mapping[str, Any]) -> list[Chart]:
    made = []
    for side, subject, one in (
        ("answers", "Length of answers", "an answer"),
        ("questions", "Length of questions", "a question"),
    ):
        known = words[side]
        if not known:
            continue
        low, middle, high = known["all"]["percentiles"].values()
        title = f"Half of the {side} have up to {middle} words; nine in ten have {low} to {high}."
        rows = [_hill(kind, known[kind]) for kind in KINDS if kind in known]
        made.append(Chart("data", subject, title, hills(rows, title=f"words of {one}")))
    return made


def _hill(kind: str, lengths: Mapping[str, Any]) -> Ridge:
    low, middle, high = lengths["percentiles"].values()
    note = f"median {middle}, nine in ten {low} to {high}"
    return Ridge(kind, lengths["width"], lengths["bins"], middle, note)


def _quality(found: Mapping[str, Any]) -> list[Chart]:
    ground, flags, records = found["ground"], found["flags"], found["records"]
    made = []
    if ground["count"]:
        title = (
            f"Of the words of an average record's answers, {share(ground['mean'], 1)} are in the "
            "evidence."
        )
        spec = histogram(ground["bins"], 1 / SHARES, title="share of words in the evidence")
        made.append(Chart("quality", "Grounding", title, spec))
    if flags:
        most = max(flags, key=flags.__getitem__)
        which = f"most frequent of {count(len(flags))} flags" if len(flags) > 1 else "only flag"
        title = f"The {which} is {_name(most, _WIDE)}, at {share(flags[most], records)} of records."
        ranked = dict(sorted(flags.items(), key=lambda item: -item[1]))
        made.append(Chart("quality", "Flags", title, bars(_bars(ranked, records))))
    return made


def _passages(time: Mapping[str, Any], limits: Mapping[str, Sequence[int]]) -> list[Chart]:
    width_s = time["width_s"]
    length_s = width_s * len(time["records"])
    unit_s, unit = next(
        ((each, name) for each, name in _UNITS if length_s > _LONG * each), (1, "seconds")
    )
    made = []
    for name in ("records", "requests", "tokens"):
        rates = [number * 60 / width_s for number in time[name]]
        known = limits.get(name, ())
        mean = sum(rates) / len(rates)
        title = f"{count(mean) if mean >= 10 else f'{mean:.2g}'} {name} a minute on average, "
        title += f"{count(max(time[name]))} in the fastest {_lasting(width_s)}"
        if known:
            title += f"; allowed were {' or '.join(map(count, known))} a minute"
        spec = passage(rates, width_s / unit_s, title=f"{unit} from the start", limits=known)
        made.append(Chart("time", f"{name.capitalize()} a minute", f"{title}.", spec))
    return made


def _lasting(seconds: float) -> str:
    unit_s, unit = next(
        ((each, name) for each, name in _UNITS if seconds > _LONG * each), (1, "seconds")
    )
    return unit.removesuffix("s") if seconds == unit_s else f"{seconds / unit_s:.3g} {unit}"
