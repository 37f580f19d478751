"""Vega-Lite in the few forms the charts of a report have: bars, histograms, hills, a line of time.

Pure: plain dicts out. Colours are `currentColor` and variables of the page's style sheet, so that
light and dark are its affair. Nothing stacks or rounds: that would take clip paths, whose ids are
not unique on a page of several pictures.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple
from unicodedata import east_asian_width

Spec = dict[str, Any]

WIDTH = 340  # of a whole picture: what a phone has room for
ROW = 24
HEIGHT = 150
ACCENT, QUIET, GRID = "var(--accent)", "var(--quiet)", "var(--line)"
_SIZE = 12
WHOLE = -0.5  # where a bin of whole numbers from 0 on begins, so that each is in its middle
_HILL = 0.6  # of the height of its row
_CHARACTER = 6.6  # about its width at that size


class Bar(NamedTuple):
    """A named count, and what is written beside it."""

    name: str
    size: float
    note: str


class Ridge(NamedTuple):
    """A histogram that stands in a row of several.

    Attributes:
        bins: counts, each `width` wide, from 0 on.
        middle: the median.
    """

    name: str
    width: float
    bins: Sequence[int]
    middle: float
    note: str


class StackedPart(NamedTuple):
    """A part of a row, from `start` to `end`, with what is written in it."""

    row: str
    start: float
    end: float
    label: str


def spec(layers: Sequence[Spec], height: Any) -> Spec:
    """A whole picture of these layers."""
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "width": WIDTH,
        "height": height,
        "autosize": {"type": "fit-x", "contains": "padding"},
        "padding": 2,
        "background": None,
        "layer": list(layers),
        "config": {
            "aria": False,
            "view": {"stroke": None},
            "text": {"fontSize": _SIZE, "color": "currentColor"},
            "axis": {
                "labelFontSize": _SIZE,
                "titleFontSize": _SIZE,
                "labelColor": "currentColor",
                "titleColor": "currentColor",
                "titleFontWeight": "normal",
                "domain": False,
                "ticks": False,
                "gridColor": GRID,
                "labelPadding": 6,
            },
        },
    }


def bars(rows: Sequence[Bar]) -> Spec:
    """Bars that lie, each with its note at its end."""
    values = [row._asdict() for row in rows]
    names = [row.name for row in rows]
    room = max(_room(row.note) for row in rows) + 8
    share = room / (WIDTH - _width(names) - room)
    most = max(row.size for row in rows) or 1
    y = _names("name", names)
    x = {
        "field": "size",
        "type": "quantitative",
        "axis": None,
        "scale": {"domain": [0, most * (1 + share)], "nice": False},
    }
    return spec(
        [
            {
                "data": {"values": values},
                "mark": {"type": "bar", "height": ROW - 8, "color": ACCENT},
                "encoding": {"y": y, "x": x},
            },
            {
                "data": {"values": values},
                "mark": {"type": "text", "align": "left", "dx": 6},
                "encoding": {"y": y, "x": x, "text": {"field": "note", "type": "nominal"}},
            },
        ],
        {"step": ROW},
    )


def pieces(rows: Sequence[StackedPart]) -> Spec:
    """Rows of parts beside each other, labelled where there is room."""
    most = max(each.end for each in rows) or 1
    names = [row.row for row in rows]
    per_unit = (WIDTH - _width(names)) / most
    labelled = [
        each._asdict()
        for each in rows
        if (each.end - each.start) * per_unit > _room(each.label) + 8
    ]
    y = _names("row", names)
    x = {
        "field": "start",
        "type": "quantitative",
        "axis": None,
        "scale": {"domain": [0, most], "nice": False},
    }
    return spec(
        [
            {
                "data": {"values": [each._asdict() for each in rows]},
                "mark": {"type": "bar", "height": ROW - 4, "color": ACCENT,
                         "stroke": "var(--card)", "strokeWidth": 1.5},
                "encoding": {"y": y, "x": x, "x2": {"field": "end"}},
            },
            {
                "data": {"values": labelled},
                "mark": {"type": "text", "align": "left", "dx": 5, "color": "var(--card)"},
                "encoding": {"y": y, "x": x, "text": {"field": "label", "type": "nominal"}},
            },
        ],
        {"step": ROW},
    )  # fmt: skip


def histogram(bins: Sequence[int], width: float, *, title: str, start: float = 0) -> Spec:
    """Bars that stand, of counts in bins of the same width from `start` on."""
    values = [
        {
            "start": start + place * width,
            "end": start + (place + 1) * width,
            "count": count,
        }
        for place, count in enumerate(bins)
    ]
    return spec(
        [
            {
                "data": {"values": values},
                "mark": {"type": "rect", "color": ACCENT, "stroke": "var(--card)",
                         "strokeWidth": 1},
                "encoding": {
                    "x": _along("start", title, [start, start + len(bins) * width]),
                    "x2": {"field": "end"},
                    "y": _up("count"),
                    "y2": {"datum": 0},
                },
            }
        ],
        HEIGHT,
    )  # fmt: skip


def hills(rows: Sequence[Ridge], *, title: str) -> Spec:
    """Histograms of whole numbers along one axis, each as high as the others, medians marked."""
    blocks: list[Spec] = []
    for place, row in enumerate(rows):
        top = max(row.bins) or 1
        blocks += [
            {"start": at * row.width + WHOLE, "end": (at + 1) * row.width + WHOLE, "low": -place,
             "high": _HILL * count / top - place}
            for at, count in enumerate(row.bins)
            if count
        ]  # fmt: skip
    most = max(row.width * len(row.bins) for row in rows) + WHOLE
    told = [
        {"middle": row.middle, "low": -place, "high": _HILL - place, "left": WHOLE, "right": most,
         "above": 0.78 - place, "name": row.name, "note": row.note}
        for place, row in enumerate(rows)
    ]  # fmt: skip
    x = _along("start", title, [WHOLE, most])
    y = {"field": "low", "type": "quantitative", "axis": None,
         "scale": {"domain": [1 - len(rows), 0.95], "nice": False}}  # fmt: skip
    return spec(
        [
            {
                "data": {"values": blocks},
                "mark": {"type": "rect", "color": ACCENT, "opacity": 0.75},
                "encoding": {"x": x, "x2": {"field": "end"}, "y": y, "y2": {"field": "high"}},
            },
            {
                "data": {"values": told},
                "mark": {"type": "rule", "color": "currentColor", "strokeWidth": 1.5},
                "encoding": {"x": {**x, "field": "middle"}, "y": y, "y2": {"field": "high"}},
            },
            *(
                {
                    "data": {"values": told},
                    "mark": {"type": "text", "align": side, **style},
                    "encoding": {
                        "x": {**x, "field": side},
                        "y": {**y, "field": "above"},
                        "text": {"field": text, "type": "nominal"},
                    },
                }
                for text, side, style in (
                    ("name", "left", {"fontWeight": 600}),
                    ("note", "right", {"color": QUIET}),
                )
            ),
        ],
        len(rows) * 56,
    )


def passage(
    rates: Sequence[float], width: float, *, title: str, limits: Sequence[float] = ()
) -> Spec:
    """Rates along a time axis, with rules where the limits are.

    Args:
        rates: one a bin.
        width: of a bin, in what `title` names.
        title: of the axis.
        limits: none where they are not known.
    """
    ends = len(rates) * width
    values = [{"start": place * width, "rate": rate} for place, rate in enumerate(rates)]
    values.append({"start": ends, "rate": rates[-1]})
    layers: list[Spec] = [
        {
            "data": {"values": values},
            "mark": {"type": "area", "interpolate": "step-after", "color": ACCENT},
            "encoding": {"x": _along("start", title, [0, ends]), "y": _up("rate")},
        }
    ]  # fmt: skip
    if limits:
        ruled = {"data": {"values": [{"limit": limit} for limit in limits]}}
        y = {"field": "limit", "type": "quantitative"}
        layers += [
            {**ruled, "mark": {"type": "rule", "color": "currentColor", "strokeDash": [4, 3]},
             "encoding": {"y": y}},
            {**ruled, "mark": {"type": "text", "align": "left", "dy": -7, "x": 4, "text": "limit"},
             "encoding": {"y": y}},
        ]  # fmt: skip
    return spec(layers, HEIGHT)


def _width(names: Sequence[str]) -> int:
    """Of a column of names."""
    return round(max(map(_room, names))) + 10


def _room(text: str) -> float:
    """About how wide a text is drawn, rather more than less."""
    return _CHARACTER * sum(
        1 if each.isascii() else 1.9 if east_asian_width(each) in "WF" else 1.3 for each in text
    )


def _names(field: str, names: Sequence[str]) -> Spec:
    """Rows in their order."""
    width = _width(names)
    axis = {"labelLimit": width, "minExtent": width, "maxExtent": width}
    return {"field": field, "type": "nominal", "sort": None, "title": None, "axis": axis}


def _along(field: str, title: str, domain: Sequence[float]) -> Spec:
    return {
        "field": field,
        "type": "quantitative",
        "title": title,
        "axis": {"grid": False, "tickCount": 6, "format": ",.6~g", "labelFlush": True},
        "scale": {"domain": list(domain), "nice": False},
    }


def _up(field: str) -> Spec:
    return {
        "field": field,
        "type": "quantitative",
        "title": None,
        "axis": {"tickCount": 3, "format": ".3~s"},
    }
