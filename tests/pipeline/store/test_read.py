"""Whoever reads a run directory gets the same outcomes and counts the same lines as damaged."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from tests.support.pages import make_run, record, reject
from vcgen.data.records import Record
from vcgen.errors import UsageError
from vcgen.pipeline.store.layout import RECORDS
from vcgen.pipeline.store.lines import encode_line
from vcgen.pipeline.store.manifest import Manifest
from vcgen.pipeline.store.read import (
    read_outcomes,
    read_records,
    read_rejects,
    read_rows,
    read_shuffled,
)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Three records, a reject, and a damaged line."""
    path = make_run(tmp_path / "run", [*map(record, "abc"), reject("d")])
    with (path / RECORDS).open("ab") as file:
        file.write(b'{"id":"damaged"}\n')
    return path


def append(run: Path, **fields: Any) -> None:
    """Add a row with a correct checksum."""
    row = {"id": "x", "video": "v", "clip_id": "c", "task": "t", "turns": []} | fields
    with (run / RECORDS).open("ab") as file:
        file.write(encode_line(row))


def test_records_and_rejects_are_read_in_order(run: Path) -> None:
    assert list(read_records(run)) == list(map(record, "abc"))
    assert list(read_rejects(run)) == [reject("d")]


def test_lines_keep_their_bytes_and_damage_has_no_outcome(run: Path) -> None:
    lines = list(read_outcomes(run, RECORDS))
    assert b"".join(line.raw + b"\n" for line in lines) == (run / RECORDS).read_bytes()
    assert [line.outcome for line in lines] == [*map(record, "abc"), None]


def test_damage_is_counted_the_same_by_all_readers(run: Path) -> None:
    in_order, shuffled = Counter[str](), Counter[str]()
    assert len(list(read_records(run, in_order))) == 3
    assert len(list(read_shuffled(run, 1, shuffled))) == 3
    assert in_order == shuffled == {RECORDS: 1}


@pytest.mark.parametrize("meta", [{"usage": 5}, {"judge": {}}, {"time": 5}, {"model": ["<b>"]}])
def test_unknown_metadata_is_damage_where_it_is_used(run: Path, meta: dict[str, Any]) -> None:
    append(run, meta=meta)
    assert [line.outcome for line in read_outcomes(run, RECORDS)][3:] == [None, None]
    assert len(list(read_records(run))) == 4


@pytest.mark.parametrize("fields", [{"turns": 5}, {"task": None}, {"meta": []}, {"flags": [[]]}])
def test_a_row_that_is_not_a_record_is_damage(run: Path, fields: dict[str, Any]) -> None:
    append(run, **fields)
    damaged = Counter[str]()
    assert len(list(read_records(run, damaged))) == 3
    assert damaged == {RECORDS: 2}


def test_shuffling_depends_on_the_seed_only(run: Path) -> None:
    for name in "defghij":
        append(run, id=name)

    def ids(seed: int) -> list[str]:
        return [each.id for each in read_shuffled(run, seed)]

    assert ids(1) == ids(1) != ids(2)
    assert sorted(ids(1)) == sorted(each.id for each in read_records(run))


def test_rows_are_those_of_undamaged_lines(run: Path) -> None:
    assert [TypeAdapter(Record).validate_python(row) for row in read_rows(run, RECORDS)] == list(
        map(record, "abc")
    )


def test_a_directory_without_a_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no readable run\.json"):
        Manifest.read(tmp_path)
