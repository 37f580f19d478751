"""Which clip ids were taken, and where: hash tables in arrays, some 30 bytes an id.

A run keeps one entry for every clip it has seen, and a dict of the same takes five times as much.
An id is its 64-bit hash here: among a million ids, two share one with a probability of 3 in 100
million.
"""

import re
from array import array
from bisect import bisect_right

_SHARDS = 256  # they grow one at a time, so that growing never needs the whole table twice
_FIRST_SLOTS = 16
_FULL = 0.7
# Instead of a number, where a place ends in the id itself, or is kept as it is.
_BY_ID, _AS_IT_IS = 0xFFFF_FFFF, 0xFFFF_FFFE
_NUMBERED = re.compile(r"(.*[:\[])(0|[1-9]\d{0,8})(\]?)", re.DOTALL)


class Places:
    """Ids with the places they came from, such as `clips.jsonl:17` or `clips[17]`."""

    def __init__(self) -> None:
        self._shards = [_Shard() for _ in range(_SHARDS)]
        self._numbers = array("I")  # of the places, in the order they came
        self._forms: list[tuple[str, str]] = []  # what stands before and after the number
        self._form_since: list[int] = []

    def take(self, key: str, place: str) -> str | None:
        """None if the id was free and is now taken; else the place that took it."""
        hashed = (hash(key) & 0xFFFF_FFFF_FFFF_FFFF) or 1  # 0 marks a free slot
        first = self._shards[hashed % _SHARDS].add(hashed, len(self._numbers))
        if first is not None:
            return self._place(first, key)
        self._keep(place, key)
        return None

    def _keep(self, place: str, key: str) -> None:
        numbered = _NUMBERED.fullmatch(place)
        if numbered:
            form, number = (numbered[1], numbered[3]), int(numbered[2])
        elif place.endswith(key):  # a row of a JSON object has its key for a number
            form, number = (place.removesuffix(key), ""), _BY_ID
        else:
            form, number = (place, ""), _AS_IT_IS
        if not self._forms or self._forms[-1] != form:
            self._forms.append(form)
            self._form_since.append(len(self._numbers))
        self._numbers.append(number)

    def _place(self, ordinal: int, key: str) -> str:
        before, after = self._forms[bisect_right(self._form_since, ordinal) - 1]
        number = self._numbers[ordinal]
        if number == _AS_IT_IS:
            return before
        return f"{before}{key if number == _BY_ID else number}{after}"


class _Shard:
    """An open-addressing table with linear probing from hashes to ordinals."""

    __slots__ = ("_hashes", "_ordinals", "_used")

    def __init__(self) -> None:
        self._hashes = array("Q", bytes(8 * _FIRST_SLOTS))
        self._ordinals = array("I", bytes(4 * _FIRST_SLOTS))
        self._used = 0

    def add(self, hashed: int, ordinal: int) -> int | None:
        slot = self._find(hashed)
        if self._hashes[slot]:
            return self._ordinals[slot]
        self._hashes[slot], self._ordinals[slot] = hashed, ordinal
        self._used += 1
        if self._used > _FULL * len(self._hashes):
            self._grow()
        return None

    def _find(self, hashed: int) -> int:
        hashes = self._hashes
        size = len(hashes)
        slot = hashed // _SHARDS % size
        while (found := hashes[slot]) and found != hashed:
            slot = (slot + 1) % size
        return slot

    def _grow(self) -> None:
        entries = [(key, at) for key, at in zip(self._hashes, self._ordinals, strict=True) if key]
        slots = len(self._hashes) * 3 // 2
        self._hashes = array("Q", bytes(8 * slots))
        self._ordinals = array("I", bytes(4 * slots))
        for hashed, ordinal in entries:
            slot = self._find(hashed)
            self._hashes[slot], self._ordinals[slot] = hashed, ordinal
