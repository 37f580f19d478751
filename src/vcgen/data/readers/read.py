"""Read clips from any layout of video text: one row in, one `Clip` or `Reject` out.

An unusable file raises `UsageError` at the call. A row that cannot be a clip becomes a `Reject`
that names its place, and reading goes on. Everything is lazy: `read_rows` yields raw rows,
`to_clip` builds a clip from one.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from pydantic import ValidationError

from vcgen.data.cleaning import clean_text
from vcgen.data.clips import Clip, explain
from vcgen.data.readers.captions import read_activitynet, read_timechat
from vcgen.data.readers.documents import read_videochat_text, read_vlog
from vcgen.data.readers.files import BadRow, Rows, read_head
from vcgen.data.readers.jsonl import read_clips_json
from vcgen.data.readers.sniff import detect
from vcgen.data.readers.webvid import read_webvid
from vcgen.data.records import Reason, Reject
from vcgen.errors import UsageError

FORMATS: Mapping[str, Callable[[Path], Rows]] = MappingProxyType(
    {
        "clips": read_clips_json,
        "webvid": read_webvid,
        "activitynet": read_activitynet,
        "timechat": read_timechat,
        "videochat-text": read_videochat_text,
        "vlog": read_vlog,
    }
)


class InputRow(NamedTuple):
    """A raw row of an input."""

    place: str  # `<file>:<line>`, `<file>:<key>` or `clips[<n>]`
    value: Any  # a `Clip`, a `Reject`, a mapping, a `BadRow`, or any other object, which is invalid


def read_clips(
    path: str | Path,
    *,
    format: str = "auto",  # noqa: A002  # the user's word, as in --input-format
    transcripts: str | Path | None = None,
) -> Iterator[Clip | Reject]:
    """Read the clips of a file lazily, in its order.

    Args:
        path: the file.
        format: a name of `FORMATS`, or `auto` to detect it from the file's first bytes.
        transcripts: a directory of SubRip, WebVTT or Whisper JSON files. A file whose stem is the
            clip's id, or the stem of its video, adds its segments of speech to the clip.

    Raises:
        UsageError: at the call, if the file cannot be read at all or its format is unknown.
    """
    return (to_clip(*row) for row in read_rows(path, format=format, transcripts=transcripts))


def read_rows(
    path: str | Path,
    *,
    format: str = "auto",  # noqa: A002  # as read_clips
    transcripts: str | Path | None = None,
) -> Iterator[InputRow]:
    """Read the raw rows of a file, with places `<file>:<line>`, or `<file>:<key>` in objects."""
    path = Path(path)
    rows = FORMATS[_format_of(path, read_head(path), format)](path)
    if transcripts is not None:
        # Imported late: it takes 50 ms, and few runs need it.
        from vcgen.data.readers.speech import with_transcripts  # noqa: PLC0415

        rows = with_transcripts(rows, Path(transcripts))
    name = _printable(path.name)
    return (
        InputRow(f"{name}:{at if isinstance(at, int) else _printable(at)}", row) for at, row in rows
    )


def to_clip(place: str, row: Any) -> Clip | Reject:
    """Convert a raw row to a Clip, or a Reject if it is invalid; Clips and Rejects pass through."""
    if isinstance(row, Clip | Reject):
        return row
    if isinstance(row, BadRow):
        message = row.message
    else:
        try:
            return Clip.model_validate(row)
        except ValidationError as error:
            message = explain(error)
    return Reject(id=place, reason=Reason.INVALID_CLIP, message=f"{place}: {message}")


def content_of(row: Any) -> str:
    """Return a text that identifies a raw row by its content, wherever in the file it is."""
    if isinstance(row, Reject):
        return f"{row.reason} {row.message.removeprefix(f'{row.id}: ')}"
    return row.model_dump_json() if isinstance(row, Clip) else repr(row)


def _format_of(path: Path, head: bytes, wanted: str) -> str:
    if wanted in FORMATS:
        return wanted
    if wanted != "auto":
        raise UsageError(f"format {wanted!r} is unknown; name one of: auto, {', '.join(FORMATS)}")
    detected = detect(head)
    if detected is None:
        raise UsageError(
            f"{path}: cannot tell the format from its first bytes {head[:40]!r}; "
            f"name one of: {', '.join(FORMATS)} with --input-format"
        )
    return detected


def _printable(name: str) -> str:
    # File names and keys may hold line breaks, and characters that cannot be encoded.
    return clean_text(name, Counter())


def count_rows(path: str | Path, *, format: str = "auto") -> int:  # noqa: A002  # as read_clips
    """Estimate the number of rows of a file, for progress, without building clips."""
    path = Path(path)
    head = read_head(path)
    name = _format_of(path, head, format)
    if name == "webvid" or (name == "clips" and not head.lstrip().startswith(b"[")):
        with path.open("rb") as file:
            return sum(chunk.count(b"\n") for chunk in iter(partial(file.read, 1 << 20), b""))
    return sum(1 for _ in FORMATS[name](path))
