"""Find records and answers that repeat earlier ones, exactly or nearly, in a few bytes each.

An answer is reduced to hashes: of its words with its video, of its words, and of the bands of its
MinHash signature over runs of three words (A. Broder, *On the resemblance and containment of
documents*, 1997; J. Ullman et al., *Mining of Massive Datasets*, chapter 3). Only bits of a Bloom
filter are kept of them: 14 bytes an answer and 4 a record, however long they are. An index of
buckets by band (rensa's `RMinHashLSH`) takes 885 bytes an answer.

The signatures need rensa, the extra `dedup`. Without it, exact repeats alone are found.
"""

import re
from collections.abc import Sequence
from enum import IntEnum

from vcgen.data.hashing import hash64
from vcgen.data.records import Turn

try:
    from rensa import RMinHash
except ImportError:
    RMinHash = None

NEAR_MISSING = "near duplicates were not looked for: pip install 'vcgen[dedup]'"

# Texts with 90 % of their runs of words in common have at least 3 of 8 bands in common 98 times in
# 100, texts with half of them once in 100.
BANDS, ROWS = 8, 4
LEAST_BANDS = 3
LEAST_WORDS = 8  # "Yes, he does." fits many videos
_RUN = 3
_SEED = 7

# Bits and probes of a hash: 1 in 100 new ones looks known in a layer. An answer counts as known by
# all of its nine hashes or by three; a record, which is then dropped, by all of its three with five
# probes each: 1 in 10,000,000.
_BITS, _PROBES = 11, 4
_RECORD_HASHES, _RECORD_PROBES = 3, 5
_LAYER = 1 << 20  # hashes
_LAYER_BITS = _LAYER * _BITS

_WORD = re.compile(r"\w+")


class Duplicate(IntEnum):
    """How much of an answer an earlier record has; `EXACT` is about another video."""

    NEW = 0
    NEAR = 1
    EXACT = 2


class DuplicateIndex:
    """Index of all records so far, and of their answers of `LEAST_WORDS` or more."""

    def __init__(self) -> None:
        self._layers = [bytearray(_LAYER_BITS // 8)]
        self._free = _LAYER

    @property
    def finds_near(self) -> bool:
        """Whether near duplicates are looked for."""
        return RMinHash is not None

    @property
    def size_bytes(self) -> int:
        """Memory of the filter."""
        return sum(map(len, self._layers))

    def add_record(self, video: str, turns: Sequence[Turn]) -> list[Duplicate] | None:
        """Classify each answer of a record and add them; None if the whole record is a repeat."""
        texts = [text for turn in turns for text in (turn.question, turn.answer)]
        # Records that name no video may be about different ones.
        if video and self.add_texts(video, texts):
            return None
        return self.add_answers(video, texts[1::2])

    def add_texts(self, video: str, texts: Sequence[str]) -> bool:
        """Add a record by its video and texts; return whether it was known."""
        bits = [
            _bits(_hash([str(number), video, *texts]), _RECORD_PROBES)
            for number in range(_RECORD_HASHES)
        ]
        if any(all(_has(layer, each) for each in bits) for layer in self._layers):
            return True
        self._add(bits)
        return False

    def add_answers(self, video: str, answers: Sequence[str]) -> list[Duplicate]:
        """Classify the answers of a record beside earlier records' answers, then add them."""
        hashed = [[_bits(each, _PROBES) for each in _hashes(text, video)] for text in answers]
        duplicates = [self._classify(bits) for bits in hashed]
        for bits in filter(None, hashed):
            self._add(bits)
        return duplicates

    def _classify(self, bits: Sequence[Sequence[int]]) -> Duplicate:
        duplicate = Duplicate.NEW
        if bits:
            own, *content = bits
            least = LEAST_BANDS if self.finds_near else len(content)
            for layer in self._layers:  # one layer holds all hashes of an answer
                known = sum(_has(layer, each) for each in content)
                if known == len(content) and not _has(layer, own):
                    return Duplicate.EXACT
                if known >= least:
                    duplicate = Duplicate.NEAR
        return duplicate

    def _add(self, bits: Sequence[Sequence[int]]) -> None:
        if self._free < len(bits):
            self._layers.append(bytearray(_LAYER_BITS // 8))
            self._free = _LAYER
        self._free -= len(bits)
        layer = self._layers[-1]
        for hashed in bits:
            for bit in hashed:
                layer[bit >> 3] |= 1 << (bit & 7)


def _hashes(answer: str, video: str) -> list[int]:
    """Hash an answer: its words with its video, its words, its bands; none if it is short."""
    words = _WORD.findall(answer.lower())
    if len(words) < LEAST_WORDS:
        # In scripts without spaces, three characters are about as much as three words elsewhere.
        words = [letter for word in words for letter in word] if not answer.isascii() else []
        if len(words) < 2 * LEAST_WORDS:
            return []
    return [_hash([video, *words]), _hash(words), *_bands(words)]


def _bands(words: Sequence[str]) -> list[int]:
    """Hash the bands of the signature; without rensa all words, by as many functions."""
    if RMinHash is None:
        return [_hash([str(number), "", *words]) for number in range(BANDS)]
    signature = RMinHash(num_perm=BANDS * ROWS, seed=_SEED)
    signature.update([" ".join(words[at : at + _RUN]) for at in range(len(words) - _RUN + 1)])
    digest = signature.digest()
    return [hash((band, *digest[band * ROWS : (band + 1) * ROWS])) for band in range(BANDS)]


def _hash(words: Sequence[str]) -> int:
    return hash64("\0".join(words))


def _bits(hashed: int, probes: int) -> list[int]:
    """Choose the bits of a hash in a layer."""
    step = hashed & 0xFFFFFFFF
    return [((hashed >> 32) + probe * step) % _LAYER_BITS for probe in range(probes)]


def _has(layer: bytearray, bits: Sequence[int]) -> bool:
    for bit in bits:  # noqa: SIM110 - all() over a generator takes three times as long
        if not layer[bit >> 3] & 1 << (bit & 7):
            return False
    return True
