"""Shared by all readers: rows with their place in the file, and file access with clear errors.

A reader is a plain function from a path to an iterator of rows. It raises `UsageError` at the call
if the whole file is unusable; a fault of one row becomes a `BadRow` in its place.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Required, TypedDict

import orjson

from vcgen.errors import UsageError

BOM = b"\xef\xbb\xbf"
_HEAD_BYTES = 65_536


class BadRow(NamedTuple):
    """A row that cannot be a clip, and the reason."""

    message: str


class RawSegment(TypedDict):
    """A segment as read; building its clip validates the values."""

    start: Any
    end: Any
    text: Any
    source: str


class RawClip(TypedDict, total=False):
    """A clip as read; building the `Clip` validates the values."""

    id: Required[str]
    video: str
    duration: Any
    caption: str
    summary: str
    tags: list[str]
    segments: list[RawSegment]
    extra: Mapping[Any, Any]
    cleaned: dict[str, int]


Rows = Iterator[tuple[int | str, Any]]
"""Place in the file (line, item or key), then the raw row of a `Clip` or a `BadRow`."""


def read_head(path: Path) -> bytes:
    """Read the first 64 KiB without a byte order mark; raise UsageError for an unusable file."""
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
    r"""Yield the lines of a file, split at `\n` only, without a byte order mark."""
    with path.open("rb") as file:
        yield file.readline().removeprefix(BOM)
        yield from file


def load_json(path: Path) -> Any:
    """Load a file that is one JSON value; raise UsageError if it is not valid JSON.

    Values that Python writes but orjson refuses (NaN, lone surrogates, huge numbers) are left to
    the validation of their clip: one such value must not cost the whole file.
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
    """Load a file that is one JSON object; raise UsageError otherwise."""
    value = load_json(path)
    if not isinstance(value, dict):
        raise UsageError(f"{path} must be one JSON object with a video's id as each key")
    return value
