"""Text as words: what all checks read a text by, once. Pure, total, and fast on plain English."""

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

_WORD = re.compile(r"[^\W_]+(?:'[a-z]+)?")
_PUNCTUATION = '.,;:!?"()[]{}<>/\\|*`~#=+&%$@^-_'
# One pass in C for text in ASCII; the pattern above takes four times as long.
_SPACED = bytes.maketrans(_PUNCTUATION.encode(), b" " * len(_PUNCTUATION))
_MARKS = b"0123456789<[{#:_`=}]"
_PROSE = bytes(set(range(128)).difference(_MARKS))
_QUOTES = str.maketrans({"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"'})
# Scripts without spaces: each character stands for about half a word.
DENSE = re.compile(r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_DENSE_PER_WORD = 1.6
_MOST_STEMS = 32768


def word_set(text: str) -> frozenset[str]:
    """The words of a text, each once."""
    return frozenset(text.split())


STOP_WORDS = word_set(
    """
    a about above after again against all along already also am among an and another any are
    around as at away back be because been before began begin beginning begins behind being below
    between both but by came can clip come comes could course did different do does doing done
    down during each either else end ends even every finally first following follows for from
    further gets getting give gives go goes going gone had happen happening happens has have
    having he her here hers herself him himself his how i if in into is it its itself just last
    lastly later lead leads least less like made make makes making many may me meanwhile moment
    moments more most moves much my near next no nor not now occur occurs of off on once one only
    onto or order other others our out over overall own part parts people person place point
    process right same scene scenes see seem seems seen several she should show showing shown
    shows side so some somebody someone something stage stages start starting starts step steps
    still such take takes taking than that the their them themselves then there these they thing
    things this those through throughout time to together too toward towards under until up upon
    us use used uses using very video videos was way we well were what when where whether which
    while who whom whose why will with within without would you your various second seconds minute
    minutes continue continues event events action actions sequence various visible while's lasts
    shot shots camera
    """
)
"""Words that say nothing of what is in a video."""


class TokenizedText(NamedTuple):
    """A text and what checks look at.

    Attributes:
        plain: in lower case, quotes and apostrophes straight.
        words: of `plain`, in order; a dense script is one word as far as it goes.
        known: the words, each once.
        marks: the digits of a text in ASCII, and what prose is without, in order; of any other
            text all that there might be.
    """

    text: str
    plain: str
    words: list[str]
    known: frozenset[str]
    marks: bytes


def read(text: str) -> TokenizedText:
    """A text as its words."""
    plain = text.lower()
    if plain.isascii():
        raw = plain.encode("ascii")
        words = raw.translate(_SPACED).decode("ascii").split()
        return TokenizedText(text, plain, words, frozenset(words), raw.translate(None, _PROSE))
    plain = plain.translate(_QUOTES)
    words = _WORD.findall(plain)
    return TokenizedText(text, plain, words, frozenset(words), _MARKS)


def lines_of(texts: list[str]) -> str:
    """The words of several texts, a text a line, with nothing but spaces between them."""
    plain = "\n".join(texts).lower()
    if plain.isascii() and plain.count("\n") == len(texts) - 1:
        return plain.encode("ascii").translate(_SPACED).decode("ascii")
    return "\n".join([" ".join(read(text).words) for text in texts])


def words_of(texts: list[str]) -> list[list[str]]:
    """The words of each of several texts, read in one go."""
    return [line.split() for line in lines_of(texts).split("\n")]


def count_words(reading: TokenizedText) -> float:
    """How long a text is in words; characters of a dense script count as part of one."""
    if reading.text.isascii():
        return len(reading.words)
    dense = len(DENSE.findall(reading.text))
    return len(_WORD.findall(DENSE.sub(" ", reading.plain))) + dense / _DENSE_PER_WORD


class _Stems(dict[str, str]):
    """Words to their stems, each found when first asked for: half the cost of `lru_cache`."""

    def __missing__(self, word: str) -> str:
        if len(self) >= _MOST_STEMS:
            self.clear()
        found = self[word] = _stem(word)
        return found


stem: Callable[[str], str] = _Stems().__getitem__
"""A word of content without its ending, empty for a number and one that says nothing.

Words that belong together come out alike (`slices`, `sliced`, `slicing`): that is all.
"""


def _stem(word: str) -> str:
    word = word.strip("'").removesuffix("'s")
    if word in STOP_WORDS or len(word) < 2 or word.isdigit():
        return ""
    word = _IRREGULAR.get(word, word)
    if len(word) > 3 and word.endswith("ies"):
        return word[:-3] + "i"
    if len(word) > 3 and word.endswith("s") and word[-2] not in "su":
        word = word[:-2] if word.endswith(("ches", "shes", "xes", "sses", "oes")) else word[:-1]
    for ending in ("ing", "edly", "ed", "ly", "er"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word[: -len(ending)]
            if word[-1] == word[-2] and word[-1] not in "lsz":
                word = word[:-1]
            break
    word = word.removesuffix("e") if len(word) > 3 else word
    return f"{word[:-1]}i" if len(word) > 3 and word[-1] == "y" else word


def stems(words: Iterable[str]) -> set[str]:
    """The stems of all words of content."""
    found = set(map(stem, words))
    found.discard("")
    return found


_IRREGULAR = {
    "ate": "eat", "began": "begin", "bent": "bend", "bought": "buy", "brought": "bring",
    "built": "build", "caught": "catch", "children": "child", "cutting": "cut", "drank": "drink",
    "drawn": "draw", "drew": "draw", "driven": "drive", "drove": "drive", "eaten": "eat",
    "fallen": "fall", "feet": "foot", "fell": "fall", "felt": "feel", "flew": "fly",
    "found": "find", "fries": "fry", "fried": "fry", "frying": "fry", "gave": "give",
    "held": "hold", "hung": "hang", "kept": "keep", "knelt": "kneel", "knives": "knife",
    "laid": "lay", "leaves": "leav", "left": "leav", "lit": "light", "lost": "lose",
    "lying": "lie", "men": "man", "met": "meet", "pour": "pour", "ran": "run", "ridden": "ride",
    "rode": "ride", "rose": "rise", "said": "say", "sang": "sing", "sat": "sit", "shook": "shake",
    "slid": "slide", "spoke": "speak", "spun": "spin", "stood": "stand", "swam": "swim",
    "swung": "swing", "taken": "tak", "teeth": "tooth", "threw": "throw", "thrown": "throw",
    "told": "tell", "took": "tak", "tore": "tear", "torn": "tear", "went": "go", "women": "woman",
    "wore": "wear", "worn": "wear", "written": "writ", "wrote": "writ",
}  # fmt: skip
