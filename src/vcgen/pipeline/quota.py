"""Begin no more samples than the wanted number of records can use."""

from math import inf

import anyio


class RecordQuota:
    """Slots for samples under way, one for each record still wanted.

    A sample holds a slot until it ends; one that ends without a record frees it for another.

    Args:
        wanted: number of records, None for no bound.
    """

    def __init__(self, wanted: int | None) -> None:
        self._wanted = inf if wanted is None else wanted
        self._begun = 0
        self._freed = anyio.Event()

    @property
    def is_met(self) -> bool:
        """Whether no more records are wanted."""
        return self._wanted <= 0

    async def begin(self) -> bool:
        """Wait for a slot; return False if no more records are wanted."""
        while self._begun >= self._wanted and not self.is_met:
            await self._freed.wait()
        if self.is_met:
            return False
        self._begun += 1
        return True

    def end(self, *, with_record: bool) -> None:
        """Free the slot of a sample."""
        self._begun -= 1
        self._wanted -= with_record
        if self._begun + 1 >= self._wanted:
            self._freed.set()
            self._freed = anyio.Event()
