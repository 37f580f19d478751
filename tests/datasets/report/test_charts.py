"""Charts say in their titles what they show, and stay within their pictures."""

import re
from typing import Any

import pytest
from hypothesis import given, strategies as st

from tests.support.pages import record, reject
from vcgen.data.records import Outcome, Reason, Reject, Turn
from vcgen.datasets.report.charts import Chart, charts
from vcgen.datasets.statistics import DatasetStatistics


def made(*outcomes: Outcome, **limits: list[int]) -> dict[str, Chart]:
    """The charts of outcomes, by subject."""
    data = DatasetStatistics()
    for outcome in outcomes:
        data.add(outcome)
    return {chart.subject: chart for chart in charts(data, limits)}


def numbers(chart: Chart) -> list[float]:
    """All positions and sizes, in per cent."""
    shapes: list[Any] = [column for plot in chart.plots for column in plot.columns]
    texts = [part for shape in shapes for part in shape]
    texts += [tick.at for plot in chart.plots for tick in plot.y_ticks]
    texts += [limit for plot in chart.plots for limit in plot.limits]
    texts += [plot.median for plot in chart.plots if plot.median]
    texts += [tick.at for tick in chart.x_ticks]
    texts += [text for row in chart.bars for part in row.parts for text in (part.x, part.width)]
    return [float(text.removesuffix("%")) for text in texts]


def test_every_chart_is_there_and_within_its_picture() -> None:
    turns = tuple(Turn(kind, f"<{kind}> & why?", "word " * 9) for kind in ("causal", "temporal"))
    varied = record("a", turns=turns, flags=("order",), task="<b>")
    found = made(varied, record("b"), reject("c"), requests=[600])
    assert list(found) == [
        "Kinds",
        "First words",
        "Length of answers",
        "Length of questions",
        "Turns",
        "Outcomes",
        "Grounding",
        "Flags",
        "Records a minute",
        "Requests a minute",
        "Tokens a minute",
    ]
    for chart in found.values():
        assert bool(chart.bars) != bool(chart.plots)
        assert chart.plots == () or chart.x_ticks
        assert all(0 <= number <= 100 for number in numbers(chart)), chart
    [plot] = found["Requests a minute"].plots
    assert len(plot.limits) == 1
    assert "allowed were 600 a minute" in found["Requests a minute"].title


@given(
    st.lists(
        st.tuples(st.integers(1, 300), st.integers(1, 8), st.floats(0, 1), st.integers(0, 10**6)),
        min_size=1,
        max_size=8,
    ),
    st.integers(1, 10**9),
)
def test_any_records_stay_within_their_pictures(
    shapes: list[tuple[int, int, float, int]], limit: int
) -> None:
    outcomes = [
        record(
            f"clip-{at}",
            turns=(Turn("causal", "Why " * words, "So. " * words),) * turns,
            meta={
                "ground": ground,
                "time": f"2026-01-{1 + second // 86_400:02}T00:00:{second % 60:02}+00:00",
                "attempts": turns,
            },
        )
        for at, (words, turns, ground, second) in enumerate(shapes)
    ]
    for chart in made(*outcomes, requests=[limit]).values():
        assert all(-1e-6 <= number <= 100.01 for number in numbers(chart)), chart


def test_hidden_characters_in_names_are_named() -> None:
    flags = made(record("a", flags=("<b>\x00",)))["Flags"]
    assert flags.bars[0].name == "<b>⟨U+0000⟩"
    assert "<b>⟨U+0000⟩" in flags.title


def test_a_minute_has_no_more_than_was_done_in_it() -> None:
    meta = record("a").meta
    outcomes = [
        record(f"clip-{at}", meta={**meta, "time": f"2026-01-01T00:00:{2 * at:02}+00:00"})
        for at in range(30)
    ]
    title = made(*outcomes)["Records a minute"].title
    assert title == "31 records a minute on average, 1 in the fastest 0.5 seconds."


def test_every_reason_has_a_bar() -> None:
    rejects = [Reject(id=reason, reason=reason, message="no") for reason in Reason]
    names = [row.name for row in made(*rejects)["Outcomes"].bars]
    assert names[2:] == sorted(reason.replace("_", " ") for reason in Reason)


def test_a_small_count_is_still_a_bar() -> None:
    rejects = [reject(f"r{at}") for at in range(999)]
    rejects.append(Reject(id="x", reason=Reason.REFUSAL, message="no"))
    rows = {row.name: row for row in made(*rejects)["Outcomes"].bars}
    assert float(rows["refusal"].parts[0].width.removesuffix("%")) > 1
    assert rows["accepted at once"].parts[0].width == "0%"


@pytest.mark.parametrize(("kind", "share"), [("causal", "75"), ("temporal", "25")])
def test_bars_name_count_and_percentage(kind: str, share: str) -> None:
    outcomes = [
        record(name, turns=(Turn("causal" if name != "d" else "temporal", "Why?", "So."),))
        for name in "abcd"
    ]
    [row] = [row for row in made(*outcomes)["Kinds"].bars if row.name == kind]
    assert re.fullmatch(rf"[13] · {share}\u00a0%", row.note)


def test_second_words_divide_the_bar_of_the_first() -> None:
    turns = tuple(
        Turn("causal", question, "So.") for question in ("What is it?", "What is he?", "What does?")
    )
    [row] = made(record("a", turns=turns))["First words"].bars
    assert (row.name, row.note) == ("what", "3")
    assert [(part.label, part.width) for part in row.parts] == [
        ("is", "66.67%"),
        ("does", "33.33%"),
    ]
