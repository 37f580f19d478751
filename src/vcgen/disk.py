"""Files that survive a power cut under their names: lines that can be trusted, and whole files."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from vcgen.journal import line_id, salvage

_BUFFER_BYTES = 1 << 20


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file to write that takes the place of `path` when the block ends, whole or not at all."""
    temporary = path.with_name(f".{path.name}.new")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_path(path.parent)


def make_directory(path: Path) -> None:
    """A directory and those above it, made where they are not there yet."""
    if not path.is_dir():
        make_directory(path.parent)
        path.mkdir(exist_ok=True)
        sync_path(path.parent)


def sync_path(path: Path) -> None:
    """Return when a file, or the names in a directory, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def examine(path: Path) -> Iterator[tuple[list[tuple[str, bytes]], bytes | None]]:
    """Of each line of a file: the whole lines in it with their ids, and itself if it is damaged.

    A last line that was never finished is no damage.
    """
    with path.open("rb", buffering=_BUFFER_BYTES) as file:
        for written in file:
            line = written.removesuffix(b"\n")
            is_ended = len(line) < len(written)
            if is_ended and (found := line_id(line)) is not None:
                yield [(found, line)], None
            else:
                whole = salvage(line)
                lacks_end = not whole or whole[0][1] == line
                yield whole, None if lacks_end and not is_ended else line


def end_at(path: Path, end: int) -> None:
    """Cut off what comes after the last whole line, or give that its missing end."""
    size = path.stat().st_size
    if size > end:
        os.truncate(path, end)
    elif size < end:
        with path.open("ab") as file:
            file.write(b"\n")
