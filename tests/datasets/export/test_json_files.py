"""What an export writes: whole or not at all, shared out, in order or not, with what is beside."""

import errno
import json
import os
import tarfile
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pipeline.store.test_directory import full_disk
from tests.support.trainers import JSON_FORMATS, READERS
from vcgen.data.records import Record, Turn
from vcgen.datasets.export import parquet, webdataset as shards
from vcgen.datasets.export.export import (
    FORMATS,
    Selection,
    SkipReason,
    Split,
    export_records,
    read_shuffled,
)
from vcgen.datasets.export.webdataset import key_of
from vcgen.errors import UsageError
from vcgen.pipeline.store.directory import read_records
from vcgen.pipeline.store.lines import encode_line


def record(at: int, answer: str = "The tide.", video: str = "a.mp4") -> Record:
    turns = (Turn("causal", "Why?", answer),)
    name = f"clip-{at // 2}/t/{at % 2}"
    return Record(id=name, video=video, clip_id=f"clip-{at // 2}", task="t", turns=turns)


def named(form: str, directory: Path) -> Path:
    return directory / ("out.jsonl" if form in JSON_FORMATS else "out")


def everything(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("form", FORMATS)
def test_a_failing_export_leaves_what_was_there(tmp_path: Path, form: str) -> None:
    def broken() -> Iterator[Record]:
        yield record(1)
        yield record(2)
        raise UsageError("damaged")

    output = named(form, tmp_path)
    export_records([record(0)], form, output)
    before = everything(tmp_path)
    for split in (Split(), Split((0.5, 0.5))):
        with pytest.raises(UsageError, match="damaged"):
            export_records(broken(), form, output, split=split)
        assert everything(tmp_path) == before


@pytest.mark.parametrize("form", FORMATS)
def test_a_full_disk_is_one_clear_error_and_leaves_nothing(tmp_path: Path, form: str) -> None:
    text = " ".join(str(number) for number in range(200_000))
    output = named(form, tmp_path)
    with full_disk(100_000), pytest.raises(UsageError, match=r"out.*: cannot write: .*large"):
        export_records([record(0, text)], form, output)
    assert everything(tmp_path) == {}


@pytest.mark.parametrize("form", FORMATS)
def test_the_same_records_make_the_same_bytes(tmp_path: Path, form: str) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        export_records([record(0), record(1)], form, named(form, tmp_path / name))
    assert {
        name: content.replace(b"/b/", b"/a/")
        for name, content in everything(tmp_path / "b").items()
    } == everything(tmp_path / "a")


def test_what_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for output, said in [
        (tmp_path, "is a directory; name a file"),
        (Path("/dev/null"), "not a regular file"),
        (tmp_path / "file" / "out.json", "cannot write: .*(File exists|Not a directory)"),
        (tmp_path / ("n" * 300), "cannot write: File name too long"),
    ]:
        with pytest.raises(UsageError, match=said):
            export_records([record(0)], "llava", output)
    for form in FORMATS:
        for output in (Path(), Path(".."), Path("/")):
            with pytest.raises(UsageError, match="without a name"):
                export_records([record(0)], form, output, split=Split((0.5, 0.5)))
    with pytest.raises(UsageError, match="no format 'coco': choose videochat, videochat2, llava"):
        export_records([record(0)], "coco", tmp_path / "out.json")


def test_a_split_names_its_files_and_keeps_clips_together(tmp_path: Path) -> None:
    split = Split((0.6, 0.2, 0.2))
    done = export_records(map(record, range(200)), "llava", tmp_path / "out.json", split=split)
    clips: dict[str, set[str]] = {}
    for side in split.sides:
        rows = json.loads((tmp_path / f"out-{side}.json").read_bytes())
        assert done.written[str(tmp_path / f"out-{side}.json")] == len(rows) > 10
        clips[side] = {row["id"].split("/")[0] for row in rows}
    assert sum(map(len, clips.values())) == 100
    assert done.records == 200
    assert not (tmp_path / "out.json").exists()


def test_a_side_may_be_empty(tmp_path: Path) -> None:
    for form in FORMATS:
        done = export_records([], form, named(form, tmp_path), split=Split((0.5, 0.5)))
        assert list(done.written.values()) == [0, 0]


def test_what_is_left_out_or_cut_is_counted(tmp_path: Path) -> None:
    turns = (Turn("causal", "Why?", "It is so."), Turn("temporal", "When?", "Then."))
    both = Record(id="b", video="b.mp4", clip_id="b", task="t", turns=turns)
    records = [record(0), record(1, "<video>"), record(2, video="../a.mp4"), both]
    done = export_records(
        records,
        "llava",
        tmp_path / "out.json",
        selection=Selection(kinds={"causal"}),
        video_root="/data",
    )
    assert done.records == 2
    assert done.left_out == Counter({SkipReason.MARK: 1, SkipReason.OUTSIDE: 1})
    assert done.changed == Counter({SkipReason.FEWER: 1})


@pytest.mark.parametrize("form", FORMATS)
def test_a_root_is_where_the_trainer_looks_for_it(form: str, tmp_path: Path) -> None:
    if form in JSON_FORMATS:
        export_records([record(0)], form, named(form, tmp_path), video_root="/data/v")
        row = json.loads((tmp_path / "out.jsonl").read_bytes())
        video = READERS[form](row).video
        if form == "internvl":
            meta = json.loads((tmp_path / "out.meta.json").read_bytes())
            video = f"{meta['out']['root']}/{video}"
        assert video == "/data/v/a.mp4"


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


DIRECTORIES = [name for name, form in FORMATS.items() if form.is_directory]


@pytest.mark.parametrize("form", DIRECTORIES)
def test_a_directory_is_replaced_but_for_what_is_not_ours(tmp_path: Path, form: str) -> None:
    output = tmp_path / "out"
    export_records(map(record, range(40)), form, output, split=Split((0.5, 0.5)))
    (output / "README.md").write_text("mine")
    (output / "more").mkdir()
    (output / "more" / "notes.txt").write_text("mine")
    export_records(map(record, range(4)), form, output)
    files = everything(output)
    assert files.pop("README.md") == files.pop("more/notes.txt") == b"mine"
    assert not [name for name in files if "validation" in name]
    assert len(files) == 2
    assert list(tmp_path.iterdir()) == [output]
    export_records(map(record, range(4)), form, output)
    assert everything(output)["README.md"] == b"mine"


@pytest.mark.parametrize("form", DIRECTORIES)
def test_a_directory_of_somebody_else_is_left_alone(tmp_path: Path, form: str) -> None:
    mine, link, file = tmp_path / "mine", tmp_path / "link", tmp_path / "file"
    mine.mkdir()
    (mine / "train-000000.tar").write_text("mine")
    file.write_text("mine")
    for output, said in [(mine, "is not empty"), (file, "not a directory")]:
        with pytest.raises(UsageError, match=said):
            export_records([record(0)], form, output)
    export_records([record(0)], form, tmp_path / "ours")
    link.symlink_to(tmp_path / "ours")
    with pytest.raises(UsageError, match="not a directory"):
        export_records([record(1)], form, link)
    # Nor is one that only has the name of what a killed export leaves.
    (tmp_path / ".new.new").mkdir()
    (tmp_path / ".new.new" / "x").write_text("mine")
    with pytest.raises(UsageError, match="is not empty"):
        export_records([record(0)], form, tmp_path / "new")
    assert (mine / "train-000000.tar").read_text() == file.read_text() == "mine"
    assert (tmp_path / ".new.new" / "x").read_text() == "mine"


@pytest.mark.parametrize("form", DIRECTORIES)
@pytest.mark.parametrize("call", [1, 2])
def test_a_directory_that_cannot_be_moved_is_where_it_was(
    tmp_path: Path, form: str, call: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "out"
    export_records([record(0)], form, output)
    before, rename, calls = everything(tmp_path), Path.rename, Counter[str]()

    def refusing(path: Path, target: Path) -> Path:
        calls["of a directory"] += path.is_dir()
        if path.is_dir() and calls["of a directory"] == call:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", refusing)
    with pytest.raises(UsageError, match="Input/output error"):
        export_records([record(1)], form, output)
    assert everything(tmp_path) == before


@pytest.mark.parametrize("form", DIRECTORIES)
def test_what_a_killed_export_left_is_no_obstacle(tmp_path: Path, form: str) -> None:
    output = tmp_path / "out"
    output.mkdir()  # empty
    export_records([record(0)], form, output)
    (output / "README.md").write_text("mine")
    output.rename(tmp_path / ".out.old")
    export_records([record(1)], form, output)
    assert (output / "README.md").read_text() == "mine"
    export_records([record(0)], form, tmp_path / ".out.new")
    export_records([record(2)], form, output)
    assert list(tmp_path.iterdir()) == [output]


def test_an_export_is_as_the_umask_says(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        for form in FORMATS:
            (tmp_path / form).mkdir()
            export_records([record(0)], form, named(form, tmp_path / form))
    finally:
        os.umask(before)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.stat().st_mode & 0o777 for path in files} == {0o640}


@pytest.mark.parametrize("form", ["llava", "parquet", "webdataset"])
def test_memory_does_not_grow_with_the_records(
    tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "_GROUP_ROWS", 100)
    monkeypatch.setattr(shards, "_ROWS", 100)

    def peak(count: int) -> int:
        tracemalloc.start()
        export_records(map(record, range(count)), form, named(form, tmp_path))
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    peak(10)  # imports
    # A row of these is two hundred bytes; a table's footer has some of each group.
    assert peak(4000) - peak(400) < 20 * 3600


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


def run_of(directory: Path, counts: tuple[int, ...]) -> Path:
    directory.mkdir()
    at = 0
    for worker, count in enumerate(counts, 1):
        name = "records.jsonl" if worker == 1 else f"records-{worker}.jsonl"
        lines = [encode_line(record(number)) for number in range(at, at + count)]
        (directory / name).write_bytes(b"".join(lines))
        at += count
    return directory


def test_a_shuffle_has_every_record_of_every_worker_in_another_order(tmp_path: Path) -> None:
    run = run_of(tmp_path / "run", (50, 0, 30))
    plain = [each.id for each in read_records(run)]
    shuffled = [each.id for each in read_shuffled(run, 1)]
    assert shuffled != plain
    assert sorted(shuffled) == sorted(plain)
    assert shuffled == [each.id for each in read_shuffled(run, 1)]
    assert shuffled != [each.id for each in read_shuffled(run, 2)]


def test_a_shuffle_passes_over_what_is_damaged_and_keeps_what_is_whole(tmp_path: Path) -> None:
    run = run_of(tmp_path / "run", (10,))
    path = run / "records.jsonl"
    lines = path.read_bytes().split(b"\n")
    # One is cut off, two stand on one line after a torn one, and the last has no end.
    written = [lines[0][:-3], b'{"id":"torn' + lines[1] + lines[2], *lines[3:10]]
    path.write_bytes(b"\n".join(written))
    damaged, damaged_shuffled = Counter[str](), Counter[str]()
    plain = [each.id for each in read_records(run, damaged)]
    assert len(plain) == 9
    shuffled = read_shuffled(run, damaged=damaged_shuffled)
    assert sorted(each.id for each in shuffled) == sorted(plain)
    assert damaged == damaged_shuffled == {path.name: 2}
    path.unlink()
    assert list(read_shuffled(run)) == []
