"""Markdown: formatting is found, signs within prose are not."""

from tests.support.check_examples import missed, mistaken


def test_markdown_is_found() -> None:
    assert missed("markdown") == []


def test_signs_within_prose_pass() -> None:
    assert mistaken("markdown") == []
