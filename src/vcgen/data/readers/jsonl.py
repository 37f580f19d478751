"""Read vcgen's own layout: one `Clip` as JSON per line, or a JSON array of them.

Lines are read one at a time, so memory does not grow with the file; an array is read whole.
"""

from pathlib import Path

import orjson

from vcgen.data.readers.files import BadRow, Rows, load_json, read_head, read_lines


def read_clips_json(path: Path) -> Rows:
    """Yield rows by line number, or by item number if the file is an array."""
    if read_head(path).lstrip().startswith(b"["):
        return iter(enumerate(load_json(path), start=1))
    return _lines(path)


def _lines(path: Path) -> Rows:
    for number, line in enumerate(read_lines(path), start=1):
        try:
            yield number, orjson.loads(line)
        except orjson.JSONDecodeError as error:
            if line.strip():
                yield number, BadRow(f"not valid JSON: {error.msg} at column {error.colno}")
