"""No character that a terminal obeys or hides is left; all others are."""

import sys
import unicodedata

import pytest

from vcgen.data import cleaning
from vcgen.engine import plain_text
from vcgen.engine.plain_text import plain, plain_lines

# Format characters that are seen, or without which words are wrong.
JOINERS = "\u200c\u200d"
SEEN = "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"
HIEROGLYPHS = range(0x13430, 0x13460)


@pytest.mark.parametrize("escape", [plain, plain_lines])
def test_no_code_point_that_is_obeyed_or_hidden_is_left(escape: object) -> None:
    assert callable(escape)
    left = set()
    for character in map(chr, range(sys.maxunicode + 1)):
        is_unseen = unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"}
        if is_unseen and character in escape(f"a{character}b"):
            left.add(character)
    hieroglyphs = {chr(at) for at in HIEROGLYPHS if unicodedata.category(chr(at)) == "Cf"}
    kept = {"\n", "\t"} if escape is plain_lines else set()
    assert left == {*JOINERS, *SEEN, *hieroglyphs} | kept


def test_what_is_escaped_can_be_read() -> None:
    text = "\x1b]0;title\x07 \x9b31m \u202egpj\u2066 \ud800 \U000e0041\n"
    escaped = r"\x1b]0;title\x07 \x9b31m \u202egpj\u2066 \ud800 \U000e0041"
    assert plain(text) == escaped + r"\n"
    assert plain_lines(text) == escaped + "\n"


@pytest.mark.parametrize(
    "text", ["", "a b", "Grüße, 東京\u3000港", "न\u200dम", "👩\u200d🔬 1\u00a0%"]
)
def test_words_of_any_language_stay(text: str) -> None:
    assert plain(text) == plain_lines(text) == text


def test_what_is_escaped_is_what_evidence_is_cleaned_of() -> None:
    assert cleaning.INVISIBLE == plain_text.INVISIBLE
