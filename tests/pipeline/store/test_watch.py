"""Which paths count as missing."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from vcgen.pipeline.store.watch import PathWatch


@pytest.fixture
def file(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    """A file and a descriptor of it."""
    path = tmp_path / "file"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
    yield path, descriptor
    os.close(descriptor)


def watch_of(path: Path, descriptor: int) -> PathWatch:
    watch = PathWatch()
    watch.add(path, descriptor)
    return watch


def test_a_file_that_is_written_and_linked_is_in_place(file: tuple[Path, int]) -> None:
    path, descriptor = file
    watch = watch_of(path, descriptor)
    os.write(descriptor, b"more")
    path.chmod(0o400)
    os.link(path, path.with_name("second"))
    assert [watch.look(), watch.look(), watch.missing()] == [None, None, None]


def test_a_path_is_missing_when_two_looks_in_a_row_miss_it(file: tuple[Path, int]) -> None:
    path, descriptor = file
    aside = path.with_name("aside")
    watch = watch_of(path, descriptor)
    path.rename(aside)
    assert watch.look() is None
    aside.rename(path)
    assert watch.look() is None
    path.rename(aside)
    assert watch.look() is None
    assert watch.look() == path
    assert not watch.is_deleted(path)


def test_another_file_at_the_path_is_not_the_file(file: tuple[Path, int]) -> None:
    path, descriptor = file
    watch = watch_of(path, descriptor)
    other = path.with_name("other")
    other.touch()
    other.rename(path)
    assert watch.missing() == path
    assert watch.is_deleted(path)


def test_a_file_below_a_path_that_is_no_directory_now_is_missing(tmp_path: Path) -> None:
    directory = tmp_path / "directory"
    directory.mkdir()
    path = directory / "file"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
    watch = watch_of(path, descriptor)
    directory.rename(tmp_path / "moved")
    directory.touch()
    assert watch.missing() == path
    os.close(descriptor)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO, errno.ESTALE])
def test_a_path_that_cannot_be_looked_at_stops_nothing(
    file: tuple[Path, int], monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    watch = watch_of(*file)

    def refuse(_: Path) -> os.stat_result:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "stat", refuse)
    assert watch.missing() is None


def test_where_a_file_has_two_numbers_only_its_absence_counts(
    file: tuple[Path, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network file system may number the path and the open file apart."""
    path, descriptor = file
    with monkeypatch.context() as patch:
        patch.setattr(os.path, "samestat", lambda *_: False)
        watch = watch_of(path, descriptor)
        assert watch.missing() is None
        path.unlink()
        assert watch.missing() == path


def test_a_file_with_fewer_bytes_than_were_written_is_cut_short(file: tuple[Path, int]) -> None:
    path, descriptor = file
    watch = watch_of(path, descriptor)
    for _ in range(2):
        os.write(descriptor, b"line\n")
        watch.expect(path, 5)
    assert watch.cut_short() is None
    os.truncate(path, 9)
    assert watch.cut_short() == path
