"""Turn an input, a path or any iterable of clips, into one async stream of raw rows."""

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
from contextlib import aclosing
from pathlib import Path
from typing import Any, TypeVar

from vcgen.data.clips import Clip
from vcgen.data.readers.read import InputRow, read_rows
from vcgen.data.records import Reject
from vcgen.errors import UsageError

T = TypeVar("T")
InputStream = AsyncGenerator[InputRow, None]
Clips = str | Path | Iterable[Clip | Reject | Mapping[str, Any]] | AsyncIterable[Any]


def open_input(clips: Clips) -> InputStream:
    """Stream the rows of an input as they are, with their places: `<file>:<line>`, `clips[<n>]`.

    Raise UsageError at the call if `clips` has another type or its file cannot be read.
    """
    if isinstance(clips, str | Path):
        return _from_sync(read_rows(clips))
    if isinstance(clips, AsyncIterable):
        return _numbered(aiter(clips))
    if not isinstance(clips, Mapping | Clip | bytes) and isinstance(clips, Iterable):
        return _numbered(_from_sync(clips))
    raise UsageError(f"clips must be a path or an iterable of clips, not {type(clips).__name__}")


def open_input_files(
    paths: Sequence[Path], format_name: str, transcripts: Path | None
) -> InputStream:
    """Stream the rows of several files, one file after another.

    Raise UsageError at the call if a file cannot be read or its format is unknown.
    """
    files = [
        (path.name, read_rows(path, format=format_name, transcripts=transcripts)) for path in paths
    ]
    return _from_sync(_chain(files))


def first_rows(rows: InputStream, most: int | None) -> InputStream:
    """Return the first rows, all for None; nothing more is read."""
    return rows if most is None else _first(rows, most)


async def _first(rows: InputStream, most: int) -> InputStream:
    async with aclosing(rows):
        for _ in range(most):
            try:
                row = await anext(rows)
            except StopAsyncIteration:
                return
            yield row


def _chain(files: Sequence[tuple[str, Iterator[InputRow]]]) -> Iterator[InputRow]:
    """Yield the rows of all files; places in the second file of the same name begin with `#2 `."""
    files_of_name: Counter[str] = Counter()
    for name, rows in files:
        files_of_name[name] += 1
        number = files_of_name[name]
        prefix = f"#{number} " if number > 1 else ""
        yield from (InputRow(prefix + place, value) for place, value in rows)


async def _from_sync(items: Iterable[T]) -> AsyncGenerator[T, None]:
    for item in items:
        yield item


async def _numbered(items: AsyncIterator[Any]) -> InputStream:
    number = -1
    async for item in items:
        number += 1
        yield InputRow(f"clips[{number}]", item)
