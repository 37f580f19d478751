"""Values of a template are text on the page, whatever they contain."""

import json
import re

import pytest
from hypothesis import example, given, strategies as st
from markdown_it import MarkdownIt

from vcgen.datasets.card.markdown import block, code, prose, render, visible

RENDERER = MarkdownIt("commonmark", {"html": True}).enable("table").enable("strikethrough")
MARKS = st.text(st.sampled_from("a1 `|\\*_<>[]()!#&;:/@.w~$-='\"\n\u202e船"), max_size=40)


@given(MARKS | st.text())
@example("www.evil.example")
@example("WWW.evil.example")
@example("a `b` ``c``")
@example("a\\|b")
def test_a_name_is_shown_as_it_is_and_is_nothing_else(name: str) -> None:
    seen = visible(name).replace("|", "\u00a6")
    cells = [each for each in RENDERER.parse(f"|a|\n|-|\n| {code(name)} |\n") if each.children]
    [span] = list(cells[1].children or ())
    assert (span.type, span.content.strip()) == ("code_inline", seen)
    (heading,) = [each for each in RENDERER.parse(f"# {prose(name)}\n") if each.children]
    [shown] = list(heading.children or ())
    assert shown.content.strip() == seen
    assert shown.type == "code_inline" or not re.search(r"www\.|://|@", shown.content.lower())


@given(st.text())
@example("```\n# Heading\n````")
def test_a_block_holds_any_text(text: str) -> None:
    lines = "".join(each for each in text if each.isprintable() or each == "\n")
    [fence] = RENDERER.parse(block(lines, "txt"))
    assert (fence.type, fence.info) == ("fence", "txt")


def test_a_value_without_a_filter_is_code() -> None:
    assert render("{{ a }} and {{ b }}", {"a": "<b>", "b": 1234}) == "`<b>` and 1,234"


@pytest.mark.parametrize("value", ["no", 'a "b" \\', "1: 2", ["a", "- b"], [{"c": ["d"]}]])
def test_yaml_is_json(value: object) -> None:
    assert json.loads(render("{{ value | yaml }}", {"value": value})) == value


def test_json_has_no_invisible_characters_and_an_end() -> None:
    shown = render("{{ value | json }}", {"value": {"a": "\u202e", "b": "x" * 9_999}})
    assert json.loads(shown.removeprefix("```json").removesuffix("```"))["a"] == "\u202e"
    assert "\u202e" not in shown
    assert len(shown) < 3_000
