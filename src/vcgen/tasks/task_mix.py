"""Choose the tasks of each clip: all of them, or one drawn by weight."""

from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

from vcgen.data.hashing import hash64
from vcgen.tasks.task import Task


@dataclass(frozen=True)
class TaskMix:
    """The tasks of a run.

    Attributes:
        weights: relative frequency of each task; None does all tasks for every clip.
        seed: of the draws. A draw depends on the seed and the clip's id, not on the order of clips.
    """

    tasks: tuple[Task, ...]
    weights: tuple[float, ...] | None = None
    seed: int = 0

    @property
    def size(self) -> int:
        return len(self.tasks) if self.weights is None else 1

    def of(self, clip_id: str) -> Sequence[Task]:
        if self.weights is None:
            return self.tasks
        draw = hash64(f"task/{self.seed}/{clip_id}") / 2**64
        return (self.tasks[bisect(self._cumulative, draw * self._cumulative[-1])],)

    @cached_property
    def _cumulative(self) -> list[float]:
        return list(accumulate(self.weights or ()))
