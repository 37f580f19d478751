"""Records into the files trainers read: one function a format, streamed, replaced atomically."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import orjson

from vcgen.disk import replacing
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
    opening, between, closing = (b"", b"\n", b"\n") if output.suffix == ".jsonl" else _ARRAY
    written = 0
    try:
        if output.exists() and not output.is_file():
            raise UsageError(f"{output} is not a regular file; name a file to export to")
        with replacing(output) as file:
            file.write(opening)
            for record in records:
                file.write(between if written else b"")
                file.write(orjson.dumps(FORMATS[format_name](record)))
                written += 1
            file.write(closing if written or opening else b"")
    except OSError as error:
        raise UsageError(f"{output}: cannot write: {error.strerror}") from error
    return written
