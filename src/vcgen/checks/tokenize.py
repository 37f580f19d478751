"""Tokenize texts for the checks, fast on plain English. Pure functions that accept any text."""

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

_WORD = re.compile(r"[^\W_]+(?:'[a-z]+)?")
_PUNCTUATION = '.,;:!?"()[]{}<>/\\|*`~#=+&%$@^-_'
# One pass in C for ASCII text; the pattern above takes four times as long.
_SPACED = bytes.maketrans(_PUNCTUATION.encode(), b" " * len(_PUNCTUATION))
_MARKERS = b"0123456789<[{#:_`=}]"
_PROSE = bytes(set(range(128)).difference(_MARKERS))
_QUOTES = str.maketrans({"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"'})
# Scripts without spaces: each character stands for about half a word.
DENSE = re.compile(r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_DENSE_PER_WORD = 1.6
_MOST_STEMS = 32768


def word_set(text: str) -> frozenset[str]:
    return frozenset(text.split())


STOP_WORDS = word_set("""a about above after again against all along already also am among an and
    another any are around as at away back be because been before began begin beginning begins
    behind being below between both but by came can clip come comes could course did different do
    does doing done down during each either else end ends even every finally first following follows
    for from further gets getting give gives go goes going gone had happen happening happens has
    have having he her here hers herself him himself his how i if in into is it its itself just last
    lastly later lead leads least less like made make makes making many may me meanwhile moment
    moments more most moves much my near next no nor not now occur occurs of off on once one only
    onto or order other others our out over overall own part parts people person place point process
    right same scene scenes see seem seems seen several she should show showing shown shows side so
    some somebody someone something stage stages start starting starts step steps still such take
    takes taking than that the their them themselves then there these they thing things this those
    through throughout time to together too toward towards under until up upon us use used uses
    using very video videos was way we well were what when where whether which while who whom whose
    why will with within without would you your various second seconds minute minutes continue
    continues event events action actions sequence various visible while's lasts shot shots
    camera""")
"""Words without content: they do not describe a video."""


class TokenizedText(NamedTuple):
    """A text in the forms that checks use.

    Attributes:
        markers: the digits of the text and its characters that are rare in prose, in order; all
            such characters for a text that is not ASCII.
    """

    text: str
    plain: str  # in lower case, with straight quotes and apostrophes
    words: list[str]  # of `plain`, in order; a run of a dense script is one word
    vocabulary: frozenset[str]  # the set of words
    markers: bytes


def tokenize(text: str) -> TokenizedText:
    """Split a text into words."""
    plain = text.lower()
    if plain.isascii():
        raw = plain.encode("ascii")
        words = raw.translate(_SPACED).decode("ascii").split()
        return TokenizedText(text, plain, words, frozenset(words), raw.translate(None, _PROSE))
    plain = plain.translate(_QUOTES)
    words = _WORD.findall(plain)
    return TokenizedText(text, plain, words, frozenset(words), _MARKERS)


def lines_of(texts: list[str]) -> str:
    """Return the words of several texts, one line per text, separated by spaces."""
    plain = "\n".join(texts).lower()
    if plain.isascii() and plain.count("\n") == len(texts) - 1:
        return plain.encode("ascii").translate(_SPACED).decode("ascii")
    return "\n".join([" ".join(tokenize(text).words) for text in texts])


def words_of(texts: list[str]) -> list[list[str]]:
    """Return the words of each text, tokenized in one pass."""
    return [line.split() for line in lines_of(texts).split("\n")]


def count_words(reading: TokenizedText) -> float:
    """Count the words of a text; a character of a dense script counts as part of a word."""
    if reading.text.isascii():
        return len(reading.words)
    dense = len(DENSE.findall(reading.text))
    return len(_WORD.findall(DENSE.sub(" ", reading.plain))) + dense / _DENSE_PER_WORD


class _Stems(dict[str, str]):
    """A cache of stems, at half the cost of `lru_cache`."""

    def __missing__(self, word: str) -> str:
        if len(self) >= _MOST_STEMS:
            self.clear()
        found = self[word] = _stem(word)
        return found


stem: Callable[[str], str] = _Stems().__getitem__
"""Return a content word without its ending; an empty string for numbers and stop words.

Related words get equal stems (`slices`, `sliced`, `slicing`); a stem need not be a word.
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
