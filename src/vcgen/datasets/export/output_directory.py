"""Replace a directory of an earlier export, whole or not at all.

Each export lists its files in `.vcgen-export`. Only listed files are ever removed; other ones in
the directory, such as a README, are carried over.

    path exists, lists its files    it is replaced
    path is empty or missing        it is created
    path is anything else           UsageError
    .NAME.new, .NAME.old            left by a killed export: removed, or restored if path is missing
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson

from vcgen.errors import UsageError
from vcgen.pipeline.store.atomic_files import (
    lock,
    make_directory,
    read_bytes,
    require_unlocked,
    sync_path,
)

_LIST = ".vcgen-export"


@contextmanager
def replacing_directory(path: Path) -> Iterator[Path]:
    """Yield a directory to fill; it takes the place of `path` when the block ends.

    Raises:
        UsageError: `path` is not empty and not of an export.
    """
    fresh, old = (path.with_name(f".{path.name}.{end}") for end in ("new", "old"))
    require_unlocked(fresh)
    _restore(path, old)
    before = _listed(path)
    for left in (fresh, old):
        if _listed(left) is not None:
            shutil.rmtree(left)
    make_directory(path.parent)
    fresh.mkdir()
    descriptor = os.open(fresh, os.O_RDONLY)
    try:
        lock(descriptor)
        (fresh / _LIST).write_text("[]\n")
        yield fresh
        names = orjson.dumps(sorted(_files(fresh)), option=orjson.OPT_APPEND_NEWLINE)
        (fresh / _LIST).write_bytes(names)
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
    """Put back a directory that was moved away and not replaced."""
    if not path.exists() and _listed(old) is not None:
        old.rename(path)


def _listed(path: Path) -> set[str] | None:
    """The files that an export wrote to a directory, None if it does not exist."""
    if not (path.exists() or path.is_symlink()):
        return None
    if path.is_symlink() or not path.is_dir():
        raise UsageError(f"{path} is not a directory; name another")
    try:
        return {_LIST, *orjson.loads(read_bytes(path / _LIST))}
    except (OSError, ValueError, TypeError):
        if any(path.iterdir()):
            raise UsageError(
                f"{path} is not empty and was not written by an export; name another directory"
            ) from None
        return set()


def _carry_over(path: Path, fresh: Path, listed: set[str]) -> None:
    for name in set(_files(path)) - listed:
        (fresh / name).parent.mkdir(parents=True, exist_ok=True)
        os.link(path / name, fresh / name, follow_symlinks=False)


def _files(directory: Path) -> Iterator[str]:
    for parent, _, names in os.walk(directory):
        for name in names:
            yield Path(parent, name).relative_to(directory).as_posix()
