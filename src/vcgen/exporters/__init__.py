"""Records into the files trainers read: one function a format, streamed, replaced atomically.

Unlike the run directory these are made to be handed on, so the umask says who may read them.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import orjson

from vcgen.disk import PLAIN, replacing
from vcgen.errors import UsageError
from vcgen.exporters.formats import llava, videochat, videochat2
from vcgen.records import Record

FORMATS: dict[str, Callable[[Record], dict[str, Any]]] = {
    "videochat": videochat,
    "videochat2": videochat2,
    "llava": llava,
}
_ARRAY = (b"[\n", b",\n", b"\n]\n")


def export_records(records: Iterable[Record], format_name: str, output: Path) -> int:
    """Write records as a JSON array, or as JSON lines if `output` ends in `.jsonl`.

    Memory does not grow with the number of records.

    Returns:
        How many were written.

    Raises:
        UsageError: unknown format, or the file cannot be written.
    """
    if format_name not in FORMATS:
        raise UsageError(f"no format {format_name!r}: choose {', '.join(FORMATS)}")
    lines = (orjson.dumps(FORMATS[format_name](record)) for record in records)
    return write_rows(lines, output, as_array=output.suffix != ".jsonl")


def write_rows(rows: Iterable[bytes], output: Path, *, as_array: bool) -> int:
    """Write rows of JSON as items of an array, or as lines; the file is replaced whole or not.

    Returns:
        How many were written.

    Raises:
        UsageError: the file cannot be written.
    """
    opening, between, closing = _ARRAY if as_array else (b"", b"\n", b"\n")
    written = 0
    try:
        if output.exists() and not output.is_file():
            raise UsageError(f"{output} is not a regular file; name another")
        with replacing(output, PLAIN) as file:
            file.write(opening)
            for row in rows:
                file.write(between if written else b"")
                file.write(row)
                written += 1
            file.write(closing if written or opening else b"")
    except OSError as error:
        raise UsageError(f"{output}: cannot write: {error.strerror}") from error
    return written
