"""The clip of a record is found by its id, or by its video if only one clip has it."""

from pathlib import Path

import pytest

from tests.support.video_text import save
from vcgen.data.clip_index import ClipIndex
from vcgen.data.clips import Clip
from vcgen.data.records import Record
from vcgen.errors import UsageError


def record(clip_id: str, video: str) -> Record:
    return Record(id=f"{clip_id}/d/0", video=video, clip_id=clip_id, task="d", turns=())


def index_of(folder: Path, *clips: Clip, more: str = "") -> ClipIndex:
    lines = "".join(clip.model_dump_json() + "\n" for clip in clips)
    return ClipIndex([save(folder, lines + more)], "auto")


def test_a_clip_is_found_by_id_before_its_video(tmp_path: Path) -> None:
    quay = Clip(id="quay", video="a.mp4", caption="A quay.")
    ship = Clip(id="ship", video="b.mp4", caption="A ship.")
    index = index_of(tmp_path, quay, ship)
    assert len(index) == 2
    assert index.find(record("quay", "b.mp4")) == quay
    assert index.find(record("renamed", "b.mp4")) == ship
    assert index.find(record("renamed", "c.mp4")) is None


def test_a_video_of_several_clips_identifies_none(tmp_path: Path) -> None:
    scenes = [Clip(id=f"scene-{at}", video="film.mp4", caption=f"Scene {at}.") for at in range(3)]
    index = index_of(tmp_path, *scenes)
    assert index.find(record("renamed", "film.mp4")) is None
    assert index.find(record("scene-2", "film.mp4")) == scenes[2]


def test_a_clip_in_two_files_is_one_clip(tmp_path: Path) -> None:
    row = Clip(id="quay", video="a.mp4", caption="A quay.").model_dump_json()
    paths = [save(tmp_path, row, name) for name in ("a.jsonl", "b.jsonl")]
    index = ClipIndex(paths, "auto")
    assert len(index) == 1
    assert index.find(record("renamed", "a.mp4")) is not None


def test_invalid_rows_are_counted(tmp_path: Path) -> None:
    index = index_of(tmp_path, Clip(id="a", caption="A quay."), more='{"id": "b"}\n7\n')
    assert (len(index), index.bad) == (1, 2)


def test_an_unusable_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        ClipIndex([tmp_path / "none.jsonl"], "auto")
    with pytest.raises(UsageError, match="'csv' is unknown"):
        ClipIndex([save(tmp_path, "hello")], "csv")
