"""What is kept of answers finds them again, and takes few bytes for it."""

import random

import pytest

from vcgen.datasets.near_duplicates import LEAST_WORDS, Duplicate, Duplicates

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
def known() -> Duplicates:
    """A thousand answers, each about a video of its own."""
    kept = Duplicates()
    for number, text in enumerate(texts(1000)):
        assert kept.look(f"video-{number}", [text]) == [Duplicate.NEW]
    return kept


@pytest.mark.parametrize(
    ("words", "least", "most"), [(1, 0.98, 1.0), (2, 0.9, 1.0), (10, 0.0, 0.25), (40, 0.0, 0.0)]
)
def test_an_answer_with_a_word_in_a_hundred_changed_is_nearly_the_same(
    known: Duplicates, words: int, least: float, most: float
) -> None:
    seen = [known.look("other", [changed(text, words)])[0] for text in texts(1000)[:200]]
    assert Duplicate.SAME not in seen
    assert least <= seen.count(Duplicate.NEARLY) / len(seen) <= most


def test_an_answer_word_for_word_is_the_same_about_another_video_only() -> None:
    kept, text = Duplicates(), "A man carries two crates along a pier to his boat."
    assert kept.look("a", [text]) == [Duplicate.NEW]
    assert kept.look("a", [text]) == [Duplicate.NEARLY]
    assert kept.look("b", [text.upper().replace(" ", "\n")]) == [Duplicate.SAME]


def test_an_answer_is_compared_with_earlier_records_alone() -> None:
    text = texts(1)[0]
    assert Duplicates().look("a", [text, text]) == [Duplicate.NEW, Duplicate.NEW]


@pytest.mark.parametrize(
    "text", ["", "Yes, he does.", "\ud800", " ".join(WORDS[: LEAST_WORDS - 1])]
)
def test_a_short_answer_may_be_said_of_many_videos(text: str) -> None:
    kept = Duplicates()
    assert kept.look("a", [text]) + kept.look("b", [text]) == [Duplicate.NEW, Duplicate.NEW]


def test_an_answer_without_spaces_is_as_long_as_its_characters() -> None:
    kept, text = Duplicates(), "一个男人沿着码头把两个箱子搬到他的船上。"
    assert kept.look("a", [text]) + kept.look("b", [text]) == [Duplicate.NEW, Duplicate.SAME]


def test_a_record_is_the_same_with_all_its_texts_and_its_video() -> None:
    kept = Duplicates()
    assert not kept.has_record("a", ["Who?", "A man."])
    assert kept.has_record("a", ["Who?", "A man."])
    assert not kept.has_record("b", ["Who?", "A man."])
    assert not kept.has_record("a", ["Who?", "A man.", "Why?", "The tide."])


def test_a_record_of_four_answers_takes_at_most_64_bytes_and_none_is_found_that_was_not() -> None:
    kept, records = Duplicates(), 24_000  # just fewer than fill a layer
    seen = list[Duplicate]()
    for number, text in enumerate(texts(records, 4 * LEAST_WORDS)):
        words = text.split()
        answers = [" ".join(words[at::4]) for at in range(4)]
        assert not kept.has_record(f"video-{number}", answers)
        seen += kept.look(f"video-{number}", answers)
    assert Duplicate.SAME not in seen
    assert seen.count(Duplicate.NEARLY) < len(seen) / 1000
    assert kept.size / records <= 64
