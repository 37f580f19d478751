"""Recipes as TOML: the ones that come with vcgen by name, and the user's own as files.

A recipe says what it differs in from `default`; its keys are the fields of `vcgen.Recipe`, and
`tasks` is a list of what to make of each clip, or a table of weights to draw one by.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from vcgen.checks.checker import require_codes
from vcgen.data.clips import explain
from vcgen.errors import UsageError
from vcgen.tasks.recipe import Recipe

SUFFIX = ".toml"
_DIRECTORY = Path(__file__).parent / "recipes"
_KEYS = [field.name for field in fields(Recipe) if field.name != "weights"]


def builtin_recipes() -> list[str]:
    """The names of those that come with vcgen."""
    return sorted(path.stem for path in _DIRECTORY.glob(f"*{SUFFIX}"))


def recipe_text(name: str) -> str:
    """The TOML of a recipe, by the name of a built-in one or the path of a file.

    Raises:
        UsageError: there is none, or it cannot be read.
    """
    if not name.endswith(SUFFIX) and name not in builtin_recipes():
        known = ", ".join(builtin_recipes())
        raise UsageError(f"no recipe {name!r}: choose {known}, or name a {SUFFIX} file")
    path = Path(name) if name.endswith(SUFFIX) else _DIRECTORY / f"{name}{SUFFIX}"
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise UsageError(f"{name} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{name} is not UTF-8") from error


def read_recipe(name: str) -> Recipe:
    """A recipe, by the name of a built-in one or the path of a file.

    Raises:
        UsageError: there is none, or what it says is none.
    """
    text = recipe_text(name)
    try:
        return parse_recipe(text)
    except UsageError as error:
        raise UsageError(f"recipe {name}: {error}") from error


def parse_recipe(text: str) -> Recipe:
    """The recipe that TOML describes.

    Raises:
        UsageError: it is no TOML, a key is not known, or a value is none of its kind.
    """
    try:
        values = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"no TOML: {error}") from error
    for key in values:
        if key not in _KEYS:
            raise UsageError(f"no key {key[:40]!r}; {_nearest(key)}")
    tasks = values.get("tasks")
    if isinstance(tasks, Mapping):
        values |= {"tasks": list(tasks), "weights": list(tasks.values())}
    try:
        recipe: Recipe = TypeAdapter(Recipe).validate_python(values)
    except ValidationError as error:
        raise UsageError(explain(error)) from error
    require_codes(recipe.checks)
    return recipe


def _nearest(key: str) -> Any:
    if near := get_close_matches(key, _KEYS, 1):
        return f"did you mean {near[0]!r}?"
    return f"there are {', '.join(_KEYS)}"
