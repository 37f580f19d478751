"""Private files that survive a power cut and are never opened through a symbolic link.

Files with replies have mode 0600 regardless of the umask: prompts and answers are private until
their owner shares them. An existing file keeps its mode.
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
PLAIN = 0o666  # minus the umask
_NO_LINK = os.O_CLOEXEC | os.O_NOFOLLOW
_BUFFER_BYTES = 1 << 20


def open_private(path: Path, flags: int) -> int:
    """Open a file that is not a symbolic link; a new one has mode `PRIVATE`."""
    return os.open(path, flags | _NO_LINK, PRIVATE)


@contextmanager
def replacing(path: Path, mode: int = PRIVATE) -> Iterator[BinaryIO]:
    """Yield a file to write; it replaces `path` when the block ends, whole or not at all.

    Raise OSError if the disk refuses, or another process is replacing it.
    """
    temporary = path.with_name(f".{path.name}.new")
    require_unlocked(temporary)
    # Left by a killed process, or a symbolic link laid there.
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
    """Yield a file to share; it replaces `path`, a regular file or nothing.

    Missing directories are made, and the umask decides who may read it.

    Raises:
        UsageError: `path` is not a regular file, or cannot be written.
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
    """Lock a file or directory until the last copy of the descriptor is closed.

    A file system without locks grants any.

    Raises:
        OSError: another process holds it, with `EBUSY`.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno == EWOULDBLOCK:
            raise OSError(EBUSY, "another process is writing it") from error


def require_unlocked(path: Path) -> None:
    """Raise OSError if another process holds a lock on `path`."""
    if path.is_symlink() or not path.exists():
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | _NO_LINK)
    try:
        lock(descriptor)
    finally:
        os.close(descriptor)


def make_directory(path: Path) -> None:
    """Make a directory and those above it, unless they exist."""
    if not path.is_dir():
        make_directory(path.parent)
        path.mkdir(exist_ok=True)
        sync_path(path.parent)


def sync_path(path: Path) -> None:
    """Return when a file, or the entries of a directory, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def scan_lines(path: Path) -> Iterator[tuple[list[tuple[str, bytes]], bytes | None]]:
    """Yield, for each line of a file, its whole lines with their ids, and the line if damaged.

    A torn last line does not count as damaged.

    Raises:
        UsageError: the file cannot be opened.
    """
    with open_lines(path) as file:
        yield from map(scan_line, file)


def open_lines(path: Path) -> BinaryIO:
    """Open a file to read; raise UsageError if that fails."""
    try:
        return path.open("rb", buffering=_BUFFER_BYTES)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error


def scan_line(written: bytes) -> tuple[list[tuple[str, bytes]], bytes | None]:
    """Scan one line, given with its newline if it has one, as `scan_lines` does."""
    line = written.removesuffix(b"\n")
    is_ended = len(line) < len(written)
    if is_ended and (name := line_id(line)) is not None:
        return [(name, line)], None
    whole = salvage(line)
    lacks_end = not whole or whole[0][1] == line
    return whole, None if lacks_end and not is_ended else line


def truncate_at(path: Path, end: int) -> None:
    """Cut off a torn last line, or add the missing newline of a whole one."""
    with os.fdopen(open_private(path, os.O_WRONLY | os.O_APPEND), "ab") as file:
        size = os.fstat(file.fileno()).st_size
        if size > end:
            os.ftruncate(file.fileno(), end)
        elif size < end:
            file.write(b"\n")
