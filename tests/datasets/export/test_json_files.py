"""JSON files, and the small files beside them that trainers need."""

import json
from pathlib import Path

import pytest

from tests.support.exports import everything, record
from tests.support.trainers import JSON_FORMATS
from vcgen.datasets.export import (
    FORMATS,
    Split,
    export_records,
)
from vcgen.datasets.export.json_files import open_json
from vcgen.errors import UsageError


def test_internvl_has_an_entry_for_each_file(tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    done = export_records(map(record, range(20)), "internvl", output, split=Split((0.5, 0.5)))
    for side, count in zip(("train", "validation"), done.written.values(), strict=True):
        [(name, entry)] = json.loads((tmp_path / f"out-{side}.meta.json").read_bytes()).items()
        assert name == f"out-{side}"
        assert entry == {
            "root": "",
            "annotation": str(tmp_path / f"out-{side}.jsonl"),
            "data_augment": False,
            "repeat_time": 1,
            "length": count,
        }
        assert Path(entry["annotation"]).read_bytes().count(b"\n") == count
    with pytest.raises(UsageError, match=r"name a file \.jsonl"):
        export_records([record(0)], "internvl", tmp_path / "out.json")


def test_llamafactory_finds_its_files(tmp_path: Path) -> None:
    (tmp_path / "dataset_info.json").write_text('{"mine": {"file_name": "mine.json"}}')
    for form in ("llamafactory", "llamafactory-messages"):
        export_records(map(record, range(9)), form, tmp_path / f"{form}.json")
    info = json.loads((tmp_path / "dataset_info.json").read_bytes())
    assert info.keys() == {"mine", "llamafactory", "llamafactory-messages"}
    for form in ("llamafactory", "llamafactory-messages"):
        entry = info[form]
        assert entry["formatting"] == "sharegpt"  # the only one with videos in turns
        tags = {"role_tag": "from", "content_tag": "value", "user_tag": "human"} | {
            "assistant_tag": "gpt", **entry.get("tags", {}),
        }  # fmt: skip
        for row in json.loads((tmp_path / entry["file_name"]).read_bytes()):
            turns = row[entry["columns"]["messages"]]
            texts = [turn[tags["content_tag"]] for turn in turns]
            assert [turn[tags["role_tag"]] for turn in turns] == [
                tags["user_tag"],
                tags["assistant_tag"],
            ]
            assert "".join(texts).count("<video>") == len(row[entry["columns"]["videos"]])


@pytest.mark.parametrize("content", ["{", "[]"])
def test_an_index_that_is_none_is_left_and_nothing_written(tmp_path: Path, content: str) -> None:
    (tmp_path / "dataset_info.json").write_text(content)
    with pytest.raises(UsageError, match=r"dataset_info\.json is not"):
        export_records([record(0)], "llamafactory", tmp_path / "out.json")
    assert everything(tmp_path) == {"dataset_info.json": content.encode()}


def test_the_index_of_llamafactory_is_no_output(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="name another"):
        export_records([record(0)], "llamafactory", tmp_path / "dataset_info.json")
    assert everything(tmp_path) == {}


@pytest.mark.parametrize("name", [name for name in JSON_FORMATS if FORMATS[name].open is open_json])
@pytest.mark.parametrize("count", [0, 1, 2])
def test_an_export_is_a_json_array_or_json_lines(tmp_path: Path, name: str, count: int) -> None:
    records = [record(at) for at in range(count)]
    rows = [FORMATS[name].row(each) for each in records]
    assert export_records(records, name, tmp_path / "out.json").records == count
    assert json.loads((tmp_path / "out.json").read_bytes()) == rows
    assert export_records(iter(records), name, tmp_path / "out.jsonl").records == count
    written = (tmp_path / "out.jsonl").read_bytes()
    assert [json.loads(line) for line in written.split(b"\n")[:-1]] == rows
    assert written.count(b"\n") == count
