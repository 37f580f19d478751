"""Replies are parsed strictly, then repaired; schemas are closed."""

import pytest
from pydantic import BaseModel

from tests.support.asking import Boat, Boats
from vcgen.tasks.parsing import json_schema, parse, read_reply


@pytest.mark.parametrize(
    "text", ["[" * 5_000, "{" * 1_000_000, "{" * 1_000, '{"name": "\\ud800", "length": 1}']
)
def test_hostile_json_is_a_problem_not_an_error(text: str) -> None:
    value, problems = parse(text, Boat)
    assert value is None
    assert problems


def test_very_many_faults_are_only_counted() -> None:
    value, problems = parse(f"[{'0,' * 100_000}0]", Boats)
    assert (value, problems) == (None, ["100001 faults"])


def test_schema_is_closed_and_requires_everything() -> None:
    class Fleet(BaseModel):
        boats: list[Boat]
        harbour: str = ""

    schema = json_schema(Fleet)
    assert schema.name == "fleet"
    assert schema.definition["required"] == ["boats", "harbour"]
    assert schema.definition["additionalProperties"] is False
    assert schema.definition["$defs"]["Boat"]["additionalProperties"] is False


@pytest.mark.parametrize(
    ("reply", "text", "problems"),
    [
        ("```\nA boat.\n```", "A boat.", []),
        (" ", "", ["it is empty"]),
    ],
)
def test_text_has_no_fence(reply: str, text: str, problems: list[str]) -> None:
    assert read_reply(reply, None) == (text, None if problems else text, problems)
