"""WebVid tables: CSV read by column name, because its mirrors differ in the order of the columns.

Names may hold commas, quotes and line ends. A row that is broken is one bad row: the lines that an
unclosed quote swallowed are read again by themselves.
"""

import csv
import math
import re
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from vcgen.data.readers.files import BadRow, Rows, read_lines
from vcgen.errors import UsageError

_ISO_DURATION = re.compile(r"PT(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,6}(?:\.\d{1,9})?)S)?")


class _Lines:
    """Lines of text with their numbers, which a reader can take back."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        self._coming = enumerate(lines, start=1)
        self._again: deque[tuple[int, bytes]] = deque()
        self.taken: list[tuple[int, bytes]] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._coming)
        self.taken.append(line)
        # Bytes that are no UTF-8 become lone surrogates, so that only their own row fails.
        return line[1].decode(errors="surrogateescape")

    def take_back(self, lines: list[tuple[int, bytes]]) -> None:
        self._again.extendleft(reversed(lines))


def read_webvid(path: Path) -> Rows:
    """Rows by the number of their first line; raises UsageError if the columns are not there.

    Needs `videoid` or `id`, and `name` or `caption`. `duration` is `PT00H00M17S` or seconds; one
    that is neither counts as `no_duration`. `page_dir/videoid.mp4` is the video. Other columns
    go to `extra`.
    """
    header = columns(next(read_lines(path)))
    for names in (("videoid", "id"), ("name", "caption")):
        if not set(names) & set(header):
            raise UsageError(
                f"{path} has no column {' or '.join(names)}; its header is {','.join(header)[:200]}"
            )
    return _rows(path, header)


def columns(first_line: bytes) -> list[str]:
    """The column names of a header line, none if it is no CSV."""
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
            lines.take_back(lines.taken[1:])
            row = BadRow(f"not valid CSV: {error}")
        if row is not None:
            yield lines.taken[0][0], row


def _row(fields: list[str], header: list[str]) -> dict[str, Any] | BadRow | None:
    if not "".join(fields).strip():
        return None
    if len(fields) != len(header):
        raise csv.Error(f"{len(fields)} columns where the header has {len(header)}")
    try:
        "".join(fields).encode()
    except UnicodeEncodeError:
        return BadRow("not valid UTF-8")
    return _clip(dict(zip(header, fields, strict=True)))


def _clip(row: dict[str, str]) -> dict[str, Any]:
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
