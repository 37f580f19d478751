"""What a report says besides charts and records: figures, notes, how it was made. Pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from vcgen.data.cleaning import with_visible
from vcgen.datasets.report.charts import SPACE, Chart, count, share

_SECTIONS = {
    "data": ("Questions and answers", ""),
    "quality": (
        "Quality",
        "Flags are findings worth a look that were no reason to reject.",
    ),
    "time": (
        "Time",
        "What a sample took is counted at the moment it ended; at the endpoint it was spread.",
    ),
}

_RATES = {"requests": "rpm", "tokens": "tpm"}
_MOST_RATE = 10**15  # above that somebody has edited the manifest


class Picture(NamedTuple):
    """A chart that is drawn, as SVG."""

    subject: str
    title: str
    picture: str


class Section(NamedTuple):
    """A part of the page; `name` is for links."""

    name: str
    title: str
    about: str
    charts: list[Picture]


class Tile(NamedTuple):
    """A figure that counts, and what else is to be said of it."""

    name: str
    value: str
    note: str = ""


def sections(drawn: Iterable[tuple[Chart, str]]) -> list[Section]:
    """The charts where they belong; sections without any are not there."""
    found: dict[str, Section] = {}
    for chart, picture in drawn:
        title, about = _SECTIONS[chart.section]
        section = found.setdefault(chart.section, Section(chart.section, title, about, []))
        section.charts.append(Picture(chart.subject, chart.title, picture))
    return list(found.values())


def tiles(found: Mapping[str, Any]) -> list[Tile]:
    """The figures of a survey's summary."""
    usage, cost, time, repeats = (found[name] for name in ("usage", "cost", "time", "duplicates"))
    rejected = sum(found["rejects"].values())
    ended = found["records"] + rejected
    records, turns = found["records"], sum(found["kinds"].values())
    made = [
        Tile("Records", count(records), f"of {count(ended)} samples"),
        Tile("Rejected", count(rejected), f"{share(rejected, ended)} of samples" if ended else ""),
        Tile("Turns", count(turns), f"{turns / records:.1f} a record" if records else ""),
        Tile(
            "Repeated answers",
            count(repeats["same_answers"] + repeats["near_answers"]),
            f"{count(repeats['same_answers'])} of them to the word, "
            f"{count(repeats['records'])} whole records besides",
        ),
        Tile(
            "Tokens",
            _short(usage["prompt_tokens"] + usage["completion_tokens"]),
            f"{_short(usage['prompt_tokens'])} in, {_short(usage['completion_tokens'])} out",
        ),
        Tile(
            "Requests",
            count(found["requests"]),
            f"{found['requests'] / ended:.1f} a sample" if ended else "",
        ),
        Tile("Cost", _dollars(cost), _each(cost, records)),
    ]
    if time:
        made.append(Tile("Time", _duration(time), "from the first outcome to the last"))
    if judge := found.get("judge"):
        verdicts = ", ".join(f"{count(each)} {name}" for name, each in judge["verdicts"].items())
        told = f"{verdicts}; cost {_dollars(judge['cost'])}"
        made.append(Tile("Judge's verdicts", count(sum(judge["verdicts"].values())), told))
    return made


def _dollars(cost: float | None) -> str:
    if cost is None:
        return "unknown"
    return f"${cost:,.4f}" if 0 < cost < 1 else f"${cost:,.2f}"


def _each(cost: float | None, records: int) -> str:
    return f"${1000 * cost / records:,.2f} a thousand records" if cost and records else ""


def _short(number: int) -> str:
    for size, letter in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if number >= size:
            # What would be rounded to 1000 thousands is said in full.
            short = f"{number / size:.3g}{SPACE}{letter}"
            return short if number < 999.5 * size else count(number)
    return str(number)


def _duration(time: Mapping[str, Any]) -> str:
    whole = datetime.fromisoformat(time["last"]) - datetime.fromisoformat(time["first"])
    seconds = whole.total_seconds()
    if seconds < 120:
        return f"{seconds:.1f}{SPACE}s"
    hours, minutes = divmod(round(seconds / 60), 60)
    told = f"{minutes}{SPACE}min"
    return f"{hours:,}{SPACE}h {told}" if hours else told


def limits(manifest: Mapping[str, Any]) -> dict[str, list[int]]:
    """What a run was allowed a minute, where that was given every time it was begun."""
    begun = manifest.get("limits")
    begun = begun if isinstance(begun, list) else []
    given = {name: [_rate(each, rate) for each in begun] for name, rate in _RATES.items()}
    return {
        name: sorted(set(known))
        for name, rates in given.items()
        if (known := [rate for rate in rates if rate]) and len(known) == len(rates)
    }


def _rate(begun: object, name: str) -> int | None:
    rate = begun.get(name) if isinstance(begun, dict) else None
    return rate if isinstance(rate, int) and 0 < rate < _MOST_RATE else None


def lead(manifest: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    """What the run is, in a sentence."""
    model = with_visible(str(manifest["run"].get("model", "an unknown model")))
    told = f"Instruction data by {model}"
    if time := found["time"]:
        first, last = time["first"][:10], time["last"][:10]
        told += f", made on {first}" if first == last else f", made from {first} to {last}"
    return f"{told}."


def made(manifest: Mapping[str, Any]) -> dict[str, str]:
    """How it was made, line by line."""
    told = {name: manifest[name] for name in ("vcgen", "started") if name in manifest}
    told |= {name: value for name, value in manifest["run"].items() if name != "recipe"}
    recipe = manifest["run"].get("recipe")
    told |= recipe if isinstance(recipe, dict) else {}
    return {with_visible(str(name)): with_visible(_written(value)) for name, value in told.items()}


def _written(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {each}" for name, each in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "by default" if value is None else str(value)


def shown(records: int, drawn: int, with_clip: int | None) -> str:
    """Which records are there, and whether beside their evidence.

    Args:
        records: of the run.
        drawn: that are shown.
        with_clip: of the run, whose clips are known; None if no clips were given.
    """
    which = (
        f"All {count(records)}"
        if drawn == records
        else f"{count(drawn)} of {count(records)}, drawn evenly from the whole run; the figures "
        "above are of all"
    )
    if with_clip is None:
        return f"{which}. Without their clips (--clips) there is no evidence to show beside them."
    if not with_clip and records:
        return f"{which}. None of them is about a clip that was given, by its id or its video."
    told = (
        f"{which}. Beside each is the evidence of its clip: bars are segments along the time of "
        "the video, lines are times that the text names."
    )
    if lacking := records - with_clip:
        told += f" No clip was given for {count(lacking)} of the run's records."
    return told


def notes(damaged: Mapping[str, int]) -> list[str]:
    """What could not be read, by file."""
    return [
        f"{name}: {count(lines)} damaged line{'s are' if lines > 1 else ' is'} in no figure here."
        for name, lines in damaged.items()
        if lines
    ]
