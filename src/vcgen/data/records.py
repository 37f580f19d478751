"""The outcomes of a run: every sample ends as exactly one `Record` or `Reject`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

Kind = Literal["description", "descriptive", "temporal", "causal"]
KINDS: tuple[Kind, ...] = ("description", "descriptive", "temporal", "causal")


class Reason(StrEnum):
    """Why a sample ended without a record; the codes of `rejects.jsonl`."""

    INVALID_CLIP = "invalid_clip"
    DUPLICATE_CLIP = "duplicate_clip"
    PROMPT_TOO_LARGE = "prompt_too_large"
    BAD_REQUEST = "bad_request"
    SERVER_ERROR = "server_error"
    NETWORK = "network"
    TIMEOUT = "timeout"
    THROTTLED = "throttled"
    INVALID_RESPONSE = "invalid_response"
    CONTENT_FILTER = "content_filter"
    REFUSAL = "refusal"
    TRUNCATED = "truncated"
    INVALID_REPLY = "invalid_reply"
    FAILED_CHECKS = "failed_checks"
    LEAK = "leak"
    CONTRADICTED = "contradicted"
    UNJUDGED = "unjudged"
    TASK_ERROR = "task_error"
    INTERNAL_ERROR = "internal_error"


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
        flags: codes of checks that mark the record but do not reject it.
        meta: provenance: model, hash of the recipe (its content is in `run.json`), seed,
            parameters, version, template hashes, usage, cost in US dollars, attempts, repairs, hash
            of the evidence, time, cleaned (repairs of the clip, if any), ground (the share of the
            answers' words that the evidence has), judge (verdicts, their usage and cost).
    """

    id: str
    video: str
    clip_id: str
    task: str
    turns: tuple[Turn, ...]
    flags: tuple[str, ...] = ()
    meta: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reject:
    """A sample, or an input row, that ended without a record.

    Attributes:
        id: the sample's id; for a row that is not a valid clip, `<file>:<line>`.
        attempts: requests sent for it.
        reply: text of the last reply, empty if no reply came.
        codes: of the checks that it failed.
        meta: as in `Record`, as far as known.
    """

    id: str
    reason: Reason
    message: str
    attempts: int = 0
    reply: str = ""
    codes: tuple[str, ...] = ()
    meta: Mapping[str, Any] = field(default_factory=dict)


Outcome = Record | Reject


def is_simulated(model: str) -> bool:
    """Whether text of a model is the simulator's: `sim`, or a name that begins with `sim:`."""
    return model.partition(":")[0] == "sim"
