"""Read a run directory: records, rejects and damaged lines.

The only reader; it takes no lock and repairs nothing, so a run in progress is read as far as it is.
A line is damaged if its checksum is wrong, or its content is not an outcome. `read_outcomes`, for
callers that use the metadata, validates that too.
"""

from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, NamedTuple, cast

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from vcgen.data.records import Outcome, Record, Reject
from vcgen.pipeline.store.atomic_files import open_lines, scan_line, scan_lines
from vcgen.pipeline.store.layout import RECORDS, REJECTS, parts
from vcgen.pipeline.store.lines import decode_line


class StoredLine(NamedTuple):
    """A line of a run directory."""

    file: str  # the name of its file
    raw: bytes  # its bytes, without the newline
    outcome: Outcome | None  # None if the line is damaged


def read_outcomes(path: Path, name: str) -> Iterator[StoredLine]:
    """Yield the lines of all files of a name, `RECORDS` or `REJECTS`, in their order.

    The metadata of an outcome has the types that vcgen writes; otherwise the line is damaged.
    """
    for file, line, outcome in _read(path, name):
        has_meta = outcome is not None and _has_known_meta(outcome)
        yield StoredLine(file, line, outcome if has_meta else None)


def read_records(path: Path, damaged: Counter[str] | None = None) -> Iterator[Record]:
    """Yield the records of a run directory, counting damaged lines by file in `damaged`."""
    return cast("Iterator[Record]", _undamaged(_read(path, RECORDS), damaged))


def read_rejects(path: Path, damaged: Counter[str] | None = None) -> Iterator[Reject]:
    """Yield the rejects of a run directory, counting damaged lines by file in `damaged`."""
    return cast("Iterator[Reject]", _undamaged(_read(path, REJECTS), damaged))


def read_shuffled(
    run: Path | str, seed: int = 0, damaged: Counter[str] | None = None
) -> Iterator[Record]:
    """Yield the records of a run directory in a random order, in memory of 8 bytes a record.

    The order depends on the content of the files and on the seed.
    """
    return cast("Iterator[Record]", _undamaged(_read_shuffled(Path(run), seed), damaged))


def read_rows(path: Path, name: str) -> Iterator[dict[str, Any]]:
    """Yield the parsed rows of undamaged lines, not validated any further."""
    for file in parts(path, name):
        for whole, _ in scan_lines(file):
            for _, line in whole:
                yield decode_line(line)


_Line = tuple[str, bytes, Outcome | None]


def _undamaged(lines: Iterator[_Line], damaged: Counter[str] | None) -> Iterator[Outcome]:
    for file, _, outcome in lines:
        if outcome is not None:
            yield outcome
        elif damaged is not None:
            damaged[file] += 1


def _read(path: Path, name: str) -> Iterator[_Line]:
    parse = _parser(name)
    for part in parts(path, name):
        file = part.name
        for whole, rest in scan_lines(part):
            for _, line in whole:
                yield file, line, parse(line)
            if rest is not None:
                yield file, rest, None


def _read_shuffled(run: Path, seed: int) -> Iterator[_Line]:
    files, parse = parts(run, RECORDS), _parser(RECORDS)
    # Offsets count through the files as if they were one.
    file_starts, line_starts, offset = list[int](), array("Q"), 0
    for path in files:
        file_starts.append(offset)
        with open_lines(path) as file:
            for line in file:
                line_starts.append(offset)
                offset += len(line)
    Random(seed).shuffle(line_starts)  # noqa: S311 - a repeatable order, no secret
    with ExitStack() as stack:
        opened = [stack.enter_context(open_lines(path)) for path in files]
        for start in line_starts:
            number = bisect_right(file_starts, start) - 1
            opened[number].seek(start - file_starts[number])
            whole, rest = scan_line(opened[number].readline())
            for _, line in whole:
                yield files[number].name, line, parse(line)
            if rest is not None:
                yield files[number].name, rest, None


@cache
def _parser(name: str) -> Callable[[bytes], Outcome | None]:
    validate = TypeAdapter[Outcome](Record if name == RECORDS else Reject).validate_json

    def parse(line: bytes) -> Outcome | None:
        try:
            return validate(line)
        except ValidationError:
            return None

    return parse


def _has_known_meta(outcome: Outcome) -> bool:
    try:
        _Meta.model_validate(outcome.meta)
    except ValidationError:
        return False
    return True


# Frozen: pydantic deep-copies an unhashable default for every row, which costs more than the row.
_BUILT_LATE = ConfigDict(defer_build=True, frozen=True)


class _Usage(BaseModel):
    model_config = ConfigDict(**_BUILT_LATE, extra="forbid")

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0


_NO_USAGE = _Usage.model_construct(prompt_tokens=0, completion_tokens=0)


class _Verdict(BaseModel):
    model_config = _BUILT_LATE

    verdict: str
    span: str


class _Judged(BaseModel):
    model_config = _BUILT_LATE

    usage: _Usage | None = _NO_USAGE
    cost: float | None = None
    repairs: int = 0
    verdicts: tuple[_Verdict, ...]


_UNJUDGED = _Judged.model_construct(verdicts=())


class _Meta(BaseModel):
    model_config = _BUILT_LATE

    model: str = ""
    usage: _Usage | None = _NO_USAGE
    cost: float | None = None
    attempts: int = 0
    repairs: int = 0
    time: str = ""
    ground: float | None = None
    judge: _Judged = _UNJUDGED
