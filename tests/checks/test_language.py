"""Language: by script, and by common words for Latin scripts."""

import pytest

from tests.support.check_examples import FOUND, RUSSIAN, missed, mistaken
from tests.support.common import make_clip
from vcgen.checks.checker import Checker
from vcgen.checks.language import code_of


def test_other_language_is_found() -> None:
    assert missed("wrong-language") == []


def test_foreign_words_in_english_pass() -> None:
    assert mistaken("wrong-language") == []


def test_question_in_another_language_is_found() -> None:
    for text in FOUND["wrong-language"]:
        assert "wrong-language" in {found.code for found in Checker(make_clip()).question(text)}


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("Chinese", "一个男人抱着两个箱子走过码头。"),
        ("zh-CN", "他穿着一件 T 恤。"),
        ("Japanese", "男性が箱を運んでいます。"),
        ("Russian", RUSSIAN),
        ("Spanish", "Un hombre lleva dos cajas por el muelle y desata la cuerda."),
        ("fr", "Un homme porte deux caisses sur le quai et il détache la corde."),
        ("Klingon", "tlhIngan maH, and nobody here speaks a word of it."),
    ],
)  # fmt: skip
def test_requested_language_passes(language: str, text: str) -> None:
    assert Checker(make_clip(), language=language).answer(text, "descriptive") == []


@pytest.mark.parametrize("language", ["Chinese", "Japanese", "Russian", "Spanish", "de", "fr"])
def test_english_for_another_language_is_found(language: str) -> None:
    text = "A man carries two crates along the pier and then he unties the rope of the boat."
    found = Checker(make_clip(), language=language).answer(text)
    assert [each.code for each in found] == ["wrong-language"]


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("English", "en"),
        ("en-GB", "en"),
        ("zh_CN", "zh"),
        ("Deutsch", "de"),
        ("Klingon", ""),
        ("", ""),
    ],
)
def test_code_of_a_name_or_tag(name: str, code: str) -> None:
    assert code_of(name) == code
