"""Private files that survive a power cut and are never written through a symbolic link.

Files with replies have mode 0600 regardless of the umask: prompts and answers are private until
their owner shares them. An existing file keeps its mode.

    opening                    waits              is an error
    a pipe, socket or device   never              always: only regular files hold lines
    a symbolic link            never              to write; to read, it is followed
"""

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import EBUSY, EINVAL, ELOOP, ENOENT, ENXIO, EWOULDBLOCK
from pathlib import Path
from typing import BinaryIO

from vcgen.errors import UsageError
from vcgen.pipeline.store.lines import line_id, salvage

PRIVATE = 0o600
PLAIN = 0o666  # minus the umask
# A terminal must not become the one that controls this process.
_AT_ONCE = os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
_NO_LINK = os.O_CLOEXEC | os.O_NOFOLLOW
_BUFFER_BYTES = 1 << 20


def open_regular(path: Path | str, flags: int, directory: int | None = None) -> int:
    """Open a regular file without waiting; a new one has mode `PRIVATE`.

    Args:
        path: of the file, below `directory` if that is given.
        flags: as for `os.open`.
        directory: descriptor of a directory, which may have been moved since it was opened.

    Raises:
        OSError: the disk refuses, or the path is a pipe, a socket, a device or a directory.
    """
    try:
        descriptor = os.open(path, flags | _AT_ONCE, PRIVATE, dir_fd=directory)
    except OSError as error:
        if error.errno == ENXIO:  # a socket, or a pipe that no process reads
            raise _not_regular(path) from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _not_regular(path)
    return descriptor


def _not_regular(path: Path | str) -> OSError:
    return OSError(EINVAL, "it is not a regular file", str(path))


def open_private(path: Path, flags: int) -> int:
    """Open a regular file that is not a symbolic link, to write."""
    return open_regular(path, flags | os.O_NOFOLLOW)


def open_directory(path: Path) -> int:
    """Open a directory: to name files in it wherever it is moved to, or to sync its entries."""
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def read_bytes(path: Path) -> bytes:
    """Read a regular file; raise OSError if it is none."""
    with os.fdopen(open_regular(path, os.O_RDONLY), "rb") as file:
        return file.read()


@contextmanager
def replacing(path: Path, mode: int = PRIVATE) -> Iterator[BinaryIO]:
    """Yield a file to write; it replaces `path` when the block ends, whole or not at all.

    Raise OSError if the disk refuses, or another process is replacing it.
    """
    directory = open_directory(path.parent)
    try:
        with replacing_in(directory, path.name, mode) as file:
            yield file
    finally:
        os.close(directory)


@contextmanager
def replacing_in(directory: int, name: str, mode: int = PRIVATE) -> Iterator[BinaryIO]:
    """Do as `replacing` in an open directory, wherever that is now."""
    temporary = f".{name}.new"
    require_unlocked(temporary, directory)
    # Left by a killed process, or a symbolic link laid there.
    _remove(temporary, directory)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINK
    with os.fdopen(os.open(temporary, flags, mode, dir_fd=directory), "wb") as file:
        lock(file.fileno())
        try:
            yield file
            file.flush()
            os.fsync(file.fileno())
            os.replace(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
        except BaseException:
            _remove(temporary, directory)
            raise
    os.fsync(directory)


def _remove(name: str, directory: int) -> None:
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=directory)


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


def require_unlocked(path: Path | str, directory: int | None = None) -> None:
    """Raise OSError if another process holds a lock on `path`, below `directory` if given."""
    try:
        descriptor = os.open(path, os.O_RDONLY | _AT_ONCE | os.O_NOFOLLOW, dir_fd=directory)
    except OSError as error:
        if error.errno in {ENOENT, ELOOP}:  # nothing, or a symbolic link
            return
        raise
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
    descriptor = os.open(path, os.O_RDONLY | _AT_ONCE)
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
    """Open a regular file to read; raise UsageError if that fails."""
    try:
        return os.fdopen(open_regular(path, os.O_RDONLY), "rb", buffering=_BUFFER_BYTES)
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
