"""Shards of a fixed size, read by webdataset itself."""

import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.exports import assert_same, record
from vcgen.data.records import Record
from vcgen.datasets.export import (
    export_records,
)
from vcgen.datasets.export.webdataset import key_of


# It does not close the files that it reads.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_webdataset_loads_shards(tmp_path: Path, records: Sequence[Record]) -> None:
    import webdataset  # type: ignore[import-untyped] # noqa: PLC0415 - a second to import

    export_records(records, "webdataset", tmp_path / "out")
    shard = str(tmp_path / "out" / "train-000000.tar")
    loaded = list(webdataset.WebDataset(shard, shardshuffle=False).decode())
    assert len(loaded) == len(records)
    for row, expected in zip(loaded, records, strict=True):
        assert row["__key__"] == key_of(expected.id)
        assert_same(row["json"], expected)


def test_a_key_is_a_file_name_and_one_of_its_own() -> None:
    ids = [
        "a/t/0",
        "a_t_0",
        "a.t/0",
        "../../etc",
        "é",
        "e",
        "~",
        ".",
        "a%2Ft/0",
        "x" * 999,
        "x" * 998,
    ]
    keys = [key_of(each) for each in ids]
    assert len(set(keys)) == len(ids)
    for key in keys:
        assert len(key) <= 200
        assert not set(key) & set("./\\~ ")
        assert key.isascii()
    assert key_of("clip-1_a") == "clip-1_a"


def test_shards_are_of_a_fixed_number_of_records(tmp_path: Path) -> None:
    export_records(map(record, range(10_001)), "webdataset", tmp_path / "out")
    counts = []
    for path in sorted((tmp_path / "out").glob("*.tar")):
        with tarfile.open(path) as tar:
            counts.append(len(tar.getnames()))
    assert counts == [10_000, 1]
