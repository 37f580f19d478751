"""Records and answers that were there before, word for word or nearly, in a few bytes each.

MinHash with banding (A. Broder, *On the resemblance and containment of documents*, 1997; J. Ullman
et al., *Mining of Massive Datasets*, chapter 3) over runs of three words. Not the signatures are
kept, only bits of a Bloom filter for each of their bands: 14 bytes an answer and 4 a record,
however long they are.
"""

import re
from collections.abc import Sequence
from enum import IntEnum

from rensa import RMinHash

from vcgen.data.hashing import hash64
from vcgen.data.records import Turn

BANDS, ROWS = 8, 4
# With so many bands of eight alike, texts that share 90 % of their runs of words are found 98 times
# in 100, those that share half of them once.
NEARLY = 3
LEAST_WORDS = 8  # "Yes, he does." may be said of many videos
_RUN = 3
_SEED = 7

_BITS, _PROBES = 11, 4  # a hash; 1 in 100 is taken for seen in a layer that was not
_RECORD_HASHES, _RECORD_PROBES = 3, 5  # together 1 in 10,000,000, as such a record is dropped
_LAYER = 1 << 20  # hashes
_LAYER_BITS = _LAYER * _BITS

_WORD = re.compile(r"\w+")


class Duplicate(IntEnum):
    """How much of an answer was there before; `SAME` is word for word, for another video."""

    NEW = 0
    NEARLY = 1
    SAME = 2


class Duplicates:
    """All records of a data set so far, and their answers of `LEAST_WORDS` or more."""

    def __init__(self) -> None:
        self._layers = [bytearray(_LAYER_BITS // 8)]
        self._room = _LAYER

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(map(len, self._layers))

    def look_at(self, video: str, turns: Sequence[Turn]) -> list[Duplicate] | None:
        """What each answer of a record is, as `look`; None where all of it was there before."""
        texts = [text for turn in turns for text in (turn.question, turn.answer)]
        # Of two records that do not say what they are about, nobody knows that it is the same.
        if video and self.has_record(video, texts):
            return None
        return self.look(video, texts[1::2])

    def has_record(self, video: str, texts: Sequence[str]) -> bool:
        """Whether a record of this video with these questions and answers was there before."""
        places = [
            _places_of(_hash([str(number), video, *texts]), _RECORD_PROBES)
            for number in range(_RECORD_HASHES)
        ]
        if any(all(_has(layer, each) for each in places) for layer in self._layers):
            return True
        self._add(places)
        return False

    def look(self, video: str, answers: Sequence[str]) -> list[Duplicate]:
        """What each answer of a record is, beside those of all records before it."""
        hashes = [_hashes(answer, video) for answer in answers]
        places = [[_places_of(each, _PROBES) for each in hashed] for hashed in hashes]
        seen = [self._seen(each) for each in places]
        for each in filter(None, places):
            self._add(each)
        return seen

    def _seen(self, places: Sequence[Sequence[int]]) -> Duplicate:
        found = Duplicate.NEW
        if places:
            own, *told = places
            # What was left of one answer is in one layer.
            for layer in self._layers:
                alike = sum(_has(layer, each) for each in told)
                if alike == len(told) and not _has(layer, own):
                    return Duplicate.SAME
                if alike >= NEARLY:
                    found = Duplicate.NEARLY
        return found

    def _add(self, places: Sequence[Sequence[int]]) -> None:
        if self._room < len(places):
            self._layers.append(bytearray(_LAYER_BITS // 8))
            self._room = _LAYER
        self._room -= len(places)
        layer = self._layers[-1]
        for bits in places:
            for place in bits:
                layer[place >> 3] |= 1 << (place & 7)


def _hashes(answer: str, video: str) -> list[int]:
    """Of its words for this video, of its words, and of each band; none for a short answer."""
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
    return [
        _hash([video, *words]),
        _hash(words),
        *(hash((number, band)) for number, band in enumerate(bands)),
    ]


def _hash(words: Sequence[str]) -> int:
    return hash64("\0".join(words))


def _places_of(hashed: int, probes: int) -> list[int]:
    """Where in a layer its bits are."""
    step = hashed & 0xFFFFFFFF
    return [((hashed >> 32) + probe * step) % _LAYER_BITS for probe in range(probes)]


def _has(layer: bytearray, places: Sequence[int]) -> bool:
    for place in places:  # noqa: SIM110 - all() over a generator takes three times as long
        if not layer[place >> 3] & 1 << (place & 7):
            return False
    return True
