"""Answers that were there before, word for word or nearly, in a few bytes each.

MinHash with banding (A. Broder, *On the resemblance and containment of documents*, 1997; J. Ullman
et al., *Mining of Massive Datasets*, chapter 3) over runs of three words. Not the signatures are
kept, only bits of a Bloom filter for each of their bands: 14 bytes an answer, however long it is.
"""

import re
from collections.abc import Sequence
from enum import IntEnum
from hashlib import blake2b

from rensa import RMinHash

BANDS, ROWS = 8, 4
# With so many bands of eight alike, texts that share 90 % of their runs of words are found 98 times
# in 100, those that share half of them once.
NEARLY = 3
LEAST_WORDS = 8  # "Yes, he does." may be said of many videos
_RUN = 3
_SEED = 7

_BITS, _PROBES = 12, 4  # a band of an answer; 7 in 1,000 are taken for seen that were not
_LAYER = 1 << 16  # answers
_LAYER_BITS = _LAYER * (1 + BANDS) * _BITS

_WORD = re.compile(r"\w+")


class Seen(IntEnum):
    """How much of an answer was there before."""

    NEW = 0
    NEARLY = 1
    SAME = 2


class Duplicates:
    """All answers of a data set so far. Shorter ones than `LEAST_WORDS` are always new."""

    def __init__(self) -> None:
        self._layers = [bytearray(_LAYER_BITS // 8)]
        self._room = _LAYER

    def look(self, answers: Sequence[str]) -> list[Seen]:
        """What each answer of one record is, beside those of all records before it."""
        places = [_places(answer) for answer in answers]
        seen = [self._seen(each) for each in places]
        for each in filter(None, places):
            self._add(each)
        return seen

    def _seen(self, places: Sequence[Sequence[int]]) -> Seen:
        if not places:
            return Seen.NEW
        # What was left of one answer is in one layer.
        alike = max(sum(_has(layer, bits) for bits in places) for layer in self._layers)
        if alike == len(places):
            return Seen.SAME
        return Seen.NEARLY if alike >= NEARLY else Seen.NEW

    def _add(self, places: Sequence[Sequence[int]]) -> None:
        if not self._room:
            self._layers.append(bytearray(_LAYER_BITS // 8))
            self._room = _LAYER
        self._room -= 1
        layer = self._layers[-1]
        for bits in places:
            for place in bits:
                layer[place >> 3] |= 1 << (place & 7)


def _places(answer: str) -> list[list[int]]:
    """Where in a filter its bits are, of all words and of each band; none for a short answer."""
    words = _WORD.findall(answer.lower())
    if len(words) < LEAST_WORDS:
        # Scripts without spaces: three characters are about as much as three words elsewhere.
        words = [letter for word in words for letter in word] if not answer.isascii() else []
        if len(words) < 2 * LEAST_WORDS:
            return []
    signature = RMinHash(num_perm=BANDS * ROWS, seed=_SEED)
    signature.update([" ".join(words[at : at + _RUN]) for at in range(len(words) - _RUN + 1)])
    digest = signature.digest()
    bands = (tuple(digest[at : at + ROWS]) for at in range(0, len(digest), ROWS))
    hashes = [_hash(words), *(hash((number, band)) for number, band in enumerate(bands))]
    return [
        [((each >> 32) + probe * (each & 0xFFFFFFFF)) % _LAYER_BITS for probe in range(_PROBES)]
        for each in hashes
    ]


def _hash(words: Sequence[str]) -> int:
    written = "\n".join(words).encode("utf-8", "replace")
    return int.from_bytes(blake2b(written, digest_size=8).digest())


def _has(layer: bytearray, places: Sequence[int]) -> bool:
    return all(layer[place >> 3] & 1 << (place & 7) for place in places)
