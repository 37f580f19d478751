"""Recipes: ranges of the fields, and their names in earlier versions."""

from dataclasses import asdict
from typing import Any

import pytest

from vcgen.errors import UsageError
from vcgen.tasks.recipe import Recipe, with_current_names


@pytest.mark.parametrize(
    "fields",
    [
        {"tasks": ()},
        {"tasks": ("description", "description")},
        {"weights": (1.0,)},
        {"weights": (1.0, 0.0)},
        {"weights": (1.0, float("inf"))},
        {"turns": (0, 3)},
        {"turns": (5, 3)},
        {"turns": (3, 21)},
        {"kinds": ()},
        {"kinds": ("spatial",)},
        {"kinds": ("causal", "causal")},
        {"description_words": (0, 5)},
        {"description_words": (9, 5)},
        {"language": "\n"},
        {"language": "  "},
        {"temperature": -0.1},
        {"temperature": float("nan")},
        {"max_reply_tokens": 0},
        {"seed": -1},
        {"seed": 2**31},
        {"max_repairs": -1},
    ],
)
def test_recipe_out_of_range_is_refused_by_name(fields: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(fields))):
        Recipe(**fields)


def test_recipe_with_an_unknown_severity_lists_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"check hedge: reject, re-ask, flag, off, not 'warn'"):
        Recipe(checks={"hedge": "warn"})  # type: ignore[dict-item] # to be refused


def test_fields_written_by_an_earlier_version_get_current_names() -> None:
    earlier = {"words": [80, 160], "max_tokens": 1024, "repairs": 1, "seed": 3}
    current = {
        "description_words": [80, 160],
        "max_reply_tokens": 1024,
        "max_repairs": 1,
        "seed": 3,
    }
    assert with_current_names(earlier) == current
    assert with_current_names(asdict(Recipe())) == asdict(Recipe())
