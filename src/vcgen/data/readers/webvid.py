"""Read WebVid's CSV by column name, because its mirrors order the columns differently.

Names may hold commas, quotes and line ends. A broken row is one bad row: the further lines that an
unclosed quote took in are read again by themselves.
"""

import csv
import math
import re
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path

from vcgen.data.readers.files import BadRow, RawClip, Rows, read_lines
from vcgen.errors import UsageError

_ISO_DURATION = re.compile(r"PT(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,6}(?:\.\d{1,9})?)S)?")


# Lines in one row. Each unclosed quote is read to this limit and taken back, so the limit bounds
# the work on a file of them, and the memory.
_MAX_ROW_LINES = 256


class _Lines:
    """Lines of text with their numbers; a reader can push lines back."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        self._source = enumerate(lines, start=1)
        self._pushed: deque[tuple[int, bytes]] = deque()
        self.taken: list[tuple[int, bytes]] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if len(self.taken) == _MAX_ROW_LINES:
            raise csv.Error(f"a row of more than {_MAX_ROW_LINES} lines, or an unclosed quote")
        line = self._pushed.popleft() if self._pushed else next(self._source)
        self.taken.append(line)
        # Invalid UTF-8 becomes lone surrogates, so that only its own row fails.
        return line[1].decode(errors="surrogateescape")

    def push_back(self, lines: list[tuple[int, bytes]]) -> None:
        self._pushed.extendleft(reversed(lines))


def read_webvid(path: Path) -> Rows:
    """Yield rows by the number of their first line; raise UsageError if a column is missing.

    Needs `videoid` or `id`, and `name` or `caption`. `duration` is `PT00H00M17S` or seconds; any
    other value counts as `no_duration`. The video is `page_dir/videoid.mp4`. Other columns go to
    `extra`.
    """
    header = columns(next(read_lines(path)))
    for names in (("videoid", "id"), ("name", "caption")):
        if not set(names) & set(header):
            raise UsageError(
                f"{path} has no column {' or '.join(names)}; its header is {','.join(header)[:200]}"
            )
    return _rows(path, header)


def columns(first_line: bytes) -> list[str]:
    """Return the column names of a header line, an empty list if it is not CSV."""
    try:
        fields = next(csv.reader([first_line.decode(errors="replace")]), [])
    except csv.Error:
        return []
    return [name.strip() for name in fields]


def _rows(path: Path, header: list[str]) -> Rows:
    lines = _Lines(read_lines(path))
    next(lines)
    reader = csv.reader(lines, strict=True)
    while True:
        lines.taken = []
        try:
            fields = next(reader)
            row = _row(fields, header)
        except StopIteration:
            return
        except csv.Error as error:
            lines.push_back(lines.taken[1:])
            row = BadRow(f"not valid CSV: {error}")
        if row is not None:
            yield lines.taken[0][0], row


def _row(fields: list[str], header: list[str]) -> RawClip | BadRow | None:
    if not "".join(fields).strip():
        return None
    if len(fields) != len(header):
        raise csv.Error(f"{len(fields)} columns where the header has {len(header)}")
    try:
        "".join(fields).encode()
    except UnicodeEncodeError:
        return BadRow("not valid UTF-8")
    return _clip(dict(zip(header, fields, strict=True)))


def _clip(row: dict[str, str]) -> RawClip:
    video_id = row.pop("videoid" if "videoid" in row else "id").strip()
    caption = row.pop("name" if "name" in row else "caption")
    page = row.pop("page_dir", "").strip()
    return {
        "id": video_id,
        "video": f"{page}/{video_id}.mp4" if page else "",
        "duration": _seconds(row.pop("duration", "").strip()),
        "caption": caption,
        "extra": row,
    }


def _seconds(text: str) -> float | None:
    if not text:
        return None
    iso = _ISO_DURATION.fullmatch(text)
    if iso:
        hours, minutes, seconds = (float(part or 0) for part in iso.groups())
        return hours * 3600 + minutes * 60 + seconds
    try:
        seconds = float(text)
    except ValueError:
        return 0.0  # the clip counts it as `no_duration`
    return seconds if math.isfinite(seconds) else 0.0
