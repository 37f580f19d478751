"""What is kept of answers finds them again, and takes few bytes for it."""

import random

import pytest

from vcgen.datasets import near_duplicates
from vcgen.datasets.near_duplicates import LEAST_WORDS, Duplicate, DuplicateIndex

WORDS = [f"word{number}" for number in range(3000)]


def texts(count: int, words: int = 110) -> list[str]:
    draw = random.Random(7)  # noqa: S311 - the same texts each time
    return [" ".join(draw.choices(WORDS, k=words)) for _ in range(count)]


def changed(text: str, count: int) -> str:
    words = text.split()
    draw = random.Random(text)  # noqa: S311 - as above
    for at in draw.sample(range(len(words)), count):
        words[at] = "another"
    return " ".join(words)


@pytest.fixture(scope="module")
def known() -> DuplicateIndex:
    """A thousand answers, each about a video of its own."""
    kept = DuplicateIndex()
    for number, text in enumerate(texts(1000)):
        assert kept.add_answers(f"video-{number}", [text]) == [Duplicate.NEW]
    return kept


@pytest.mark.parametrize(
    ("words", "least", "most"), [(1, 0.98, 1.0), (2, 0.9, 1.0), (10, 0.0, 0.25), (40, 0.0, 0.0)]
)
def test_an_answer_with_a_word_in_a_hundred_changed_is_nearly_the_same(
    known: DuplicateIndex, words: int, least: float, most: float
) -> None:
    seen = [known.add_answers("other", [changed(text, words)])[0] for text in texts(1000)[:200]]
    assert Duplicate.EXACT not in seen
    assert least <= seen.count(Duplicate.NEAR) / len(seen) <= most


def test_an_answer_word_for_word_is_the_same_about_another_video_only() -> None:
    kept, text = DuplicateIndex(), "A man carries two crates along a pier to his boat."
    assert kept.add_answers("a", [text]) == [Duplicate.NEW]
    assert kept.add_answers("a", [text]) == [Duplicate.NEAR]
    assert kept.add_answers("b", [text.upper().replace(" ", "\n")]) == [Duplicate.EXACT]


def test_an_answer_is_compared_with_earlier_records_alone() -> None:
    text = texts(1)[0]
    assert DuplicateIndex().add_answers("a", [text, text]) == [Duplicate.NEW, Duplicate.NEW]


@pytest.mark.parametrize(
    "text", ["", "Yes, he does.", "\ud800", " ".join(WORDS[: LEAST_WORDS - 1])]
)
def test_a_short_answer_may_be_said_of_many_videos(text: str) -> None:
    kept = DuplicateIndex()
    assert kept.add_answers("a", [text]) + kept.add_answers("b", [text]) == [
        Duplicate.NEW,
        Duplicate.NEW,
    ]


def test_an_answer_without_spaces_is_as_long_as_its_characters() -> None:
    kept, text = DuplicateIndex(), "一个男人沿着码头把两个箱子搬到他的船上。"
    assert kept.add_answers("a", [text]) + kept.add_answers("b", [text]) == [
        Duplicate.NEW,
        Duplicate.EXACT,
    ]


def test_a_record_is_the_same_with_all_its_texts_and_its_video() -> None:
    kept = DuplicateIndex()
    assert not kept.add_texts("a", ["Who?", "A man."])
    assert kept.add_texts("a", ["Who?", "A man."])
    assert not kept.add_texts("b", ["Who?", "A man."])
    assert not kept.add_texts("a", ["Who?", "A man.", "Why?", "The tide."])


def test_a_record_of_four_answers_takes_at_most_64_bytes() -> None:
    kept, records = DuplicateIndex(), 24_000  # just fewer than fill a layer
    seen = list[Duplicate]()
    for number, text in enumerate(texts(records, 4 * LEAST_WORDS)):
        words = text.split()
        answers = [" ".join(words[at::4]) for at in range(4)]
        assert not kept.add_texts(f"video-{number}", answers)
        seen += kept.add_answers(f"video-{number}", answers)
    assert Duplicate.EXACT not in seen
    assert seen.count(Duplicate.NEAR) < len(seen) / 1000
    assert kept.size_bytes / records <= 64


def test_without_rensa_exact_repeats_alone_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(near_duplicates, "RMinHash", None)
    kept, text = DuplicateIndex(), texts(1)[0]
    assert not kept.finds_near
    assert kept.add_answers("a", [text]) == [Duplicate.NEW]
    assert kept.add_answers("b", [changed(text, 1)]) == [Duplicate.NEW]
    assert kept.add_answers("b", [text]) == [Duplicate.EXACT]
