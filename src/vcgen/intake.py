"""What callers hand in as clips, made one async stream: a path, or an iterable of any kind."""

from collections import Counter
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from vcgen.clips import Clip, explain
from vcgen.errors import Reason, UsageError
from vcgen.records import Reject
from vcgen.sources import read_placed

T = TypeVar("T")
Placed = tuple[str, Clip | Reject]
PlacedStream = AsyncIterator[Placed]
Clips = str | Path | Iterable[Clip | Reject | Mapping[str, Any]] | AsyncIterable[Any]


def intake(clips: Clips) -> PlacedStream:
    """Each clip, or the reject of what is none, with its place: `<file>:<line>` or `clips[<n>]`.

    Raises:
        UsageError: at once, if `clips` is no source of clips or its file cannot be read.
    """
    if isinstance(clips, str | Path):
        return _from_sync(read_placed(clips))
    if isinstance(clips, AsyncIterable):
        return _numbered(aiter(clips))
    if not isinstance(clips, Mapping | Clip | bytes) and isinstance(clips, Iterable):
        return _numbered(_from_sync(clips))
    raise UsageError(f"clips must be a path or an iterable of clips, not {type(clips).__name__}")


def intake_files(paths: Sequence[Path], format_name: str, speech: Path | None) -> PlacedStream:
    """The clips of several files, one file after another.

    Raises:
        UsageError: at once, if a file cannot be read or its format is not known.
    """
    files = [(path.name, read_placed(path, format=format_name, speech=speech)) for path in paths]
    return _from_sync(_one_by_one(files))


def _one_by_one(files: Sequence[tuple[str, Iterator[Placed]]]) -> Iterator[Placed]:
    """The rows of all files; places in the second file of the same name begin with `#2 `."""
    seen: Counter[str] = Counter()
    for name, rows in files:
        seen[name] += 1
        yield from rows if seen[name] == 1 else _marked(rows, f"#{seen[name]} ")


def _marked(rows: Iterator[Placed], mark: str) -> Iterator[Placed]:
    for place, item in rows:
        if isinstance(item, Clip):
            yield mark + place, item
        else:
            yield mark + place, replace(item, id=mark + item.id, message=mark + item.message)


async def _from_sync(items: Iterable[T]) -> AsyncIterator[T]:
    for item in items:
        yield item


async def _numbered(items: AsyncIterator[Any]) -> PlacedStream:
    number = -1
    async for item in items:
        number += 1
        place = f"clips[{number}]"
        yield place, _clip(item, place)


def _clip(item: Any, place: str) -> Clip | Reject:
    if isinstance(item, Clip | Reject):
        return item
    try:
        return Clip.model_validate(item)
    except ValidationError as error:
        message = f"{place}: {explain(error)}"
        return Reject(id=place, reason=Reason.INVALID_CLIP, message=message)
