"""Records to export, and the files that an export leaves."""

from pathlib import Path
from typing import Any

import orjson

from tests.support.trainers import JSON_FORMATS, READERS
from vcgen.data.records import Record, Turn
from vcgen.datasets.export import (
    FORMATS,
)
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


DIRECTORIES = [name for name, form in FORMATS.items() if form.is_directory]


def run_of(directory: Path, counts: tuple[int, ...]) -> Path:
    directory.mkdir()
    at = 0
    for worker, count in enumerate(counts, 1):
        name = "records.jsonl" if worker == 1 else f"records-{worker}.jsonl"
        lines = [encode_line(record(number)) for number in range(at, at + count)]
        (directory / name).write_bytes(b"".join(lines))
        at += count
    return directory


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
