"""Find leaks: text of the prompt in an answer, and addresses that the evidence does not have.

Evidence is untrusted and may contain instructions to the model (prompt injection). The effects show
in the answer: repeated instructions, marks of the prompt, encoded text, addresses to visit.
"""

import re
import unicodedata
from collections.abc import Collection
from functools import lru_cache

from vcgen.checks.codes import Problem, Side, problem
from vcgen.data.cleaning import CANARY, without_invisible

# Characters in a row, about eight words: too many to repeat by chance.
RUN = 48
# One piece is tested at every step, so that each run contains a whole tested piece.
_PIECE = 16
_STEP = RUN - _PIECE + 1
# Longer than words of prose; eight words in base64 are this long.
_LONGEST_WORD = 64
_CODE = re.compile(rf"[A-Za-z0-9+/_=-]{{{_LONGEST_WORD}}}")
# Characters that move the cursor, change the direction, or are invisible tags.
_HIDDEN = re.compile(
    "[\x00\x08\x1b\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufff9-\ufffb\U000e0000-\U000e007f]"
)
_DOMAIN = re.compile(
    r"\.(?:com|net|org|edu|gov|info|biz|xyz|top|site|online|shop|store|app|dev|io|ai|ly|gg|tv|ru|cn"
    r"|uk|de|fr|eu|example|test)\b"
)
# Without an excerpt: the text is not to be published.
_PREDICATES = {
    "prompt-mark": "contains a mark of the prompt",
    "instructions": "repeats the instructions",
    "encoded": f"contains a word of {_LONGEST_WORD} characters or more",
    "hidden-characters": "contains hidden characters",
    "unknown-address": "names an address that the evidence does not",
    "address": "names an address",
}
_END = r"[^\s\"'<>()\[\]]*"
_ADDRESS = re.compile(
    rf"\b[a-z]{{2,16}}://{_END}|\bwww\.{_END}"
    rf"|\b[\w.+-]{{1,64}}@[\w-]{{1,63}}(?:\.[\w-]{{1,63}})*"
    rf"|(?<![\w.@-])(?:[\w-]{{1,63}}\.){{0,8}}?[\w-]{{1,63}}{_DOMAIN.pattern}(?:[/:?]{_END})?"
)


def find_leaks(
    text: str, instructions: Collection[str], source: str | None, side: Side | None = None
) -> list[Problem]:
    """Find leaks in a text.

    Args:
        text: to be published.
        instructions: the system prompts behind it.
        source: the evidence behind it, whose addresses are only flagged; None if unknown.
        side: of a turn; None for a text of both sides, which messages call `it`.
    """
    plain = _plain(text)
    # Quick tests first: nearly every text passes them, within microseconds.
    pieces = [plain[at : at + _PIECE] for at in range(0, len(plain) - _PIECE + 1, _STEP)]
    may_repeat = not _pieces(tuple(instructions)).isdisjoint(pieces)
    may_encode = [piece for piece in pieces if " " not in piece]
    may_name = "://" in plain or "www." in plain or "@" in plain or _DOMAIN.search(plain)
    may_hide = not (text.isascii() and plain.isprintable())
    if not (may_repeat or may_encode or may_name or may_hide or CANARY in plain):
        return []
    named = _addresses(plain) if may_name else set()
    unknown = bool(named) and source is not None and named - _addresses(_plain(source))
    is_there = {
        "prompt-mark": CANARY in plain,
        "instructions": may_repeat and _repeats(plain, instructions),
        "encoded": may_encode and _CODE.search(text),
        "hidden-characters": may_hide and _HIDDEN.search(text),
        "unknown-address": unknown,
        "address": named and not unknown,
    }
    subject = f"the {side}" if side else "it"
    return [
        problem(code, f"{subject} {_PREDICATES[code]}", side=side)
        for code, found in is_there.items()
        if found
    ]


def _plain(text: str) -> str:
    """Normalize a text: lower case, one line, NFKC, without invisible characters."""
    if not text.isascii():
        text = " ".join(without_invisible(unicodedata.normalize("NFKC", text)).split())
    elif "\n" in text or "\t" in text or "  " in text:
        text = " ".join(text.split())
    return text.lower()


@lru_cache(maxsize=64)
def _pieces(instructions: tuple[str, ...]) -> frozenset[str]:
    """Cut the instructions into pieces, one at every position."""
    systems = [_plain(system) for system in instructions]
    return frozenset(
        system[at : at + _PIECE] for system in systems for at in range(len(system) - _PIECE + 1)
    )


def _repeats(plain: str, instructions: Collection[str]) -> bool:
    """Whether the text repeats a run of the instructions."""
    systems = [_plain(system) for system in instructions]
    pieces = _pieces(tuple(instructions))
    for at in range(0, len(plain) - _PIECE + 1, _STEP):
        if plain[at : at + _PIECE] in pieces:
            starts = range(max(0, at - _STEP + 1), min(at, len(plain) - RUN) + 1)
            runs = [plain[start : start + RUN] for start in starts]
            if any(run in system for run in runs for system in systems):
                return True
    return False


def _addresses(plain: str) -> set[str]:
    return {found.rstrip(".,;:!?") for found in _ADDRESS.findall(plain)}
