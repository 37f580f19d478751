"""Sets and maps of 64-bit hashes in little memory."""

from array import array
from bisect import bisect_left, bisect_right
from typing import Literal

from vcgen.data.hashing import _CHUNK_ENTRIES, _SHARDS


class CompactSet:
    """Names that are in it or not. Fast if all are added before the first is asked for."""

    def __init__(self) -> None:
        # Each is sorted by itself, so that sorting never takes much memory.
        self._shards = [array("q") for _ in range(_SHARDS)]
        self._sorted = True

    def add(self, name: str) -> None:
        """Put a name in, once or again."""
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
    """Numbers by name, in chunks of hashes: each sorted, and all of one below those of the next.

    Args:
        width: of a number, as a type code of `array`: 4 or 8 bytes without a sign.
    """

    def __init__(self, width: Literal["I", "Q"]) -> None:
        self._lowest = [-(2**63)]  # each chunk's, no matter whether it is there
        self._chunks = [(array("q"), array(width))]

    def __bool__(self) -> bool:
        return bool(self._chunks[0][0]) or len(self._chunks) > 1

    def get(self, name: str) -> int | None:
        """The number of a name, None if it has none."""
        hashed = hash(name)
        hashes, numbers = self._chunks[bisect_right(self._lowest, hashed) - 1]
        at = bisect_left(hashes, hashed)
        return numbers[at] if at < len(hashes) and hashes[at] == hashed else None

    def add(self, name: str, number: int) -> int | None:
        """None if the name had no number and now has this one; else the number it keeps."""
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
        """How often a name was counted, this time included; of names that have no other number."""
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
