"""What a clip's evidence says, in the forms that checks ask for; each is made when first asked."""

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
NEGATIONS = word_set(
    """
    not never nobody without cannot can't don't doesn't didn't isn't aren't wasn't weren't won't
    """
)
# Between a number or colour and what it is of.
_QUALIFIERS = (
    word_set(
        """
    young old small large big little tall short long new more other different white light dark
    bright tiny huge whole fresh wooden metal plastic
    """
    )
    | COLOURS.keys()
)
# Between a negation and what it denies.
_BETWEEN = word_set(
    """
    be been being have had to the a an any some his her their yet even really also then
    """
)
# They say nothing of what is in a video; how many they are does.
_PEOPLE = word_set("people persons")
_IS = (["is"], ["are"], ["was"], ["were"])
_THE = word_set("the his her its their")
# After a negation, what is denied is what follows these,
_BEGINNING = word_set("start starts started begin begins try tries")
_LIGHT = word_set(
    """
    seen shown show shows showing take takes taking make makes making get gets getting use uses
    using put puts place places
    """
)
# or, of these, what they are said of.
_STATES = word_set("seen shown visible gone done")
_JOINING = word_set(
    "of in on at with by near behind beside before after under over from to and for"
)
_REACH = 4
_FEW = 5
_NO_CLIP = Clip.model_construct(id="")


class EvidenceIndex:
    """A clip's evidence, read once.

    Attributes:
        words: every word of the evidence as written, in lower case.
        stems: every word of content, and every two characters of a script without spaces.
    """

    def __init__(self, clip: Clip | None, language: str = "en") -> None:
        """`language` is the code of the answers' language; of no clip there are no facts."""
        self.clip = clip or _NO_CLIP
        self.language = language
        untimed = (self.clip.caption, self.clip.summary, *self.clip.tags)
        self._lines = lines_of(
            [*[segment.text for segment in self.clip.segments], *filter(None, untimed)]
        )
        self.words = frozenset(self._lines.split())
        self._is_ascii = self._lines.isascii()
        self.stems = set(map(stem, self.words) if self._is_ascii else contents(self.words))
        self.stems.discard("")

    @cached_property
    def texts(self) -> list[list[str]]:
        """The words of each piece of evidence, the segments in order, then what has no time."""
        return [line.split() for line in self._lines.split("\n")]

    @cached_property
    def _first_and_last(self) -> tuple[Mapping[str, int], Mapping[str, int]]:
        """The first and the last segment each stem occurs in, by their places."""
        timed = self.texts[: len(self.clip.segments)]
        at = list(chain.from_iterable(map(repeat, count(), map(len, timed))))
        found = list(map(stem, chain.from_iterable(timed)))
        last = dict(zip(found, at, strict=True))
        found.reverse()
        at.reverse()
        return dict(zip(found, at, strict=True)), last

    @cached_property
    def comparable(self) -> bool:
        """Whether answers are in the language of the evidence, as far as can be told."""
        spoken = code_of(self.clip.language) if self.clip.language else ""
        if self.language in SCRIPTS:
            dense = sum(any(map(DENSE.search, words)) for words in self.texts)
            return spoken == self.language or 2 * dense > len(self.texts)
        # What was spoken in another script is beside captions in English, as these models write.
        if self.language != (spoken or "en") and spoken not in SCRIPTS:
            return False
        plain = len(self.stems) if self._is_ascii else sum(map(str.isascii, self.stems))
        return plain >= _FEW

    def names(self, noun: str) -> bool:
        """Whether the evidence has a noun, as `qualified` gives it."""
        return noun in self.stems or noun in self.words

    def places(self, content: Iterable[str]) -> list[int]:
        """Where each word of content occurs, by the place of the segment, if in one only."""
        first, last = self._first_and_last
        return [at for word in content if (at := first.get(word, -1)) >= 0 and last[word] == at]

    @cached_property
    def numbers(self) -> Mapping[str, set[str]]:
        """What is counted, with the numbers it is counted at."""
        return self._gathered(NUMBERS)

    @cached_property
    def colours(self) -> Mapping[str, set[str]]:
        """What is coloured, with its colours."""
        return self._gathered(COLOURS)

    @cached_property
    def denied(self) -> Mapping[str, set[str]]:
        """What is denied, with what is said along with it."""
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
                for value, noun in qualified(words, values):
                    found.setdefault(noun, set()).add(value)
        return found

    def moment(self, words: Iterable[str], without: Iterable[str] = ()) -> int | None:
        """Which segment these words tell of, by its place; None where that is not plain."""
        found = self.places(stems(words).difference(without))
        if len(found) < 2:
            return None
        *_, (others, _), (votes, best) = (0, 0), *sorted((found.count(at), at) for at in {*found})
        return best if votes >= 2 and votes > others else None

    def ends_before(self, first: int, second: int) -> bool:
        """Whether a segment is over when another begins."""
        segments = self.clip.segments
        return segments[first].end <= segments[second].start and first != second


class Qualified(NamedTuple):
    """A number or colour and what it is of."""

    value: str
    noun: str


def contents(words: Iterable[str]) -> list[str]:
    """The words of content, each once, as they come first.

    Of scripts without spaces it is every two neighbouring characters.
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


def qualified(words: Sequence[str], values: Mapping[str, str]) -> Iterator[Qualified]:
    """Every number or colour of a text with the noun that comes after it."""
    for at in compress(count(), map(values.__contains__, words)):
        if words[at - 1 : at] in _IS and at > 2 and words[at - 3] in _THE:
            # "The boat is red": of a colour, as numbers are not told in this way.
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
    """Whether what begins there is not part of a longer phrase: of a man in the boat it is not."""
    return at == 0 or words[at - 1] not in _JOINING


def _said_of(words: Sequence[str], at: int) -> tuple[str, str]:
    """The noun right before what is said of it, and the one it belongs to; empty if none."""
    before = words[max(0, at - _REACH - 2) : at]
    noun, other, *_ = (*filter(None, map(stem, reversed(before))), "", "")
    return noun, "" if _JOINING.isdisjoint(before) else other


def denials(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Every word of content that is denied, with the next one, empty if none."""
    for at, word in enumerate(words):
        if word in NEGATIONS:
            said = [each for each in words[at + 1 : at + 3 * _REACH] if each not in _BETWEEN]
            if said and said[0] in _BEGINNING:
                del said[0]
            is_doing = said[1:] != [] and said[1].endswith("ing")
            if said and said[0] in _STATES and not is_doing:
                noun, other = _said_of(words, at)
                if noun:
                    yield noun, other
                    continue
            if said and said[0] in _LIGHT:
                del said[0]
            denied = list(map(stem, said[:_REACH]))
            if denied and denied[0]:
                yield denied[0], next(filter(None, denied[1:]), "")
