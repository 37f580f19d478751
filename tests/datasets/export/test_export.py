"""An export is written whole or not at all, the same from the same records."""

import json
import os
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pipeline.store.test_directory import full_disk
from tests.support.exports import everything, named, record, run_of
from tests.support.trainers import JSON_FORMATS, READERS
from vcgen.data.records import Record, Turn
from vcgen.datasets.export import (
    FORMATS,
    Selection,
    SkipReason,
    Split,
    export_records,
    parquet,
    read_shuffled,
    webdataset as shards,
)
from vcgen.errors import UsageError
from vcgen.pipeline.store.read import read_records


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
    with pytest.raises(UsageError, match="unknown format 'coco'; choose videochat, videochat2"):
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
    assert done.left_out == Counter({SkipReason.MARKER: 1, SkipReason.OUTSIDE: 1})
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
