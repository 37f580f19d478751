"""What an answer gives away of its prompt, and what it brings that nobody gave it. Pure functions.

Whoever wrote the evidence may have put orders to the model into it, and a model may obey. What such
orders are for shows in the answer, whatever made the model write it: the instructions told on, the
marks of a prompt, code to pass them unseen, addresses to lead readers to.
"""

import re
import unicodedata
from collections.abc import Collection, Iterator
from functools import lru_cache
from typing import NamedTuple

from vcgen.cleaning import without_invisible

CANARY = "vqz7k4"
"""Begins the mark of each fence, and stands in system prompts only to be missed in answers."""
ADDRESS = "address"
"""The flag of a record that names an address; the evidence names it too."""

# In a row, which nobody repeats by chance.
_WORDS = 8
# Among so many there is a whole group of half as many, wherever the text's groups begin.
_GROUP = _WORDS // 2
# No word of prose is so long; eight words in base64 are.
_LONGEST_WORD = 64
_CODE = re.compile(rf"[A-Za-z0-9+/_=-]{{{_LONGEST_WORD}}}")
_BARE = re.compile(r"\w+")
_DOMAIN = re.compile(
    r"\.(?:com|net|org|edu|gov|info|biz|xyz|top|site|online|shop|store|app|dev|io|ai|ly|gg|tv|ru|cn"
    r"|uk|de|fr|eu|example|test)\b"
)
_END = r"[^\s\"'<>()\[\]]*"
_ADDRESS = re.compile(
    rf"\b[a-z]{{2,16}}://{_END}|\bwww\.{_END}"
    rf"|\b[\w.+-]{{1,64}}@[\w-]{{1,63}}(?:\.[\w-]{{1,63}})*"
    rf"|(?<![\w.@-])(?:[\w-]{{1,63}}\.){{0,8}}?[\w-]{{1,63}}{_DOMAIN.pattern}(?:[/:?]{_END})?"
)


class Found(NamedTuple):
    """What was found in an answer.

    Attributes:
        problems: reasons not to publish it, in words that do not repeat the answer.
        flags: codes of what is worth a look.
    """

    problems: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()


_NOTHING = Found()


def find_leaks(text: str, instructions: Collection[str], source: str) -> Found:
    """What a text tells of its prompt, and which addresses it names.

    Args:
        text: all that is to be published of an answer.
        instructions: the system prompts behind it.
        source: the evidence behind it, which may name addresses itself.
    """
    plain = _plain(text)
    is_marked = CANARY in plain
    is_told_on = _tells_on(plain, tuple(instructions))
    is_coded = _has_long_word(text) and _CODE.search(text) is not None
    may_name = "://" in plain or "www." in plain or "@" in plain or _DOMAIN.search(plain)
    if not (is_marked or is_told_on or is_coded or may_name):
        return _NOTHING
    named = _addresses(plain)
    strange = sorted(named.difference(_addresses(_plain(source))))
    problems = {
        "it contains a mark of the prompt": is_marked,
        "it repeats the instructions": is_told_on,
        f"it contains a word of {_LONGEST_WORD} characters or more": is_coded,
        "it names an address that the evidence does not": strange,
    }
    return Found(
        tuple(problem for problem, is_there in problems.items() if is_there),
        (ADDRESS,) if named else (),
    )


def _plain(text: str) -> str:
    """In lower case, without what makes the same letters look otherwise."""
    if not text.isascii():
        text = without_invisible(unicodedata.normalize("NFKC", text))
    return text.lower()


def _tells_on(plain: str, instructions: tuple[str, ...]) -> bool:
    """Whether so many words of the instructions stand there in a row."""
    words = iter(plain.split())
    # Nearly all text shares no group of words, and to see that takes a few microseconds.
    if _groups(instructions).isdisjoint(zip(*[words] * _GROUP, strict=False)):
        return False
    return any(not _runs(system).isdisjoint(_in_a_row(plain)) for system in instructions)


@lru_cache(maxsize=64)
def _groups(instructions: tuple[str, ...]) -> frozenset[tuple[str, ...]]:
    found: set[tuple[str, ...]] = set()
    for system in instructions:
        told = _plain(system).split()
        # With the dashes and bullets that stand alone, and without.
        for words in (told, [word for word in told if _BARE.search(word)]):
            found.update(zip(*[words[at:] for at in range(_GROUP)], strict=False))
    return frozenset(found)


@lru_cache(maxsize=64)
def _runs(system: str) -> frozenset[tuple[str, ...]]:
    return frozenset(_in_a_row(_plain(system)))


def _in_a_row(plain: str) -> Iterator[tuple[str, ...]]:
    """All runs of so many words, without punctuation."""
    words = _BARE.findall(plain)
    return zip(*[words[at:] for at in range(_WORDS)], strict=False)


def _has_long_word(text: str) -> bool:
    at, last = 0, len(text) - _LONGEST_WORD
    while at <= last:
        # The last space within reach, so that few steps are taken.
        space = text.rfind(" ", at, at + _LONGEST_WORD)
        if space < 0:
            return True
        at = space + 1
    return False


def _addresses(plain: str) -> set[str]:
    return {found.rstrip(".,;:!?") for found in _ADDRESS.findall(plain)}
