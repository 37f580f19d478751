"""The page names the hashes of its own style and script, and filters by either."""

from collections.abc import Iterator

from tests.support.pages import record
from vcgen.data.records import Record
from vcgen.datasets.report.page import page
from vcgen.datasets.report.record_view import Filters, RecordView, show_record

CONTENT = {
    "name": "<b>run</b>",
    "simulated": False,
    "lead": "",
    "sections": [],
    "tiles": [],
    "notes": [],
    "provenance": {},
    "rejects": [],
    "shown": "",
    "language": "",
    "end": "",
}


def rendered(*records: Record, filters: Filters) -> str:
    views = (show_record(each, None, filters) for each in records)
    return "".join(page(filters, views, CONTENT))


def test_values_are_escaped() -> None:
    text = rendered(record("a", "<i>"), filters=Filters.of([], []))
    assert "&lt;b&gt;run&lt;/b&gt;" in text
    assert "<i>" not in text


def test_filters_hide_other_records_without_scripts() -> None:
    filters = Filters.of(["description"], ["order"])
    text = rendered(record("a", flags=("order",)), filters=filters)
    assert '<article class="r t0 k0 f0">' in text
    for name in ("t0", "k0", "f0"):
        assert f"option[value={name}]:checked) ~ #list > :not(.{name})" in text


def test_a_filter_without_choices_is_not_there() -> None:
    text = rendered(record("a"), filters=Filters.of(["description"], []))
    assert 'id="by-task"' in text
    assert 'id="by-flag"' not in text


def test_records_are_taken_as_the_page_is_written() -> None:
    filters, taken = Filters.of([], []), list[str]()

    def views() -> Iterator[RecordView]:
        for name in "abc":
            taken.append(name)
            yield show_record(record(name), None, filters)

    pieces = page(filters, views(), CONTENT)
    while not taken:
        next(pieces)
    assert taken == ["a"]
