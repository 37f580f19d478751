"""A directory is replaced whole or not at all, and never one of somebody else."""

import errno
import os
from collections import Counter
from pathlib import Path

import pytest

from tests.support.exports import DIRECTORIES, everything, record
from vcgen.datasets.export import (
    Split,
    export_records,
)
from vcgen.errors import UsageError


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
