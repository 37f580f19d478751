"""Values for JSON schemas."""

from collections.abc import Mapping
from random import Random
from typing import Any

import pytest

from vcgen.sim.schema import Unfillable, fill

TEXTS = ["A boat leaves.", "Gulls circle."]
RANDOM = Random(0)  # noqa: S311 - repeatable draws


def test_any_schema_of_structured_outputs_is_filled() -> None:
    schema: dict[str, Any] = {
        "$defs": {
            "node": {
                "type": "object",
                "properties": {
                    "label": {"enum": ["low", "high"]},
                    "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
                },
                "required": ["label", "next"],
            }
        },
        "type": "object",
        "properties": {
            "tree": {"$ref": "#/$defs/node"},
            "same": {"allOf": [{"$ref": "#/$defs/node"}]},
            "scores": {
                "type": "array",
                "minItems": 3,
                "items": {"type": "integer", "minimum": 2, "maximum": 5},
            },
            "ratio": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
            "note": {"type": ["null", "string"], "minLength": 90},
            "short": {"type": "string", "maxLength": 3},
            "day": {"type": "string", "format": "date"},
            "sure": {"type": "boolean"},
            "version": {"const": 3},
        },
        "required": ["tree", "scores", "ratio", "note", "sure", "version"],
    }
    value = fill(schema, TEXTS, RANDOM)
    assert set(value) == set(schema["properties"])
    assert len(value["scores"]) == 3
    assert all(2 <= score <= 5 for score in value["scores"])
    assert 0 < value["ratio"] < 1
    assert len(value["note"]) >= 90
    assert len(value["short"]) == 3
    assert value["day"] == "2026-01-01"
    assert value["version"] == 3
    node, depth = value["tree"], 0
    while node is not None:
        assert node["label"] in {"low", "high"}
        node, depth = node["next"], depth + 1
    assert depth < 40


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#/$defs/missing"},
        {"$defs": {"a": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"},
        {"type": "object", "properties": 3},
        {"type": "number", "multipleOf": 0},
        {"type": "array", "minItems": "x"},
        {"anyOf": 3},
    ],
)
def test_a_schema_that_nothing_satisfies_is_unfillable(schema: Mapping[str, Any]) -> None:
    with pytest.raises(Unfillable):
        fill(schema, TEXTS, RANDOM)
