"""What callers hand in as clips, made one async stream of raw rows: a path, or any iterable."""

from collections import Counter
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from pathlib import Path
from typing import Any, TypeVar

from vcgen.data.clips import Clip
from vcgen.data.readers.read import Placed, read_rows
from vcgen.data.records import Reject
from vcgen.errors import UsageError

T = TypeVar("T")
PlacedStream = AsyncGenerator[Placed, None]
Clips = str | Path | Iterable[Clip | Reject | Mapping[str, Any]] | AsyncIterable[Any]


def open_input(clips: Clips) -> PlacedStream:
    """Each row as it was handed in, with its place: `<file>:<line>` or `clips[<n>]`.

    Raises:
        UsageError: at once, if `clips` is no source of clips or its file cannot be read.
    """
    if isinstance(clips, str | Path):
        return _from_sync(read_rows(clips))
    if isinstance(clips, AsyncIterable):
        return _numbered(aiter(clips))
    if not isinstance(clips, Mapping | Clip | bytes) and isinstance(clips, Iterable):
        return _numbered(_from_sync(clips))
    raise UsageError(f"clips must be a path or an iterable of clips, not {type(clips).__name__}")


def open_input_files(paths: Sequence[Path], format_name: str, speech: Path | None) -> PlacedStream:
    """The rows of several files, one file after another.

    Raises:
        UsageError: at once, if a file cannot be read or its format is not known.
    """
    files = [(path.name, read_rows(path, format=format_name, speech=speech)) for path in paths]
    return _from_sync(_one_by_one(files))


def _one_by_one(files: Sequence[tuple[str, Iterator[Placed]]]) -> Iterator[Placed]:
    """The rows of all files; places in the second file of the same name begin with `#2 `."""
    seen: Counter[str] = Counter()
    for name, rows in files:
        seen[name] += 1
        mark = f"#{seen[name]} " if seen[name] > 1 else ""
        yield from ((mark + place, row) for place, row in rows)


async def _from_sync(items: Iterable[T]) -> AsyncGenerator[T, None]:
    for item in items:
        yield item


async def _numbered(items: AsyncIterator[Any]) -> PlacedStream:
    number = -1
    async for item in items:
        number += 1
        yield f"clips[{number}]", item
