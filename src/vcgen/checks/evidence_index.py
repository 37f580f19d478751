"""The evidence of a clip, indexed for the checks; each index is built on first use."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain, compress, count, pairwise, repeat
from typing import NamedTuple

from vcgen.checks.language import SCRIPTS, code_of
from vcgen.checks.tokenize import DENSE, lines_of, stem, stems, word_set
from vcgen.data.clips import Clip

NUMBERS: Mapping[str, str] = {
    **{str(number): str(number) for number in range(2, 100)},
    "both": "2", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7",
    "eight": "8", "nine": "9", "ten": "10", "eleven": "11", "twelve": "12",
}  # fmt: skip
_GREY = {"gray": "grey"}
COLOURS: Mapping[str, str] = {
    name: _GREY.get(name, name)
    for name in word_set("red green blue yellow orange purple pink brown black white grey gray")
}
NEGATIONS = word_set("""not never nobody without cannot can't don't doesn't didn't isn't aren't
    wasn't weren't won't""")
# Words between a number or colour and its noun.
_QUALIFIERS = (
    word_set("""young old small large big little tall short long new more other different white
    light dark bright tiny huge whole fresh wooden metal plastic""")
    | COLOURS.keys()
)
# Words between a negation and the denied word.
_BETWEEN = word_set(
    """be been being have had to the a an any some his her their yet even really also then"""
)
# Stop words of which the number still counts.
_PEOPLE = word_set("people persons")
_IS = (["is"], ["are"], ["was"], ["were"])
_THE = word_set("the his her its their")
# After a negation, the word after these is denied,
_BEGINNING = word_set("start starts started begin begins try tries")
_LIGHT = word_set("""seen shown show shows showing take takes taking make makes making get gets
    getting use uses using put puts place places""")
# or the subject of these.
_STATES = word_set("seen shown visible gone done")
_JOINING = word_set(
    "of in on at with by near behind beside before after under over from to and for"
)
_REACH = 4
_FEW = 5
_NO_CLIP = Clip.model_construct(id="")


class EvidenceIndex:
    """The evidence of a clip, tokenized once.

    Attributes:
        words: all words, in lower case.
        stems: of the content words, and each pair of characters in a script without spaces.
    """

    def __init__(self, clip: Clip | None, language: str = "en") -> None:
        """Index a clip; None has no evidence. `language` is the code of the answers' language."""
        self.clip = clip or _NO_CLIP
        self.language = language
        untimed = (self.clip.caption, self.clip.summary, *self.clip.tags)
        self._lines = lines_of(
            [*[segment.text for segment in self.clip.segments], *filter(None, untimed)]
        )
        self.words = frozenset(self._lines.split())
        self._is_ascii = self._lines.isascii()
        self.stems = set(map(stem, self.words) if self._is_ascii else content_words(self.words))
        self.stems.discard("")

    @cached_property
    def texts(self) -> list[list[str]]:
        """The words of each piece of evidence: segments in order, then untimed text."""
        return [line.split() for line in self._lines.split("\n")]

    @cached_property
    def content(self) -> list[frozenset[str]]:
        return list(map(frozenset, map(content_words, self.texts)))

    @cached_property
    def _first_and_last(self) -> tuple[Mapping[str, int], Mapping[str, int]]:
        """The indices of the first and the last segment of each stem."""
        timed = self.texts[: len(self.clip.segments)]
        at = list(chain.from_iterable(map(repeat, count(), map(len, timed))))
        found = list(map(stem, chain.from_iterable(timed)))
        last = dict(zip(found, at, strict=True))
        found.reverse()
        at.reverse()
        return dict(zip(found, at, strict=True)), last

    @cached_property
    def is_comparable(self) -> bool:
        """Whether answers and evidence appear to be in the same language."""
        spoken = code_of(self.clip.language) if self.clip.language else ""
        if self.language in SCRIPTS:
            dense = sum(any(map(DENSE.search, words)) for words in self.texts)
            return spoken == self.language or 2 * dense > len(self.texts)
        # Speech in another script comes with captions in English, as models write them.
        if self.language != (spoken or "en") and spoken not in SCRIPTS:
            return False
        plain = len(self.stems) if self._is_ascii else sum(map(str.isascii, self.stems))
        return plain >= _FEW

    def has_noun(self, noun: str) -> bool:
        """Whether the evidence has a noun, in the form of `qualified_nouns`."""
        return noun in self.stems or noun in self.words

    def single_segments(self, content: Iterable[str]) -> list[int]:
        """Return the segment of each content word that occurs in one segment only."""
        first, last = self._first_and_last
        return [at for word in content if (at := first.get(word, -1)) >= 0 and last[word] == at]

    @cached_property
    def numbers(self) -> Mapping[str, set[str]]:
        return self._gathered(NUMBERS)

    @cached_property
    def colours(self) -> Mapping[str, set[str]]:
        return self._gathered(COLOURS)

    @cached_property
    def denied(self) -> Mapping[str, set[str]]:
        """The denied words, each with the content words that follow it."""
        if NEGATIONS.isdisjoint(self.words):
            return {}
        found: dict[str, set[str]] = {}
        for words in self.texts:
            for denied, beside in denials(words):
                found.setdefault(denied, set()).add(beside)
        return found

    def _gathered(self, values: Mapping[str, str]) -> Mapping[str, set[str]]:
        found: dict[str, set[str]] = {}
        if not values.keys().isdisjoint(self.words):
            for words in self.texts:
                if values.keys().isdisjoint(words):
                    continue
                for value, noun in qualified_nouns(words, values):
                    found.setdefault(noun, set()).add(value)
        return found

    def best_segment(self, words: Iterable[str], without: Iterable[str] = ()) -> int | None:
        """Return the segment that most of these words point to; None without a majority of two."""
        found = self.single_segments(stems(words).difference(without))
        if len(found) < 2:
            return None
        *_, (others, _), (votes, best) = (0, 0), *sorted((found.count(at), at) for at in {*found})
        return best if votes >= 2 and votes > others else None

    def ends_before(self, first: int, second: int) -> bool:
        segments = self.clip.segments
        return segments[first].end <= segments[second].start and first != second


class Qualified(NamedTuple):
    """A number or colour, and its noun."""

    value: str
    noun: str


def content_words(words: Iterable[str]) -> list[str]:
    """Return the stems of the content words, each once, in order.

    Words of a script without spaces are split into pairs of characters.
    """
    first = dict.fromkeys(map(stem, words))
    first.pop("", None)
    found = list(first)
    if "".join(found).isascii():
        return found
    return [
        part
        for word in found
        for part in (map("".join, pairwise(word)) if DENSE.search(word) else (word,))
    ]


def qualified_nouns(words: Sequence[str], values: Mapping[str, str]) -> Iterator[Qualified]:
    """Yield every number or colour of a text with the noun after it."""
    for at in compress(count(), map(values.__contains__, words)):
        if words[at - 1 : at] in _IS and at > 2 and words[at - 3] in _THE:
            # "The boat is red": colours only, as numbers do not follow their noun.
            noun = stem(words[at - 2])
            if noun and words[at] in COLOURS and _is_subject(words, at - 3):
                yield Qualified(values[words[at]], noun)
            continue
        for following in words[at + 1 : at + 1 + _REACH]:
            if following in _QUALIFIERS or following == "and":
                continue
            noun = stem(following) or (following if following in _PEOPLE else "")
            if noun and following not in NUMBERS:
                yield Qualified(values[words[at]], noun)
            break


def _is_subject(words: Sequence[str], at: int) -> bool:
    """Whether no preposition precedes the article there: `in the boat is` has another subject."""
    return at == 0 or words[at - 1] not in _JOINING


def _subject_of(words: Sequence[str], at: int) -> tuple[str, str]:
    """Return the nearest noun before a word, and the noun that one belongs to, or empty strings."""
    before = words[max(0, at - _REACH - 2) : at]
    noun, other, *_ = (*filter(None, map(stem, reversed(before))), "", "")
    return noun, "" if _JOINING.isdisjoint(before) else other


def denials(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield every denied content word with the next content word, or an empty string."""
    for at, word in enumerate(words):
        if word in NEGATIONS:
            rest = [
                follower for follower in words[at + 1 : at + 3 * _REACH] if follower not in _BETWEEN
            ]
            if rest and rest[0] in _BEGINNING:
                del rest[0]
            is_doing = rest[1:] != [] and rest[1].endswith("ing")
            if rest and rest[0] in _STATES and not is_doing:
                noun, other = _subject_of(words, at)
                if noun:
                    yield noun, other
                    continue
            if rest and rest[0] in _LIGHT:
                del rest[0]
            denied = list(map(stem, rest[:_REACH]))
            if denied and denied[0]:
                yield denied[0], next(filter(None, denied[1:]), "")
