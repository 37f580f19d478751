"""Who may read what a run writes, and that it writes nowhere else."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.pipeline.store.test_directory import fill, opened, record
from vcgen.datasets.export import export_records
from vcgen.errors import UsageError
from vcgen.pipeline.store.atomic_files import (
    open_directory,
    open_private,
    open_regular,
    read_bytes,
    replacing,
    replacing_in,
)
from vcgen.pipeline.store.directory import RunDirectory
from vcgen.pipeline.store.read import read_records

PARTS = [f"{stem}{part}.jsonl" for stem in ("records", "rejects", "calls") for part in ("", "-7")]


@pytest.fixture(params=[0o000, 0o022, 0o077], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def rights(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_all_files_of_a_run_are_for_their_owner_alone(tmp_path: Path, umask: int) -> None:
    fill(tmp_path)
    content = (tmp_path / "records.jsonl").read_bytes()
    (tmp_path / "records.jsonl").write_bytes(content.replace(b"boat", b"coat", 1))
    with opened(tmp_path) as run:  # damaged lines are moved to a file, the rest to another
        worker = RunDirectory.join(tmp_path, 2)
        worker.add(record(100))
        worker.close()
        run.finish()
        found = {path.name: rights(path) for path in tmp_path.iterdir()}
    assert len(found) == 9
    assert set(found.values()) == {0o600}


def test_rights_that_an_owner_gave_are_left(tmp_path: Path) -> None:
    fill(tmp_path)
    (tmp_path / "records.jsonl").chmod(0o640)
    with opened(tmp_path) as run:
        run.add(record(100))
    assert rights(tmp_path / "records.jsonl") == 0o640


def test_an_export_is_as_the_umask_says(tmp_path: Path, umask: int) -> None:
    fill(tmp_path / "run")
    export_records(read_records(tmp_path / "run"), "llava", tmp_path / "train.json")
    assert rights(tmp_path / "train.json") == 0o666 & ~umask


@pytest.mark.parametrize("name", [".lock", *PARTS, *(f"{part}.bad" for part in PARTS)])
@pytest.mark.parametrize("target", ["another's file, torn", None], ids=["a file", "nothing"])
def test_a_symbolic_link_is_refused_and_its_target_unchanged(
    tmp_path: Path, name: str, target: str | None
) -> None:
    outside = tmp_path / "outside"
    if target is not None:
        outside.write_text(target)
    fill(tmp_path / "run")
    for part in PARTS:
        (tmp_path / "run" / part).touch()
    (tmp_path / "run" / name).unlink(missing_ok=True)
    (tmp_path / "run" / name).symlink_to(outside)
    with pytest.raises(UsageError, match=f"{name} is a symbolic link"), opened(tmp_path / "run"):
        pass
    assert (outside.read_text() if outside.exists() else None) == target


@pytest.mark.parametrize("name", ["run.json", ".run.json.new", ".records.jsonl.new"])
def test_a_link_in_place_of_what_is_replaced_is_replaced_itself(tmp_path: Path, name: str) -> None:
    fill(tmp_path / "run")
    outside, link = tmp_path / "outside", tmp_path / "run" / name
    outside.write_bytes((tmp_path / "run" / "run.json").read_bytes())
    before = outside.read_bytes()
    link.unlink(missing_ok=True)
    link.symlink_to(outside)
    content = (tmp_path / "run/records.jsonl").read_bytes()
    (tmp_path / "run/records.jsonl").write_bytes(content.replace(b"boat", b"coat", 1))
    with opened(tmp_path / "run") as run:
        run.finish()
    assert not link.is_symlink()
    assert outside.read_bytes() == before


def lay(link: Path, target: Path) -> None:
    link.unlink(missing_ok=True)
    link.symlink_to(target)


def test_a_link_laid_after_the_look_is_not_followed_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path / "run")
    (tmp_path / "outside").write_text("another's file, torn")
    look: Callable[[Path], None] = lambda _: None  # noqa: E731 - the look finds nothing
    monkeypatch.setattr("vcgen.pipeline.store.layout.require_ours", look)
    for name in ("records.jsonl", "records-7.jsonl"):
        lay(tmp_path / "run" / name, tmp_path / "outside")
        with pytest.raises(Exception, match="symbolic links"), opened(tmp_path / "run"):
            pass
    assert (tmp_path / "outside").read_text() == "another's file, torn"


def test_what_a_killed_process_left_is_not_in_the_way(tmp_path: Path) -> None:
    (tmp_path / ".file.new").write_text("half")
    with replacing(tmp_path / "file") as file:
        file.write(b"whole")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_bytes() == b"whole"


def test_a_file_is_replaced_in_the_open_directory_wherever_that_is(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    directory = open_directory(here)
    here.rename(there)
    here.mkdir()
    with replacing_in(directory, "file") as file:
        file.write(b"whole")
    os.close(directory)
    assert [path.name for path in there.iterdir()] == ["file"]
    assert not [*here.iterdir()]


@pytest.mark.timeout(20)
@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_WRONLY, os.O_RDWR])
def test_a_pipe_is_refused_without_waiting(tmp_path: Path, flags: int) -> None:
    os.mkfifo(tmp_path / "pipe")
    before = sorted(Path("/proc/self/fd").iterdir())
    with pytest.raises(OSError, match=r"not a regular file: .*pipe"):
        open_regular(tmp_path / "pipe", flags)
    assert sorted(Path("/proc/self/fd").iterdir()) == before


def test_a_link_is_followed_to_read_only(tmp_path: Path) -> None:
    """Caches of data sets are made of links."""
    (tmp_path / "file").write_text("content")
    (tmp_path / "link").symlink_to("file")
    assert read_bytes(tmp_path / "link") == b"content"
    with pytest.raises(OSError, match="symbolic links"):
        open_private(tmp_path / "link", os.O_WRONLY)
