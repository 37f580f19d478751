"""The layout: what may become a run directory, and which files are whose."""

from pathlib import Path

import pytest

from vcgen.errors import UsageError
from vcgen.pipeline.store.directory import RunDirectory
from vcgen.pipeline.store.layout import bad, own_files, part, parts, require_fresh, require_ours
from vcgen.pipeline.store.manifest import Manifest

NAME = "records.jsonl"


def test_an_unsuitable_path_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    for path, message in [
        (tmp_path, "not empty: it holds notes.txt"),
        (tmp_path / "notes.txt", "is a file"),
        (tmp_path / "notes.txt" / "run", "or below one"),
        (tmp_path / ("n" * 300), "File name too long"),
    ]:
        with pytest.raises(UsageError, match=message):
            RunDirectory.open(path, Manifest())
        with pytest.raises(UsageError, match=message):
            require_fresh(path)
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_fresh_means_empty(tmp_path: Path) -> None:
    require_fresh(tmp_path)
    require_fresh(tmp_path / "new")
    (tmp_path / ".lock").touch()
    (tmp_path / ".run.json.new").touch()  # left by a run killed at its start
    require_fresh(tmp_path)
    require_ours(tmp_path)
    RunDirectory.open(tmp_path, Manifest()).close()
    with pytest.raises(UsageError, match="not empty"):
        require_fresh(tmp_path)
    require_ours(tmp_path)


def test_files_of_workers_are_listed_by_number(tmp_path: Path) -> None:
    for worker in (11, 2, 1, 3):
        part(tmp_path, NAME, worker).touch()
    for stranger in ("records-1.jsonl", "records-02.jsonl", "records-2.jsonl.old", "records.json"):
        (tmp_path / stranger).touch()
    names = ["records.jsonl", "records-2.jsonl", "records-3.jsonl", "records-11.jsonl"]
    assert [path.name for path in parts(tmp_path, NAME)] == names
    files = own_files(tmp_path)
    assert {tmp_path / name for name in ("run.json", ".lock", *names)} <= {*files}
    assert bad(tmp_path / "records-2.jsonl") in files


@pytest.mark.parametrize("name", [".lock", NAME, "calls-2.jsonl", "rejects.jsonl.bad"])
def test_a_symbolic_link_in_a_run_is_refused(tmp_path: Path, name: str) -> None:
    run = tmp_path / "run"
    RunDirectory.open(run, Manifest()).close()
    (run / name).unlink(missing_ok=True)
    (run / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match=f"{name} is a symbolic link"):
        require_ours(run)
    assert not (tmp_path / "elsewhere").exists()
