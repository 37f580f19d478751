"""The outcomes of a run directory as a report takes them: each a record, a reject, or damaged.

A row with its checksum right may still be none of ours, so that all that is read of it is checked.
"""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from vcgen.data.records import Outcome, Record, Reject
from vcgen.pipeline.store.atomic_files import scan_lines
from vcgen.pipeline.store.layout import RECORDS, parts

# Frozen, as pydantic makes a deep copy of a default that has no hash, which costs more than a row.
_BUILT_LATE = ConfigDict(defer_build=True, frozen=True)


class _Usage(BaseModel):
    model_config = ConfigDict(**_BUILT_LATE, extra="forbid")

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0


_NOTHING = _Usage.model_construct(prompt_tokens=0, completion_tokens=0)


class _Verdict(BaseModel):
    model_config = _BUILT_LATE

    verdict: str
    span: str


class _Judged(BaseModel):
    model_config = _BUILT_LATE

    usage: _Usage = _NOTHING
    cost: float | None = None
    repairs: int = 0
    verdicts: tuple[_Verdict, ...]


_UNJUDGED = _Judged.model_construct(verdicts=())


class _Meta(BaseModel):
    model_config = _BUILT_LATE

    model: str = ""
    usage: _Usage = _NOTHING
    cost: float | None = None
    attempts: int = 0
    repairs: int = 0
    time: str = ""
    ground: float | None = None
    judge: _Judged = _UNJUDGED


def read_outcomes(run: Path, name: str) -> Iterator[Outcome | None]:
    """What the lines of `records.jsonl` or `rejects.jsonl` are, None for a damaged one."""
    for file in parts(run, name):
        for whole, damaged in scan_lines(file):
            for _, line in whole:
                yield _built(name, line)
            if damaged is not None:
                yield None


def _built(name: str, line: bytes) -> Outcome | None:
    try:
        outcome: Outcome = _adapter(name).validate_json(line)
        _Meta.model_validate(outcome.meta)
    except ValidationError:
        return None
    return outcome


@cache
def _adapter(name: str) -> TypeAdapter[Any]:
    return TypeAdapter(Record if name == RECORDS else Reject)


def evenly(total: int, most: int, seed: int = 0) -> Iterator[int]:
    """Places of `most` out of `total`, in order: one drawn from each of equal parts."""
    if total <= most:
        yield from range(total)
        return
    draws = Random(seed)  # noqa: S311 - a sample that is the same each time, no secret
    for part in range(most):
        yield draws.randrange(part * total // most, (part + 1) * total // most)
