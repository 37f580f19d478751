"""What a run is to produce. Checked when built; `vcgen.recipes` reads it from files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import get_args

from vcgen.checks.codes import SeverityOverride
from vcgen.data.records import Kind
from vcgen.errors import UsageError

DEFAULT_TASKS = ("description", "conversation")
DEFAULT_KINDS: tuple[Kind, ...] = ("descriptive", "temporal", "causal")
_LARGEST = 2**31 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What a run is to produce. Two runs of the same recipe, model and templates can be continued.

    Attributes:
        tasks: what to make of each clip.
        weights: one a task: make only one of each clip, drawn by these; None makes all.
        turns: the least and the most turns of a conversation.
        kinds: kinds of question a conversation must have, where it has room for all of them.
        refine: whether the narrative gets its clean-up pass.
        words: the least and the most words asked of a narrative.
        language: of what is written.
        seed: of every draw.
        temperature: None leaves it to the endpoint.
        max_tokens: room for one reply, in tokens.
        repairs: how often a reply that cannot be used is sent back with what is wrong.
        checks: severities by code, where they are to be others than those of `vcgen.checks.CODES`;
            what is `off` is no fault.
    """

    tasks: tuple[str, ...] = DEFAULT_TASKS
    weights: tuple[float, ...] | None = None
    turns: tuple[int, int] = (3, 5)
    kinds: tuple[Kind, ...] = DEFAULT_KINDS
    refine: bool = True
    words: tuple[int, int] = (80, 160)
    language: str = "English"
    seed: int = 0
    temperature: float | None = None
    max_tokens: int = 1024
    repairs: int = 1
    checks: Mapping[str, SeverityOverride] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_tasks(self.tasks, self.weights)
        least, most = self.turns
        if not 1 <= least <= most <= 20:
            raise UsageError(f"turns {least}-{most}: must be a range within 1 to 20, such as 3-5")
        unknown = [kind for kind in self.kinds if kind not in DEFAULT_KINDS]
        if unknown or not self.kinds:
            shown = ", ".join(unknown) or "(none)"
            raise UsageError(f"kinds {shown}: choose from {', '.join(DEFAULT_KINDS)}")
        if len(set(self.kinds)) < len(self.kinds):
            raise UsageError(f"kinds {', '.join(self.kinds)}: name each once")
        if not 1 <= self.words[0] <= self.words[1]:
            raise UsageError(f"words {self.words}: must be a range")
        if not (self.language.isprintable() and any(map(str.isalpha, self.language))):
            raise UsageError(f"language {self.language!r}: name one, such as English or zh-CN")
        if self.temperature is not None and not 0 <= self.temperature <= 10:
            raise UsageError(f"temperature must be a number from 0, not {self.temperature}")
        _check_severities(self.checks)
        for name, least in (("seed", 0), ("max_tokens", 1), ("repairs", 0)):
            if not least <= getattr(self, name) <= _LARGEST:
                value = getattr(self, name)
                raise UsageError(f"{name} must be from {least} to {_LARGEST}, not {value}")


def _check_severities(checks: Mapping[str, str]) -> None:
    for code, severity in checks.items():
        if severity not in get_args(SeverityOverride):
            raise UsageError(
                f"check {code}: {', '.join(get_args(SeverityOverride))}, not {severity!r}"
            )


def _check_tasks(tasks: Sequence[str], weights: Sequence[float] | None) -> None:
    if not tasks or len(set(tasks)) < len(tasks):
        raise UsageError("tasks must be at least one, each named once")
    if weights is None:
        return
    if len(weights) != len(tasks) or not all(0 < each < inf for each in weights):
        raise UsageError("weights must be numbers above 0, one a task")
