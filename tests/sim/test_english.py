"""Captions become clauses that fit any sentence pattern."""

import pytest

from vcgen.sim.english import clause, is_foreign, noun_phrase, sentence, sentences, tidy


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("pick the ends off", "someone is seen to pick the ends off"),
        ("Add the flour.", "someone is seen to add the flour"),
        ("heat oil in a pan", "someone is seen to heat oil in a pan"),
        ("whisk until it is smooth", "someone is seen to whisk until it is smooth"),
        ("pour in milk so that it is wet", "someone is seen to pour in milk so that it is wet"),
        ("finely chop the leek", "someone is seen to finely chop the leek"),
        ("cuts lettuce in strips", "someone cuts lettuce in strips"),
        ("polishing a boot", "someone is seen polishing a boot"),
        ("Then, the woman sits down.", "the woman sits down"),
        ("A man is seen speaking to to the camera.", "a man is seen speaking to the camera"),
        ("woman mends a flat tyre by the road", "a woman mends a flat tyre by the road"),
        ("a man in a coat carries two crates", "a man in a coat carries two crates"),
        ("Young man juggling clubs", "the camera shows a young man juggling clubs"),
        ("Two women rowing a boat", "the camera shows two women rowing a boat"),
        ("How to fold a shirt", "the camera shows how to fold a shirt"),
        ("Aerial view of a river", "the camera shows an aerial view of a river"),
        ("People wave at the train", "the camera shows people wave at the train"),
        ("<video>A dog</video> sleeps on a mat.", "a dog sleeps on a mat"),
        ("once it is hot, add the peas", "once it is hot, someone is seen to add the peas"),
        ("After, the boy walks away.", "after, the boy walks away"),
        ("A cyclist rides into frame.", "a cyclist rides into view"),
        ("The tags on the boxes are red.", "the signs on the boxes are red"),
        ("", ""),
        ("...", ""),
    ],
)
def test_a_caption_becomes_a_clause(caption: str, expected: str) -> None:
    assert clause(caption) == expected


def test_sentences_are_split_at_their_stops() -> None:
    text = 'He asks, "Why?" She leaves. 3.5 cups。The end'
    assert sentences(text) == ['He asks, "Why?"', "She leaves.", "3.5 cups。", "The end"]
    assert sentence("a boat leaves") == "A boat leaves."
    assert sentence("who leaves?") == "Who leaves?"


def test_a_noun_phrase_has_an_article_where_it_needs_one() -> None:
    phrases = ("old tram", "Berlin Wall", "gulls", "two crates", "rain", "people in a park")
    expected = ["an old tram", "a Berlin Wall", "gulls", "two crates", "rain", "people in a park"]
    assert [noun_phrase(phrase) for phrase in phrases] == expected


def test_a_script_other_than_english_is_foreign() -> None:
    assert is_foreign("你好 朋友们")
    assert not is_foreign("déjà vu in a café")


@pytest.mark.timeout(60)  # quadratic time would take minutes
@pytest.mark.parametrize(
    "unit", ["<", "a ", ". ", "and then, ", "!", "the the ", "\n", "in frame "]
)
def test_long_captions_take_linear_time(unit: str) -> None:
    for text in (unit * 100_000, f"{unit * 100_000}x"):
        tidy(text)
        sentences(text)
        assert isinstance(clause(text), str)
