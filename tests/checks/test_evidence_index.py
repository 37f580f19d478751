"""The index of a clip's evidence: nouns with numbers and colours, denials, segments."""

from tests.support.check_examples import HARBOUR
from vcgen.checks.evidence_index import (
    COLOURS,
    NUMBERS,
    EvidenceIndex,
    content_words,
    denials,
    qualified_nouns,
)
from vcgen.checks.tokenize import stem

EVIDENCE = EvidenceIndex(HARBOUR)


def test_nouns_have_their_numbers_and_colours() -> None:
    assert EVIDENCE.numbers == {stem("men"): {"2"}, stem("crates"): {"3"}}
    assert EVIDENCE.colours == {"jacket": {"blue"}, "boat": {"red"}, "dog": {"white"}}
    assert EVIDENCE.has_noun("boat")
    assert not EVIDENCE.has_noun("car")


def test_denied_words_have_the_words_denied_with_them() -> None:
    assert EVIDENCE.denied == {"open": {stem("crates")}}
    assert EvidenceIndex(None).denied == {}


def test_words_point_to_the_segment_that_has_most_of_them() -> None:
    assert EVIDENCE.best_segment(["the", "fisherman", "unties", "a", "rope"]) == 1
    assert EVIDENCE.best_segment(["boat"]) is None
    assert EVIDENCE.single_segments([stem("rope"), stem("crates"), "engin"]) == [1, 4]
    assert EVIDENCE.ends_before(0, 1)
    assert not EVIDENCE.ends_before(1, 0)


def test_qualifiers_stand_before_their_noun() -> None:
    words = ["two", "young", "men", "see", "the", "boat", "is", "red"]
    assert list(qualified_nouns(words, NUMBERS)) == [("2", stem("men"))]
    assert list(qualified_nouns(["the", "boat", "is", "red"], COLOURS)) == [("red", "boat")]


def test_denial_names_the_verb_or_the_subject() -> None:
    assert list(denials(["he", "does", "not", "open", "the", "crates"])) == [
        ("open", stem("crates"))
    ]
    assert list(denials(["the", "boat", "is", "never", "shown"])) == [("boat", "")]


def test_content_words_are_stems_in_order() -> None:
    assert content_words(["the", "boats", "leave", "boat"]) == ["boat", stem("leave")]
    assert content_words(["\u8239\u79bb\u5f00"]) == ["\u8239\u79bb", "\u79bb\u5f00"]
