"""Files as vcgen writes them: for their owner alone, through no symbolic link, replaced whole.

What holds replies is 0600 whatever the umask: prompts and answers are nobody else's until their
owner says so. A file that is there keeps the rights it was given.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

PRIVATE = 0o600
PLAIN = 0o666  # as the umask says
_NO_LINK = os.O_CLOEXEC | os.O_NOFOLLOW


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
    # The new name itself has to reach the disk too.
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
