"""Tokenize: words, their stems, and how long a text is."""

import pytest

from vcgen.checks.tokenize import count_words, lines_of, stem, stems, tokenize, words_of


def test_cache_of_stems_is_bounded() -> None:
    for number in range(40_000):
        assert stem(f"crates{number}x") == f"crates{number}x"
    assert len(stem.__self__) <= 32768  # type: ignore[attr-defined]
    assert stem("slices") == stem("slicing") == "slic"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("slices sliced slicing", {"slic"}),
        ("boats the 12 of", {"boat"}),
        ("ran runs running", {"run"}),
    ],
)
def test_related_words_have_one_stem(words: str, expected: set[str]) -> None:
    assert stems(words.split()) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("It's a red-and-white boat.", ["it's", "a", "red", "and", "white", "boat"]),
        ("It\u2019s a caf\u00e9.", ["it's", "a", "caf\u00e9"]),
        ("", []),
    ],
)
def test_text_is_split_into_words(text: str, words: list[str]) -> None:
    found = tokenize(text)
    assert (found.words, found.vocabulary) == (words, frozenset(words))
    assert words_of([text, "a boat"]) == [words, ["a", "boat"]]
    assert lines_of([text, text]).split("\n")[1].split() == words


def test_markers_are_the_signs_that_prose_lacks() -> None:
    assert tokenize("A boat, at 12 [see] it.").markers == b"12[]"
    assert tokenize("A boat leaves.").markers == b""


def test_character_of_a_dense_script_is_part_of_a_word() -> None:
    assert count_words(tokenize("A boat leaves.")) == 3
    assert count_words(tokenize("\u8239" * 16)) == 10
