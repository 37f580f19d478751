"""One list of media tags for checks, exports and imports."""

import re

import pytest

from vcgen.data.media_tags import MEDIA_TAG, without_outer_tags

PATTERN = re.compile(MEDIA_TAG, re.IGNORECASE)


@pytest.mark.parametrize(
    "tag", ["<video>", "</Video>", "< image >", "<img src='x'>", "<im_end>", "<vi_patch>", "<vid1>"]
)
def test_tags_of_trainers_are_found(tag: str) -> None:
    assert PATTERN.search(f"x {tag} y")


@pytest.mark.parametrize("text", ["x < y > z", "<b>bold</b>", "a video", "<video", "<I am here>"])
def test_other_text_is_not_a_tag(text: str) -> None:
    assert not PATTERN.search(text)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("<video>\nWho?", "Who?"),
        ("<image><image> Who?", "Who?"),
        ("Who?\n<video>", "Who?"),
        ("Who <video>?", "Who <video>?"),
        ("Who? ", "Who? "),
    ],
)
def test_tags_around_a_text_are_removed(text: str, plain: str) -> None:
    assert without_outer_tags(text) == plain
