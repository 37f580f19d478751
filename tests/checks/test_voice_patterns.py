"""The patterns of voice: every match has one of the words that select its pattern."""

import re

import pytest

from tests.support.check_examples import FOUND, VOICE
from vcgen.checks import voice_patterns
from vcgen.checks.voice import _PATTERNS

PATTERNS = {name: value for name, value in vars(voice_patterns).items() if name.isupper()}


@pytest.mark.parametrize("name", [name for name in PATTERNS if not name.startswith("_")])
def test_pattern_compiles_and_never_matches_empty_text(name: str) -> None:
    assert re.compile(PATTERNS[name]).search("") is None


def test_every_match_has_a_word_of_its_pattern() -> None:
    """A pattern is skipped without one of its words, so a match without them is never found."""
    for text in [text.lower() for code in VOICE for text in FOUND[code] if text.isascii()]:
        for pattern in _PATTERNS:
            if match := pattern.pattern.search(text):
                around = text[: match.end()] + re.split(r"\W", text[match.end() :], maxsplit=1)[0]
                assert not pattern.words.isdisjoint(re.findall(r"[^\W_]+(?:'[a-z]+)?", around))
