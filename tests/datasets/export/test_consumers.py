"""What is not JSON, read by those it is for: pyarrow, datasets, webdataset, the hub's client."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest

import vcgen
from tests.support.common import ROOT, Command, make_clips
from tests.support.trainers import JSON_FORMATS, READERS
from vcgen.data.records import Record, Turn
from vcgen.datasets.export import parquet
from vcgen.datasets.export.export import FORMATS, Split, export_records
from vcgen.datasets.export.webdataset import key_of
from vcgen.errors import UsageError

EVIDENCE = ROOT.parent / "shared" / "data" / "evidence" / "activitynet_first300.json"


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Record]:
    """Of 300 real videos' captions where they are at hand, else of clips of our own."""
    clips = EVIDENCE if EVIDENCE.exists() else make_clips(300)
    run = tmp_path_factory.mktemp("real") / "run"
    found = list(vcgen.run(clips, model="sim", output=run).records)
    assert len(found) > 590
    return found


@pytest.fixture(autouse=True)
def caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))


def assert_same(row: dict[str, Any], record: Record) -> None:
    assert READERS["datasets"](row) == (
        record.video,
        [(turn.question, turn.answer) for turn in record.turns],
    )
    assert [row["id"], row["clip_id"], row["task"]] == [record.id, record.clip_id, record.task]
    assert row["kinds"] == [turn.kind for turn in record.turns]
    assert row["flags"] == list(record.flags)
    assert row["ground"] == record.meta["ground"]
    assert (row["model"], row["simulated"]) == ("sim", True)
    assert orjson.loads(row["meta"]) == record.meta


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
    monkeypatch.setattr(parquet, "_FILE_BYTES", 40_000)
    export_records(records, "datasets", tmp_path / "out")
    names = sorted(path.name for path in (tmp_path / "out/data").iterdir())
    assert 2 < len(names) < 9
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


# It does not close the files that it reads.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_webdataset_loads_shards(tmp_path: Path, records: Sequence[Record]) -> None:
    import webdataset  # type: ignore[import-untyped] # noqa: PLC0415 - a second to import

    export_records(records, "webdataset", tmp_path / "out")
    shard = str(tmp_path / "out" / "train-000000.tar")
    loaded = list(webdataset.WebDataset(shard, shardshuffle=False).decode())
    assert len(loaded) == len(records)
    for row, record in zip(loaded, records, strict=True):
        assert row["__key__"] == key_of(record.id)
        assert_same(row["json"], record)


@pytest.mark.parametrize("form", ["parquet", "datasets"])
def test_without_pyarrow_one_line_says_what_to_install(
    tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match=r"pip install 'vcgen\[hf\]'"):
        export_records([], form, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_without_tokenizers_one_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Command
) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    vcgen.run(make_clips(1), model="sim", output=tmp_path / "run")
    asked = ("export", tmp_path / "run", "--format", "videochat", "-o", tmp_path / "x.json")
    done = command(*asked, "--max-tokens", 512, "--tokenizer", "some/model")
    assert done.code == 2
    assert "pip install 'vcgen[hf]'" in done.err
    assert command(*asked, "--max-tokens", 512).code == 0


def test_all_formats_are_listed_with_what_they_are_for(command: Command) -> None:
    done = command("export", "--list")
    assert done.code == 0
    listed = [line.split("  ", 1) for line in done.out.splitlines()]
    assert [(name, text.strip()) for name, text in listed] == [
        (name, form.purpose) for name, form in FORMATS.items()
    ]
