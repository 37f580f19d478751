"""What to make of each clip: every task, or one that is drawn for it; and how many in all."""

from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from math import inf

import anyio

from vcgen.hashes import number_of
from vcgen.tasks import Task


@dataclass(frozen=True)
class Mix:
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
        drawn = number_of(f"task/{self.seed}/{clip_id}") / 2**64
        return (self.tasks[bisect(self._sums, drawn * self._sums[-1])],)

    @cached_property
    def _sums(self) -> list[float]:
        return list(accumulate(self.weights or ()))


class Quota:
    """How many records are still wanted, so that no more samples are begun than can be used.

    A sample that is begun has its place until it ends; one that ends without a record gives it
    back.

    Args:
        wanted: records, None for as many as there can be.
    """

    def __init__(self, wanted: int | None) -> None:
        self._wanted = inf if wanted is None else wanted
        self._begun = 0
        self._freed = anyio.Event()

    @property
    def is_met(self) -> bool:
        """Whether all records are there."""
        return self._wanted <= 0

    async def begin(self) -> bool:
        """Wait for a place for a sample; False if no more records are wanted."""
        while self._begun >= self._wanted and not self.is_met:
            await self._freed.wait()
        if self.is_met:
            return False
        self._begun += 1
        return True

    def end(self, *, with_record: bool) -> None:
        """A sample that was begun has ended."""
        self._begun -= 1
        self._wanted -= with_record
        if self._begun + 1 >= self._wanted:
            self._freed.set()
            self._freed = anyio.Event()
