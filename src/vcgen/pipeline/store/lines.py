"""JSON lines with a checksum: `id` is the first key, the CRC-32 the last.

Pure functions on bytes. Parsing does not detect damage (most lines with a flipped bit still parse),
so each line ends in the CRC-32 of all bytes before: `,"crc":"89abcdef"}`.
"""

import re
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from typing import Any
from zlib import crc32

import orjson

_ID = b'{"id":"'
_HEAD = re.compile(b"(?=" + re.escape(_ID) + b")")
_TAIL = b',"crc":"%08x"}'
_TAIL_BYTES = len(_TAIL % 0)


def encode_line(row: Any) -> bytes:
    """Encode a dataclass or mapping whose first key is `id`, newline included."""
    try:
        body = orjson.dumps(row)[:-1]
    except TypeError:
        body = orjson.dumps(_without_surrogates(row))[:-1]
    return body + _TAIL % crc32(body) + b"\n"


def line_id(line: bytes) -> str | None:
    """Return the id of an undamaged line without its newline, None if it is damaged."""
    body = line[:-_TAIL_BYTES]
    if not (line.endswith(_TAIL % crc32(body)) and body.startswith(_ID)):
        return None
    end = body.find(b'"', len(_ID))
    plain = body[len(_ID) : end]
    try:
        return str(orjson.loads(line)["id"]) if b"\\" in plain else plain.decode()
    except ValueError:  # not written by vcgen, though its checksum is right
        return None


def salvage(line: bytes) -> list[tuple[str, bytes]]:
    """Return whole lines within a damaged one, with their ids: only the newline may be damaged."""
    if (name := line_id(line)) is not None:
        return [(name, line)]
    lines = []
    for part in _HEAD.split(line):
        whole = part[: part.rfind(b"}") + 1]
        if (name := line_id(whole)) is not None:
            lines.append((name, whole))
    return lines


def decode_line(line: bytes) -> dict[str, Any]:
    """Parse an undamaged line, without its checksum."""
    row: dict[str, Any] = orjson.loads(line)
    row.pop("crc", None)
    return row


def _without_surrogates(value: Any) -> Any:
    # `json.loads` in a task may yield lone surrogates, which UTF-8 cannot encode.
    if is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_surrogates(item) for item in value]
    return value
