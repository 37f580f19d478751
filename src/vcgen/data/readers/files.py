"""What every reader stands on: a row with its place in the file, and bytes read with clear errors.

A reader is a plain function from a path to an iterator of rows. It raises `UsageError` at the call
for what makes the whole file useless; what is wrong with one row travels as a `BadRow` in its
place.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from vcgen.errors import UsageError

BOM = b"\xef\xbb\xbf"
_HEAD_BYTES = 65_536


class BadRow(NamedTuple):
    """A row that cannot be a clip, and why."""

    message: str


Rows = Iterator[tuple[int | str, Any]]
"""The place in the file (line, item or key), then the raw row of a `Clip` or a `BadRow`."""


def read_head(path: Path) -> bytes:
    """The first 64 KiB without a byte order mark; raises UsageError if there is nothing to read."""
    if path.is_dir():
        raise UsageError(f"{path} is a directory; name one file")
    if path.exists() and not path.is_file():
        raise UsageError(f"{path} is not a regular file; save the input to a file first")
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES).removeprefix(BOM)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    if not head.strip():
        raise UsageError(f"{path} is empty")
    return head


def read_lines(path: Path) -> Iterator[bytes]:
    r"""The lines of a file, ended by `\n` and nothing else, without a byte order mark."""
    with path.open("rb") as file:
        yield file.readline().removeprefix(BOM)
        yield from file


def load_json(path: Path) -> Any:
    """A file that is one JSON value; raises UsageError if it is none.

    What orjson refuses but Python writes (NaN, lone surrogates, huge numbers) is left to the
    validation of the clip it stands in: one such value must not cost the whole file.
    """
    content = path.read_bytes().removeprefix(BOM)
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError as error:
        try:
            return json.loads(content)
        except (ValueError, RecursionError):
            raise UsageError(f"{path} is not valid JSON: {error}") from error


def load_object(path: Path) -> dict[str, Any]:
    """A file that is one JSON object; raises UsageError if it is none."""
    value = load_json(path)
    if not isinstance(value, dict):
        raise UsageError(f"{path} must be one JSON object with a video's id as each key")
    return value
