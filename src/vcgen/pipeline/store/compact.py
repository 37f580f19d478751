"""Sets and maps of names in 9 to 20 bytes a name.

The names are not kept, only their 64-bit hashes: the probability that two of a million names share
one is 3 in 100 million.
"""

from array import array
from bisect import bisect_left, bisect_right
from typing import Literal

_SHARDS = 256
# Small enough that an insertion into the middle of a chunk moves only a few kilobytes.
_CHUNK_ENTRIES = 1024


class CompactSet:
    """A set of names. Fast if all are added before the first lookup: that one sorts them."""

    def __init__(self) -> None:
        # Each is sorted by itself, so that sorting takes little extra memory.
        self._shards = [array("q") for _ in range(_SHARDS)]
        self._sorted = True

    def add(self, name: str) -> None:
        hashed = hash(name)
        self._shards[hashed % _SHARDS].append(hashed)
        self._sorted = False

    def __contains__(self, name: str) -> bool:
        if not self._sorted:
            self._shards = [array("q", sorted(shard)) for shard in self._shards]
            self._sorted = True
        hashed = hash(name)
        shard = self._shards[hashed % _SHARDS]
        at = bisect_left(shard, hashed)
        return at < len(shard) and shard[at] == hashed


class CompactMap:
    """A map from names to numbers: sorted chunks of hashes, in ascending order.

    Args:
        width: of a number, as a type code of `array`: 1, 4 or 8 bytes without a sign.
    """

    def __init__(self, width: Literal["B", "I", "Q"]) -> None:
        self._lowest = [-(2**63)]  # lower bound of each chunk
        self._chunks = [(array("q"), array(width))]

    def __bool__(self) -> bool:
        return bool(self._chunks[0][0]) or len(self._chunks) > 1

    def get(self, name: str) -> int | None:
        """Return the number of a name, or None."""
        hashed = hash(name)
        hashes, numbers = self._chunks[bisect_right(self._lowest, hashed) - 1]
        at = bisect_left(hashes, hashed)
        return numbers[at] if at < len(hashes) and hashes[at] == hashed else None

    def add(self, name: str, number: int) -> int | None:
        hashed = hash(name)
        chunk = bisect_right(self._lowest, hashed) - 1
        hashes, numbers = self._chunks[chunk]
        at = bisect_left(hashes, hashed)
        if at < len(hashes) and hashes[at] == hashed:
            return numbers[at]
        hashes.insert(at, hashed)
        numbers.insert(at, number)
        if len(hashes) > _CHUNK_ENTRIES:
            self._split(chunk)
        return None

    def count(self, name: str) -> int:
        """Count a name and return its count, this one included."""
        if self.add(name, 1) is None:
            return 1
        hashed = hash(name)
        hashes, numbers = self._chunks[bisect_right(self._lowest, hashed) - 1]
        at = bisect_left(hashes, hashed)
        numbers[at] += 1
        return numbers[at]

    def _split(self, chunk: int) -> None:
        hashes, numbers = self._chunks[chunk]
        half = len(hashes) // 2
        self._lowest.insert(chunk + 1, hashes[half])
        # Slices, unlike arrays shortened in place, take no more memory than they need.
        self._chunks[chunk : chunk + 1] = [
            (hashes[:half], numbers[:half]),
            (hashes[half:], numbers[half:]),
        ]
