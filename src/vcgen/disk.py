"""Files as vcgen keeps them: for their owner alone, through no symbolic link, safe in a power cut.

What holds replies is 0600 whatever the umask: prompts and answers are nobody else's until their
owner says so. A file that is there keeps the rights it was given.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from vcgen.errors import UsageError
from vcgen.journal import line_id, salvage

PRIVATE = 0o600
PLAIN = 0o666  # as the umask says
_NO_LINK = os.O_CLOEXEC | os.O_NOFOLLOW
_BUFFER_BYTES = 1 << 20


def open_private(path: Path, flags: int) -> int:
    """A descriptor of a file that is never somewhere else; made with the rights `PRIVATE`."""
    return os.open(path, flags | _NO_LINK, PRIVATE)


@contextmanager
def replacing(path: Path, mode: int = PRIVATE) -> Iterator[BinaryIO]:
    """A file to write that takes the place of `path` when the block ends, whole or not at all."""
    temporary = path.with_name(f".{path.name}.new")
    # What a killed process left there, or a link that somebody laid.
    temporary.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINK
    try:
        with os.fdopen(os.open(temporary, flags, mode), "wb") as file:
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

    Raises:
        UsageError: the file cannot be read.
    """
    try:
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
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error


def end_at(path: Path, end: int) -> None:
    """Cut off what comes after the last whole line, or give that its missing end."""
    with os.fdopen(open_private(path, os.O_WRONLY | os.O_APPEND), "ab") as file:
        size = os.fstat(file.fileno()).st_size
        if size > end:
            os.ftruncate(file.fileno(), end)
        elif size < end:
            file.write(b"\n")
