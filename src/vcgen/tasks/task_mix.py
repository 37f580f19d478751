"""What to make of each clip: every task, or one that is drawn for it; and how many in all."""

from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

from vcgen.data.hashing import hash64
from vcgen.tasks.task import Task


@dataclass(frozen=True)
class TaskMix:
    """Which tasks a clip gets.

    Attributes:
        weights: how often each task is drawn, relative to the others; None is all for each clip.
        seed: of the draw, which the clip's id alone decides: where it stands says nothing.
    """

    tasks: tuple[Task, ...]
    weights: tuple[float, ...] | None = None
    seed: int = 0

    @property
    def size(self) -> int:
        """How many tasks each clip gets."""
        return len(self.tasks) if self.weights is None else 1

    def of(self, clip_id: str) -> Sequence[Task]:
        """The tasks of a clip."""
        if self.weights is None:
            return self.tasks
        drawn = hash64(f"task/{self.seed}/{clip_id}") / 2**64
        return (self.tasks[bisect(self._sums, drawn * self._sums[-1])],)

    @cached_property
    def _sums(self) -> list[float]:
        return list(accumulate(self.weights or ()))
