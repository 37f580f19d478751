"""Count how many records are still wanted."""

from math import inf

import anyio


class RecordQuota:
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
