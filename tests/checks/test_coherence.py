"""Coherence: questions asked twice, and turns that refer to other turns."""

from tests.support.check_examples import (
    HARBOUR,
    TURNS_FOUND,
    missed_turns,
    mistaken_turns,
    turn_codes,
)
from vcgen.checks.checker import check
from vcgen.data.records import Turn


def test_reference_to_another_turn_is_found() -> None:
    assert missed_turns("refers-back") == []


def test_turn_with_its_own_nouns_passes() -> None:
    assert mistaken_turns("refers-back") == []


def test_single_turn_refers_to_nothing() -> None:
    assert [turn for turn in TURNS_FOUND["refers-back"] if "refers-back" in turn_codes(turn)] == []


SAME = [
    ("What does the man do with the rope?", "What is the man doing with the rope?"),
    ("Why does the dog jump into the water?", "Why does the dog jump into the water?"),
    ("What happens at the start of the video?", "So, what takes place at the start of the video?"),
    ("Where is the boat?", "Can you tell me where the boat is?"),
    (
        "What do the young men carry along the wooden pier?",
        "What do the two young men carry along the wooden pier?",
    ),
]


DIFFERENT = [
    (
        "How long does the old crew of boat 10 pull rope 10 along?",
        "How long does the old crew of boat 10 pull rope 7 along?",
    ),
    ("What happens before the dog jumps?", "What happens after the dog jumps?"),
    ("What is the man in red doing?", "What is the man in blue doing?"),
    ("Why is the boat moving?", "Where is the boat moving?"),
    ("How does the video begin?", "How does the video end?"),
    ("What happens between 3 and 9 seconds?", "What happens between 9 and 15 seconds?"),
    ("What does the man do?", "What does the woman do?"),
    ("What is in the boat?", "What is on the pier?"),
]


def asked(first: str, second: str) -> set[str]:
    return turn_codes((first, "He unties the rope."), (second, "A dog jumps into the water."))


def test_question_asked_twice_is_found() -> None:
    assert [pair for pair in SAME if "duplicate-question" not in asked(*pair)] == []
    assert [pair for pair in DIFFERENT if "duplicate-question" in asked(*pair)] == []


def test_repeated_question_is_named_with_both_turns() -> None:
    turns = [
        Turn("causal", f"Why does the {who} swim?", "It is hot.") for who in ("dog", "man", "dog")
    ]
    (found,) = check(turns, HARBOUR)
    assert (found.turn, str(found)) == (3, "turn 3: the question asks what that of turn 1 asks")
