"""The recipe of a run, checked when built; `recipe_files` reads it from TOML."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any, get_args

from vcgen.checks.codes import SeverityOverride
from vcgen.data.records import Kind
from vcgen.engine.models import EFFORTS, Effort
from vcgen.errors import UsageError

DEFAULT_TASKS = ("description", "conversation")
DEFAULT_KINDS: tuple[Kind, ...] = ("descriptive", "temporal", "causal")
_LARGEST = 2**31 - 1
# Names that vcgen 0.1.0 wrote to run.json.
_RENAMED = {
    "words": "description_words",
    "max_tokens": "max_reply_tokens",
    "repairs": "max_repairs",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """The samples to make of each clip. A run is continued only with the same recipe.

    Attributes:
        tasks: by name.
        weights: one per task, to draw a single task for each clip; None does all tasks.
        turns: the range of the number of turns of a conversation.
        kinds: kinds of question that a conversation with enough turns must have.
        refine: whether a second request cleans up a description.
        description_words: the range of the length that the prompt of a narrative asks for.
        language: of questions and answers.
        seed: of every random draw.
        temperature: None leaves it to the endpoint.
        max_reply_tokens: room for one answer.
        effort: of thinking: `least`, one of the model's, or `model` for its own default.
        thinking_room: tokens for thinking beside the answer; None goes by the effort.
        max_repairs: how often an unusable reply is sent back with its problems.
        thinking_marks: two texts that open and close the thinking of a model, besides the known
            ones.
        keep_reasoning: whether the thinking is kept in the metadata.
        checks: severities by code that override those of `vcgen.checks.CODES`; `off` disables.
    """

    tasks: tuple[str, ...] = DEFAULT_TASKS
    weights: tuple[float, ...] | None = None
    turns: tuple[int, int] = (3, 5)
    kinds: tuple[Kind, ...] = DEFAULT_KINDS
    refine: bool = True
    description_words: tuple[int, int] = (80, 160)
    language: str = "English"
    seed: int = 0
    temperature: float | None = None
    max_reply_tokens: int = 1024
    effort: Effort = "least"
    thinking_room: int | None = None
    max_repairs: int = 1
    thinking_marks: tuple[str, str] | None = None
    keep_reasoning: bool = False
    checks: Mapping[str, SeverityOverride] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_tasks(self.tasks, self.weights)
        least, most = self.turns
        if not 1 <= least <= most <= 20:
            raise UsageError(f"turns {least}-{most}: must be a range within 1 to 20, such as 3-5")
        _check_kinds(self.kinds)
        least, most = self.description_words
        if not 1 <= least <= most:
            raise UsageError(
                f"description_words {least}-{most}: must be a range from 1 up, such as 80-160"
            )
        if not (self.language.isprintable() and any(map(str.isalpha, self.language))):
            raise UsageError(f"language {self.language!r}: give a name such as English or zh-CN")
        if self.temperature is not None and not 0 <= self.temperature <= 10:
            raise UsageError(f"temperature must be from 0 to 10, not {self.temperature}")
        if self.effort not in EFFORTS:
            raise UsageError(f"effort {self.effort!r}: choose from {', '.join(EFFORTS)}")
        if self.thinking_room is not None and not 0 <= self.thinking_room <= _LARGEST:
            raise UsageError(f"thinking_room must be from 0 to {_LARGEST}")
        if self.thinking_marks is not None and not all(self.thinking_marks):
            raise UsageError("thinking_marks: give two texts, such as <plan> and </plan>")
        _check_severities(self.checks)
        for name, least in (("seed", 0), ("max_reply_tokens", 1), ("max_repairs", 0)):
            if not least <= getattr(self, name) <= _LARGEST:
                value = getattr(self, name)
                raise UsageError(f"{name} must be from {least} to {_LARGEST}, not {value}")


def _check_kinds(kinds: Sequence[str]) -> None:
    unknown = [kind for kind in kinds if kind not in DEFAULT_KINDS]
    if unknown or not kinds:
        shown = ", ".join(unknown) or "(none)"
        raise UsageError(f"kinds {shown}: choose from {', '.join(DEFAULT_KINDS)}")
    if len(set(kinds)) < len(kinds):
        raise UsageError(f"kinds {', '.join(kinds)}: name each once")


def _check_severities(checks: Mapping[str, str]) -> None:
    for code, severity in checks.items():
        if severity not in get_args(SeverityOverride):
            raise UsageError(
                f"check {code}: {', '.join(get_args(SeverityOverride))}, not {severity!r}"
            )


def _check_tasks(tasks: Sequence[str], weights: Sequence[float] | None) -> None:
    if not tasks or len(set(tasks)) < len(tasks):
        raise UsageError("tasks: name at least one, each once")
    if weights is None:
        return
    if len(weights) != len(tasks) or not all(0 < weight < inf for weight in weights):
        raise UsageError("weights: give one number above 0 per task")


def with_current_names(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Rename the fields of a recipe that an earlier version wrote to `run.json`."""
    return {_RENAMED.get(name, name): value for name, value in fields.items()}
