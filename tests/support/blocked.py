"""Descriptors that block on purpose: terminals and pipes that are full and that nobody reads."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple


class Blocked(NamedTuple):
    """Both ends: what is written to `write_end` waits until something reads from `read_end`."""

    read_end: int
    write_end: int


@contextmanager
def blocked(*, is_terminal: bool = False) -> Iterator[Blocked]:
    """A pipe or a terminal that takes no further byte; both ends are closed afterwards."""
    ends = Blocked(*(os.openpty() if is_terminal else os.pipe()))
    fill(ends.write_end)
    try:
        yield ends
    finally:
        for end in ends:
            os.close(end)


def fill(descriptor: int) -> None:
    """Write until nothing more fits."""
    os.set_blocking(descriptor, False)
    try:
        while True:
            os.write(descriptor, b"#")
    except BlockingIOError:
        os.set_blocking(descriptor, True)


def read_until(descriptor: int, pattern: str) -> str:
    """Read until a pattern matches, and leave out the bytes that `fill` has written."""
    text = ""
    while not re.search(pattern, text):
        text += os.read(descriptor, 65_536).decode().lstrip("#")
    return text
