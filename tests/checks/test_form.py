"""Form: found in text of prompts and formats, in cut, empty and repeated text; not in prose."""

import pytest

from tests.support.check_examples import FORM, FOUND, missed, mistaken
from tests.support.common import make_clip
from vcgen.checks.checker import Checker


@pytest.mark.parametrize("code", FORM)
def test_fault_is_found(code: str) -> None:
    assert missed(code) == []


@pytest.mark.parametrize("code", FORM)
def test_near_miss_passes(code: str) -> None:
    assert mistaken(code) == []


def test_question_has_the_same_checks_as_an_answer() -> None:
    for text in FOUND["media-tag"]:
        assert "media-tag" in {found.code for found in Checker(make_clip()).question(text)}


def test_excerpt_of_a_label_is_its_own_line() -> None:
    text = "The boat leaves.\n\nAssistant: It is red."
    (found,) = Checker(make_clip()).answer(text, "causal")
    assert (found.code, found.excerpt) == ("chat-template", "Assistant:")
