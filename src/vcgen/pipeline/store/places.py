"""Which clip ids were taken, and where: some 14 bytes an id.

A run keeps one entry for every clip it has seen, and a dict of the same takes ten times as much.
"""

from bisect import bisect_right
from typing import Literal, NamedTuple

from vcgen.pipeline.store.compact import CompactMap

_DIGITS = "0123456789"
_MOST_DIGITS = 18
# Rows between two clips that are none; a longer way would waste codes, of which there are 2 ** 32.
_LONGEST_GAP = 64


class Places:
    """Ids with the places they came from, such as `clips.jsonl:17` or `clips[17]`.

    A place is kept as a code: places that differ in their number only have codes in a row.
    """

    def __init__(self) -> None:
        self._codes = CompactMap("I")
        self._spans = [_Span("", "", "nothing", 0)]
        self._first = [0]  # the first code of each span
        self._end = 1  # above all codes so far

    def take(self, key: str, place: str) -> str | None:
        """None if the id was free and is now taken; else the place that took it."""
        code = self._end
        if self._spans[-1].place(code, key) != place:  # it is not the next one in a row
            code = self._find_code(key, place)
        self._end = max(self._end, code + 1)
        taken = self._codes.add(key, code)
        if taken is None:
            return None
        return self._spans[bisect_right(self._first, taken) - 1].place(taken, key)

    def _find_code(self, key: str, place: str) -> int:
        before, number, after = _numbered(place)
        last = self._spans[-1]
        if number is not None and (before, after, "number") == last[:3]:
            code = number - last.shift
            if self._first[-1] <= code < self._end + _LONGEST_GAP:
                return code
        self._spans.append(_span_of(key, place, self._end))
        self._first.append(self._end)
        return self._end


class _Span(NamedTuple):
    """Places that differ only in what stands between two texts."""

    before: str
    after: str
    middle: Literal["number", "id", "nothing"]
    shift: int  # from the code to the number

    def place(self, code: int, key: str) -> str:
        if self.middle == "number":
            return f"{self.before}{code + self.shift}{self.after}"
        return f"{self.before}{key}{self.after}" if self.middle == "id" else self.before


def _span_of(key: str, place: str, code: int) -> _Span:
    before, found, after = place.rpartition(key)
    if found:  # as in a JSON object, where a row has its key for a number
        return _Span(before, after, "id", 0)
    before, number, after = _numbered(place)
    if number is None:
        return _Span(place, "", "nothing", 0)
    return _Span(before, after, "number", number - code)


def _numbered(place: str) -> tuple[str, int | None, str]:
    """A place's number, None if it has none that is written plainly; what is before and after."""
    body = place.removesuffix("]")
    before = body.rstrip(_DIGITS)
    digits = body[len(before) :]
    plain = digits == "0" or (0 < len(digits) <= _MOST_DIGITS and digits[0] != "0")
    return before, int(digits) if plain else None, place[len(body) :]
