"""Files as vcgen keeps them: for their owner alone, through no symbolic link, safe in a power cut.

What holds replies is 0600 whatever the umask: prompts and answers are nobody else's until their
owner says so. A file that is there keeps the rights it was given.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EBUSY, EWOULDBLOCK
from pathlib import Path
from typing import BinaryIO

from vcgen.errors import UsageError
from vcgen.pipeline.store.lines import line_id, salvage

PRIVATE = 0o600
PLAIN = 0o666  # as the umask says
_NO_LINK = os.O_CLOEXEC | os.O_NOFOLLOW
_BUFFER_BYTES = 1 << 20


def open_private(path: Path, flags: int) -> int:
    """A descriptor of a file that is never somewhere else; made with the rights `PRIVATE`."""
    return os.open(path, flags | _NO_LINK, PRIVATE)


@contextmanager
def replacing(path: Path, mode: int = PRIVATE) -> Iterator[BinaryIO]:
    """A file to write that takes the place of `path` when the block ends, whole or not at all.

    Raises:
        OSError: the disk refuses, or another process is at it.
    """
    temporary = path.with_name(f".{path.name}.new")
    require_unlocked(temporary)
    # What a killed process left there, or a link that somebody laid.
    temporary.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINK
    with os.fdopen(os.open(temporary, flags, mode), "wb") as file:
        lock(file.fileno())
        try:
            yield file
            file.flush()
            os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    sync_path(path.parent)


@contextmanager
def replacing_file(path: Path) -> Iterator[BinaryIO]:
    """A file to hand on that takes the place of `path`, which is a file or nothing.

    Directories above it are made, and the umask says who may read it.

    Raises:
        UsageError: it is something else, or cannot be written.
    """
    if path.is_symlink():  # /dev/stdout is one
        raise UsageError(
            f"{path} is a symbolic link, which would be replaced; name the file itself"
        )
    if path.is_dir():
        raise UsageError(f"{path} is a directory; name a file")
    if path.exists() and not path.is_file():
        raise UsageError(f"{path} is not a regular file; name another")
    try:
        make_directory(path.parent)
        with replacing(path, PLAIN) as file:
            yield file
    except OSError as error:
        raise UsageError(f"{path}: cannot write: {error.strerror or error}") from error


def lock(descriptor: int) -> None:
    """Keep a file or directory from other processes that ask, until the descriptor is closed.

    Raises:
        OSError: another one holds it.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno == EWOULDBLOCK:  # else it is a file system that knows no locks
            raise OSError(EBUSY, "another process is writing it") from error


def require_unlocked(path: Path) -> None:
    """Raises OSError if another process holds what is at `path`."""
    if path.is_symlink() or not path.exists():
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | _NO_LINK)
    try:
        lock(descriptor)
    finally:
        os.close(descriptor)


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


def scan_lines(path: Path) -> Iterator[tuple[list[tuple[str, bytes]], bytes | None]]:
    """Of each line of a file: the whole lines in it with their ids, and itself if it is damaged.

    A last line that was never finished is no damage.

    Raises:
        UsageError: the file cannot be opened.
    """
    with open_lines(path) as file:
        yield from map(scan_line, file)


def open_lines(path: Path) -> BinaryIO:
    """A file to read; raises UsageError if it cannot be opened."""
    try:
        return path.open("rb", buffering=_BUFFER_BYTES)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error


def scan_line(written: bytes) -> tuple[list[tuple[str, bytes]], bytes | None]:
    """The same of one line, given with its newline if it has one."""
    line = written.removesuffix(b"\n")
    is_ended = len(line) < len(written)
    if is_ended and (found := line_id(line)) is not None:
        return [(found, line)], None
    whole = salvage(line)
    lacks_end = not whole or whole[0][1] == line
    return whole, None if lacks_end and not is_ended else line


def truncate_at(path: Path, end: int) -> None:
    """Cut off what comes after the last whole line, or give that its missing end."""
    with os.fdopen(open_private(path, os.O_WRONLY | os.O_APPEND), "ab") as file:
        size = os.fstat(file.fileno()).st_size
        if size > end:
            os.ftruncate(file.fileno(), end)
        elif size < end:
            file.write(b"\n")
