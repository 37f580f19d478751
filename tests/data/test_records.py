"""Records and rejects: what is written is read back, and a faulty row is refused."""

from dataclasses import asdict
from typing import Any, get_args

import orjson
import pytest
from pydantic import TypeAdapter, ValidationError

from vcgen.data.records import KINDS, Kind, Reason, Record, Reject, Turn

RECORD = Record(
    id="dog/conversation/0",
    video="dog.mp4",
    clip_id="dog",
    task="conversation",
    turns=(Turn("causal", "Why does it run?", "To catch the ball."),),
    flags=("aside",),
    meta={"model": "sim", "cost": None},
)
REJECT = Reject(
    id="dog/description/0",
    reason=Reason.FAILED_CHECKS,
    message="too short",
    attempts=2,
    reply="A dog.",
    meta={"codes": ["too-short"]},
)


def as_row(outcome: Record | Reject) -> dict[str, Any]:
    row = orjson.loads(orjson.dumps(asdict(outcome)))
    assert isinstance(row, dict)
    return row


def test_an_outcome_survives_json() -> None:
    assert TypeAdapter(Record).validate_python(as_row(RECORD)) == RECORD
    assert TypeAdapter(Reject).validate_python(as_row(REJECT)) == REJECT


def test_optional_fields_may_be_missing() -> None:
    row = as_row(RECORD)
    del row["flags"], row["meta"]
    record = TypeAdapter(Record).validate_python(row)
    assert (record.flags, record.meta) == ((), {})
    reject = TypeAdapter(Reject).validate_python(
        {"id": "a:7", "reason": "invalid_clip", "message": "a:7: no id"}
    )
    assert (reject.attempts, reject.reply, reject.meta) == (0, "", {})


def test_unknown_fields_are_ignored() -> None:
    assert TypeAdapter(Record).validate_python(as_row(RECORD) | {"crc": "00", "later": 1}) == RECORD


@pytest.mark.parametrize("field", ["id", "video", "clip_id", "task", "turns"])
def test_a_record_without_a_field_is_refused(field: str) -> None:
    row = as_row(RECORD)
    del row[field]
    with pytest.raises(ValidationError):
        TypeAdapter(Record).validate_python(row)


@pytest.mark.parametrize("turns", [7, [7], [{"kind": "causal"}], None])
def test_faulty_turns_are_refused(turns: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Record).validate_python(as_row(RECORD) | {"turns": turns})


def test_an_unknown_reason_is_refused() -> None:
    with pytest.raises(ValidationError, match="rumour"):
        TypeAdapter(Reject).validate_python(as_row(REJECT) | {"reason": "rumour"})


def test_kinds_are_those_of_the_type() -> None:
    assert get_args(Kind) == KINDS
