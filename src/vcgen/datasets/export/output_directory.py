"""Directories of an export, in the place of the one before, whole or not at all.

A directory that export wrote says so in a file of it, with the names of the others. Only those are
ever removed: what somebody else put there, such as a README, is carried over.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson

from vcgen.errors import UsageError
from vcgen.pipeline.store.atomic_files import lock, make_directory, require_unlocked, sync_path

_MARK = ".vcgen-export"


@contextmanager
def replacing_directory(path: Path) -> Iterator[Path]:
    """A directory to fill that takes the place of `path` when the block ends.

    Raises:
        UsageError: what is at `path` was not written by an export and is not empty.
    """
    fresh, old = (path.with_name(f".{path.name}.{end}") for end in ("new", "old"))
    require_unlocked(fresh)
    _restore(path, old)
    before = _written(path)
    for left in (fresh, old):  # by a process that was killed
        if _written(left) is not None:
            shutil.rmtree(left)
    make_directory(path.parent)
    fresh.mkdir()
    descriptor = os.open(fresh, os.O_RDONLY)
    try:
        lock(descriptor)
        (fresh / _MARK).write_text("[]\n")
        yield fresh
        written = sorted(_files(fresh))
        (fresh / _MARK).write_bytes(orjson.dumps(written, option=orjson.OPT_APPEND_NEWLINE))
        if before is not None:
            _carry_over(path, fresh, before)
        for name in _files(fresh):
            sync_path(fresh / name)
        if before is not None:
            path.rename(old)
        fresh.rename(path)
    except BaseException:
        _restore(path, old)
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    finally:
        os.close(descriptor)
    sync_path(path.parent)
    shutil.rmtree(old, ignore_errors=True)


def _restore(path: Path, old: Path) -> None:
    """Put back what was moved away if nothing has come in its place."""
    if not path.exists() and _written(old) is not None:
        old.rename(path)


def _written(path: Path) -> set[str] | None:
    """The files that an export wrote there, None if there is nothing."""
    if not (path.exists() or path.is_symlink()):
        return None
    if path.is_symlink() or not path.is_dir():
        raise UsageError(f"{path} is not a directory; name another")
    try:
        return {_MARK, *orjson.loads((path / _MARK).read_bytes())}
    except (FileNotFoundError, ValueError, TypeError):
        if any(path.iterdir()):
            raise UsageError(
                f"{path} is not empty, and not all of it was written by an export; name another "
                "directory"
            ) from None
        return set()


def _carry_over(path: Path, fresh: Path, ours: set[str]) -> None:
    for name in set(_files(path)) - ours:
        (fresh / name).parent.mkdir(parents=True, exist_ok=True)
        os.link(path / name, fresh / name, follow_symlinks=False)


def _files(directory: Path) -> Iterator[str]:
    for at, _, names in os.walk(directory):
        for name in names:
            yield Path(at, name).relative_to(directory).as_posix()
