"""Figures and notes of a report are right for small and odd runs."""

import pytest

from tests.support.pages import record, reject
from vcgen.data.records import Outcome
from vcgen.datasets.report.summary import lead, limits, notes, provenance, selection, tiles
from vcgen.datasets.statistics import DatasetStatistics, DuplicateCounts
from vcgen.pipeline.store.manifest import GivenRates, Manifest


def data(*outcomes: Outcome) -> DatasetStatistics:
    made = DatasetStatistics()
    for outcome in outcomes:
        made.add(outcome)
    return made


def test_tiles_of_a_run() -> None:
    shown = {tile.name: (tile.value, tile.note) for tile in tiles(data(record("a"), reject("b")))}
    assert shown["Records"] == ("1", "of 2 samples")
    assert shown["Rejected"] == ("1", "50\u00a0% of samples")
    assert shown["Tokens"] == ("120", "100 in, 20 out")
    assert shown["Cost"] == ("$0.0010", "$1.00 a thousand records")
    assert shown["Time"] == ("0.0 s", "from the first outcome to the last")


def test_tiles_of_nothing() -> None:
    assert [tile.value for tile in tiles(data())] == ["0", "0", "0", "0", "0", "0", "$0.00"]


@pytest.mark.parametrize(
    ("given", "known"),
    [
        ([], {}),
        ([GivenRates(rpm=600)], {"requests": [600]}),
        ([GivenRates(900, 5), GivenRates(600, None)], {"requests": [600, 900]}),
        ([GivenRates(), GivenRates(rpm=5)], {}),
        ([GivenRates(rpm=10**99)], {}),
    ],
)
def test_limits_are_known_if_given_each_time(
    given: list[GivenRates], known: dict[str, list[int]]
) -> None:
    assert limits(Manifest(limits=tuple(given))) == known


def test_the_lead_names_model_and_days() -> None:
    later = record("b", meta={"time": "2026-01-03T00:00:00+00:00"})
    assert lead(Manifest(model="m"), data(record("a"))) == (
        "Instruction data by m, made on 2026-01-01."
    )
    assert "from 2026-01-01 to 2026-01-03" in lead(Manifest(), data(record("a"), later))
    assert lead(Manifest(), data()) == "Instruction data by an unknown model."


def test_provenance_lists_settings_as_text() -> None:
    manifest = Manifest(model="m", recipe={"turns": [3, 5], "temperature": None}, started="now")
    listed = provenance(manifest)
    assert (listed["model"], listed["started"]) == ("m", "now")
    assert (listed["turns"], listed["temperature"]) == ("3, 5", "by default")


@pytest.mark.parametrize(
    ("records", "shown", "with_clip", "text"),
    [
        (3, 3, None, "All 3. Give their clips"),
        (3, 2, 3, "2 of 3, drawn evenly"),
        (3, 3, 0, "None of them is about a clip"),
        (3, 3, 1, "No clip was given for 2"),
    ],
)
def test_the_selection_is_described(
    records: int, shown: int, with_clip: int | None, text: str
) -> None:
    assert text in selection(records, shown, with_clip)


def test_notes_name_damage_and_near_duplicates_not_looked_for() -> None:
    assert notes({}, DuplicateCounts(0, 0, 0)) == []
    damage, near = notes({"records-2.jsonl": 2}, DuplicateCounts(0, 0, None))
    assert damage == "records-2.jsonl: 2 damaged lines are in no figure here."
    assert "vcgen[dedup]" in near
