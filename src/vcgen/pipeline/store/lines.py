"""Lines that can be trusted: JSON objects with `id` first and a checksum of the line last.

Pure functions on bytes. Parsing is no integrity check (most lines with a flipped bit still parse),
so each line ends in the CRC-32 of all before it: `,"crc":"89abcdef"}`.
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
    """One line, newline included, of a dataclass or mapping whose first key is `id`."""
    try:
        body = orjson.dumps(row)[:-1]
    except TypeError:
        body = orjson.dumps(_without_surrogates(row))[:-1]
    return body + _TAIL % crc32(body) + b"\n"


def line_id(line: bytes) -> str | None:
    """The id of a whole, undamaged line without its newline; None if it is anything else."""
    body = line[:-_TAIL_BYTES]
    if not (line.endswith(_TAIL % crc32(body)) and body.startswith(_ID)):
        return None
    end = body.find(b'"', len(_ID))
    plain = body[len(_ID) : end]
    try:
        return _parsed_id(line) if b"\\" in plain else plain.decode()
    except ValueError:  # no line of ours, for all its checksum
        return None


def salvage(line: bytes) -> list[tuple[str, bytes]]:
    """The whole lines in a damaged one, with their ids: what was between them may be the damage."""
    if (name := line_id(line)) is not None:
        return [(name, line)]
    found = []
    for part in _HEAD.split(line):
        whole = part[: part.rfind(b"}") + 1]
        if (name := line_id(whole)) is not None:
            found.append((name, whole))
    return found


def decode_line(line: bytes) -> dict[str, Any]:
    """The row of an undamaged line, without its checksum."""
    row: dict[str, Any] = orjson.loads(line)
    row.pop("crc", None)
    return row


def _parsed_id(line: bytes) -> str:
    return str(orjson.loads(line)["id"])


def _without_surrogates(value: Any) -> Any:
    # Lone surrogates, as `json.loads` lets them into a task, are no text: JSON cannot carry them.
    if is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_surrogates(item) for item in value]
    return value
