"""Read clips from the layouts that video text comes in; one row in, one `Clip` or `Reject` out.

What makes a whole file useless raises `UsageError` at the call. A row that cannot be a clip becomes
a `Reject` that names its place, and the rest goes on. Reading is lazy, and so is making clips:
`read_rows` gives rows as they are, `to_clip` makes a clip of one.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from vcgen.data.cleaning import clean_text
from vcgen.data.clips import Clip, explain
from vcgen.data.readers.captions import read_activitynet, read_timechat
from vcgen.data.readers.documents import read_videochat_text, read_vlog
from vcgen.data.readers.files import BadRow, Rows, read_head
from vcgen.data.readers.jsonl import read_clips_json
from vcgen.data.readers.sniff import detect
from vcgen.data.readers.webvid import read_webvid
from vcgen.data.records import Reject
from vcgen.errors import Reason, UsageError

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

Placed = tuple[str, Any]
"""Where a row stands, and the row: a `Clip`, a `Reject`, a mapping, a `BadRow` or anything else."""


def read_clips(
    path: str | Path,
    *,
    format: str = "auto",  # noqa: A002  # what users call it, here and as --format
    speech: str | Path | None = None,
) -> Iterator[Clip | Reject]:
    """The clips of a file, in its order, read as they are asked for.

    Args:
        path: the file.
        format: a name of `FORMATS`, or `auto` to tell it from the file's first bytes.
        speech: a directory of transcripts (SubRip, WebVTT, Whisper JSON). One whose stem is a
            clip's id, or the stem of its video, is added to the clip as segments of speech.

    Raises:
        UsageError: at the call, if the file cannot be read at all or its format is unknown.
    """
    return (to_clip(*placed) for placed in read_rows(path, format=format, speech=speech))


def read_rows(
    path: str | Path,
    *,
    format: str = "auto",  # noqa: A002  # as read_clips
    speech: str | Path | None = None,
) -> Iterator[Placed]:
    """As `read_clips`, but raw rows, with places: `<file>:<line>`, or `<file>:<key>` in objects."""
    path = Path(path)
    rows = FORMATS[_format_of(path, read_head(path), format)](path)
    if speech is not None:
        from vcgen.data.readers.speech import with_speech  # noqa: PLC0415 - 50 ms, for few runs

        rows = with_speech(rows, Path(speech))
    name = _shown(path.name)
    return ((f"{name}:{at if isinstance(at, int) else _shown(at)}", row) for at, row in rows)


def to_clip(place: str, row: Any) -> Clip | Reject:
    """The clip that a raw row is, or the reject of what is none; both of them stay as they are."""
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


def id_of(row: Any) -> str | None:
    """The clip id that a raw row states, None if it states none; whether it is a clip is open."""
    if isinstance(row, Clip):
        return row.id
    stated = row.get("id") if isinstance(row, dict) else None
    return stated if type(stated) is str else None  # a subclass may have a hash of its own


def content_of(row: Any) -> str:
    """What a raw row says, wherever it stands."""
    if isinstance(row, Reject):
        return f"{row.reason} {row.message.removeprefix(f'{row.id}: ')}"
    return row.model_dump_json() if isinstance(row, Clip) else repr(row)


def _format_of(path: Path, head: bytes, wanted: str) -> str:
    if wanted in FORMATS:
        return wanted
    if wanted != "auto":
        raise UsageError(f"format {wanted!r} is unknown; name one of: auto, {', '.join(FORMATS)}")
    found = detect(head)
    if found is None:
        raise UsageError(
            f"{path}: cannot tell the format from its first bytes {head[:40]!r}; "
            f"name one of: {', '.join(FORMATS)} with --format"
        )
    return found


def _shown(name: str) -> str:
    # File names and keys may hold what breaks a line or cannot be encoded.
    return clean_text(name, Counter())


def count_rows(path: str | Path, *, format: str = "auto") -> int:  # noqa: A002  # as read_clips
    """About how many rows a file has, without making clips of them: to show how far a run is."""
    path = Path(path)
    head = read_head(path)
    name = _format_of(path, head, format)
    if name == "webvid" or (name == "clips" and not head.lstrip().startswith(b"[")):
        with path.open("rb") as file:
            return sum(chunk.count(b"\n") for chunk in iter(partial(file.read, 1 << 20), b""))
    return sum(1 for _ in FORMATS[name](path))
