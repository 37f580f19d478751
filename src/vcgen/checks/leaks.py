"""What an answer gives away of its prompt, and what it brings that nobody gave it. Pure functions.

Whoever wrote the evidence may have put orders to the model into it, and a model may obey. What such
orders are for shows in the answer, whatever made the model write it: the instructions told on, the
marks of a prompt, code to pass them unseen, addresses to lead readers to.
"""

import re
import unicodedata
from collections.abc import Collection
from functools import lru_cache

from vcgen.checks.codes import Problem, problem
from vcgen.data.cleaning import CANARY, without_invisible

# In a row, which nobody repeats by chance: some eight words.
RUN = 48
# So much of the text is looked at, at every such step: a run has a whole piece in it.
_PIECE = 16
_STEP = RUN - _PIECE + 1
# No word of prose is so long; eight words in base64 are.
_LONGEST_WORD = 64
_CODE = re.compile(rf"[A-Za-z0-9+/_=-]{{{_LONGEST_WORD}}}")
# What shows another text than there is: what moves the cursor, changes of direction, tags.
_HIDDEN = re.compile(
    "[\x00\x08\x1b\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufff9-\ufffb\U000e0000-\U000e007f]"
)
_DOMAIN = re.compile(
    r"\.(?:com|net|org|edu|gov|info|biz|xyz|top|site|online|shop|store|app|dev|io|ai|ly|gg|tv|ru|cn"
    r"|uk|de|fr|eu|example|test)\b"
)
# In words that do not repeat the answer.
_SAID = {
    "prompt-mark": "it contains a mark of the prompt",
    "instructions": "it repeats the instructions",
    "encoded": f"it contains a word of {_LONGEST_WORD} characters or more",
    "hidden-characters": "it contains hidden characters",
    "unknown-address": "it names an address that the evidence does not",
    "address": "it names an address",
}
_END = r"[^\s\"'<>()\[\]]*"
_ADDRESS = re.compile(
    rf"\b[a-z]{{2,16}}://{_END}|\bwww\.{_END}"
    rf"|\b[\w.+-]{{1,64}}@[\w-]{{1,63}}(?:\.[\w-]{{1,63}})*"
    rf"|(?<![\w.@-])(?:[\w-]{{1,63}}\.){{0,8}}?[\w-]{{1,63}}{_DOMAIN.pattern}(?:[/:?]{_END})?"
)


def find_leaks(text: str, instructions: Collection[str], source: str | None) -> list[Problem]:
    """What a text tells of its prompt, and whether it names addresses; it is `it` in messages.

    Args:
        text: all that is to be published of an answer.
        instructions: the system prompts behind it.
        source: the evidence behind it, which may name addresses itself; None if not known.
    """
    plain = _plain(text)
    # Nearly every text has none of all this, and to see that takes a few microseconds.
    pieces = [plain[at : at + _PIECE] for at in range(0, len(plain) - _PIECE + 1, _STEP)]
    may_tell = not _pieces(tuple(instructions)).isdisjoint(pieces)
    may_code = [piece for piece in pieces if " " not in piece]
    may_name = "://" in plain or "www." in plain or "@" in plain or _DOMAIN.search(plain)
    may_hide = not (text.isascii() and plain.isprintable())
    if not (may_tell or may_code or may_name or may_hide or CANARY in plain):
        return []
    named = _addresses(plain) if may_name else set()
    unknown = bool(named) and source is not None and named - _addresses(_plain(source))
    is_there = {
        "prompt-mark": CANARY in plain,
        "instructions": may_tell and _repeats(plain, instructions),
        "encoded": may_code and _CODE.search(text),
        "hidden-characters": may_hide and _HIDDEN.search(text),
        "unknown-address": unknown,
        "address": named and not unknown,
    }
    return [problem(code, _SAID[code]) for code, found in is_there.items() if found]


def _plain(text: str) -> str:
    """In lower case, on one line, without what makes the same letters look otherwise."""
    if not text.isascii():
        text = " ".join(without_invisible(unicodedata.normalize("NFKC", text)).split())
    elif "\n" in text or "\t" in text or "  " in text:
        text = " ".join(text.split())
    return text.lower()


@lru_cache(maxsize=64)
def _pieces(instructions: tuple[str, ...]) -> frozenset[str]:
    """All pieces of the instructions, wherever they begin."""
    told = [_plain(system) for system in instructions]
    return frozenset(
        system[at : at + _PIECE] for system in told for at in range(len(system) - _PIECE + 1)
    )


def _repeats(plain: str, instructions: Collection[str]) -> bool:
    """Whether a run of the instructions stands in the text."""
    told = [_plain(system) for system in instructions]
    known = _pieces(tuple(instructions))
    for at in range(0, len(plain) - _PIECE + 1, _STEP):
        if plain[at : at + _PIECE] in known:
            starts = range(max(0, at - _STEP + 1), min(at, len(plain) - RUN) + 1)
            runs = [plain[start : start + RUN] for start in starts]
            if any(run in system for run in runs for system in told):
                return True
    return False


def _addresses(plain: str) -> set[str]:
    return {found.rstrip(".,;:!?") for found in _ADDRESS.findall(plain)}
