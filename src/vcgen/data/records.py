"""What comes out of a run: every sample ends as exactly one `Record` or `Reject`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from vcgen.errors import Reason

Kind = Literal["description", "descriptive", "temporal", "causal"]
KINDS: tuple[Kind, ...] = ("description", "descriptive", "temporal", "causal")


@dataclass(frozen=True, slots=True)
class Turn:
    """One question and its answer."""

    kind: Kind
    question: str
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """An accepted sample.

    Attributes:
        id: `<clip id>/<task>/<variant>`.
        flags: codes of checks worth a look that were no reason to reject.
        meta: where it came from: model, hash of the recipe (its content is in `run.json`), seed,
            parameters, version, template hashes, usage, cost in US dollars, attempts, repairs, hash
            of the evidence, time, cleaned (repairs of the clip, where there were any), ground (the
            share of the answers' words that the evidence has), judge (verdicts, what they took).
    """

    id: str
    video: str
    clip_id: str
    task: str
    turns: tuple[Turn, ...]
    flags: tuple[str, ...] = ()
    meta: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> "Record":
        """A record from its parsed line; raises KeyError or TypeError if it is none."""
        turns = [Turn(turn["kind"], turn["question"], turn["answer"]) for turn in row["turns"]]
        return cls(
            id=row["id"],
            video=row["video"],
            clip_id=row["clip_id"],
            task=row["task"],
            turns=tuple(turns),
            flags=tuple(row.get("flags", ())),
            meta=row.get("meta", {}),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reject:
    """A sample, or an input row, that ended without a record.

    Attributes:
        id: the sample's id; for a row that never became a clip, `<file>:<line>`.
        attempts: requests sent for it.
        reply: the last reply's text, empty if there was none.
        meta: as in `Record`, as far as it was known.
    """

    id: str
    reason: Reason
    message: str
    attempts: int = 0
    reply: str = ""
    meta: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> "Reject":
        """A reject from its parsed line; raises KeyError, TypeError or ValueError if it is none."""
        return cls(
            id=row["id"],
            reason=Reason(row["reason"]),
            message=row["message"],
            attempts=row.get("attempts", 0),
            reply=row.get("reply", ""),
            meta=row.get("meta", {}),
        )


Outcome = Record | Reject
