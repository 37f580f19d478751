"""Parquet files and data sets, read by pyarrow, datasets and the client of the hub."""

import json
import sys
from collections.abc import Sequence
from math import ceil
from pathlib import Path

import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest

from tests.support.exports import assert_same
from tests.support.trainers import JSON_FORMATS, READERS
from vcgen.data.records import Record, Turn
from vcgen.datasets.export import Split, export_records, parquet
from vcgen.errors import UsageError


def test_pyarrow_reads_a_table(tmp_path: Path, records: Sequence[Record]) -> None:
    export_records(records, "parquet", tmp_path / "out.parquet")
    table = pq.read_table(tmp_path / "out.parquet")
    assert {field.name: str(field.type) for field in table.schema} == {
        "id": "string",
        "video": "string",
        "clip_id": "string",
        "task": "string",
        "messages": "list<element: struct<role: string, content: string>>",
        "kinds": "list<element: string>",
        "flags": "list<element: string>",
        "ground": "double",
        "model": "string",
        "simulated": "bool",
        "meta": "string",
    }
    for row, record in zip(table.to_pylist(), records, strict=True):
        assert_same(row, record)


def test_groups_of_rows_are_bounded(tmp_path: Path) -> None:
    turns = (Turn("causal", "Why?", "x" * (9 << 20)),)
    large = [Record(id=f"{at}", video="", clip_id="", task="", turns=turns) for at in range(9)]
    export_records(large, "parquet", tmp_path / "large.parquet")
    assert pq.ParquetFile(tmp_path / "large.parquet").num_row_groups == 3
    turns = (Turn("causal", "Why?", "So."),)
    small = [Record(id=f"{at}", video="", clip_id="", task="", turns=turns) for at in range(10_000)]
    export_records(small, "parquet", tmp_path / "small.parquet")
    assert pq.ParquetFile(tmp_path / "small.parquet").num_row_groups == 2


def test_a_large_data_set_is_several_files(
    tmp_path: Path, records: Sequence[Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    import datasets  # type: ignore[import-untyped] # noqa: PLC0415 - a second to import

    monkeypatch.setattr(parquet, "_GROUP_ROWS", 50)
    monkeypatch.setattr(parquet, "_FILE_BYTES", 100)  # less than any group takes
    export_records(records, "datasets", tmp_path / "out")
    names = sorted(path.name for path in (tmp_path / "out/data").iterdir())
    assert len(names) == ceil(len(records) / 50)
    assert names == [f"train-{at:05}-of-{len(names):05}.parquet" for at in range(len(names))]
    loaded = datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    assert [row["id"] for row in loaded["train"]] == [record.id for record in records]


@pytest.mark.parametrize("split", [Split(), Split((0.9, 0.1)), Split((0.8, 0.1, 0.1))])
def test_datasets_loads_a_directory(
    tmp_path: Path, records: Sequence[Record], split: Split
) -> None:
    import datasets  # noqa: PLC0415 - a second to import

    done = export_records(records, "datasets", tmp_path / "out", split=split)
    loaded = datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    assert list(loaded) == list(split.sides)
    assert [len(side) for side in loaded.values()] == list(done.written.values())
    by_id = {record.id: record for record in records}
    rows = [row for side in loaded.values() for row in side]
    assert len(rows) == len(records)
    for row in rows:
        assert_same(row, by_id[row["id"]])


@pytest.mark.parametrize("name", JSON_FORMATS)
def test_datasets_loads_json_lines_with_one_type_a_column(
    tmp_path: Path, records: Sequence[Record], name: str
) -> None:
    import datasets  # noqa: PLC0415 - a second to import

    # LLaMA-Factory and ms-swift read their files this way.
    done = export_records(records, name, tmp_path / "out.jsonl")
    loaded = datasets.load_dataset(
        "json",
        data_files=str(tmp_path / "out.jsonl"),
        split="train",
        cache_dir=str(tmp_path / "cache"),
    )
    assert len(loaded) == done.records
    if name != "messages":  # whose parts have the keys of the others too, then
        lines = (tmp_path / "out.jsonl").read_bytes().splitlines()
        assert [READERS[name](row) for row in loaded] == [
            READERS[name](json.loads(line)) for line in lines
        ]


def test_the_hub_takes_a_directory_as_it_is(tmp_path: Path, records: Sequence[Record]) -> None:
    from huggingface_hub import CommitOperationAdd  # noqa: PLC0415 - half a second to import

    output = tmp_path / "out"
    export_records(records, "datasets", output, split=Split((0.9, 0.1)))
    files = {path.relative_to(output).as_posix(): path for path in output.rglob("*.*")}
    assert files.keys() == {
        ".vcgen-export",
        "data/train-00000-of-00001.parquet",
        "data/validation-00000-of-00001.parquet",
    }
    for name, path in files.items():
        added = CommitOperationAdd(path_in_repo=name, path_or_fileobj=path)
        assert added.path_in_repo == name
        assert added.upload_info.size == path.stat().st_size


@pytest.mark.parametrize("form", ["parquet", "datasets"])
def test_without_pyarrow_one_line_says_what_to_install(
    tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match=r"pip install 'vcgen\[hf\]'"):
        export_records([], form, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []
