"""Bound the memory of replies that are read at the same time.

A usual reply is a few kilobytes, and its connection never comes here. One that is larger than
`LARGE_BYTES` needs a place before more of it is read; until then its connection is paused, so that
TCP holds the server back. A place is for a whole reply: those that have one always finish.
"""

import asyncio
from collections import deque

LARGE_BYTES = 128 << 10
# With the cap of a reply, 8 MiB, that is 64 MiB for all that are large, and 512 that are not yet
# have as much again.
PLACES = 8


class LargeReplies:
    """The places for large replies, given first come, first served."""

    def __init__(self, places: int = PLACES) -> None:
        self._free = places
        self._waiting: deque[asyncio.Future[None]] = deque()

    def enter(self) -> asyncio.Future[None] | None:
        """Take a place, or return a future that is done once one is taken."""
        if self._free:
            self._free -= 1
            return None
        place = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        return place

    def leave(self, entered: asyncio.Future[None] | None) -> None:
        """Pass a place on, or wait for it no longer. `entered`: what `enter` has returned."""
        if entered is not None and (not entered.done() or entered.cancelled()):
            entered.cancel()
            return
        while self._waiting:
            place = self._waiting.popleft()
            if not place.done():
                place.set_result(None)
                return
        self._free += 1
