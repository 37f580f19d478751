"""Read recipes from TOML: the built-in ones by name, the user's as files.

A recipe lists its differences from `default`. Its keys are the fields of `vcgen.Recipe`; `tasks` is
a list of names, or a table of weights to draw one task per clip.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import fields
from difflib import get_close_matches
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from vcgen.checks.codes import require_codes
from vcgen.data.clips import explain
from vcgen.errors import UsageError
from vcgen.tasks.recipe import Recipe

SUFFIX = ".toml"
_DIRECTORY = Path(__file__).parent / "recipes"
_KEYS = [field.name for field in fields(Recipe) if field.name != "weights"]


def builtin_recipes() -> list[str]:
    return sorted(path.stem for path in _DIRECTORY.glob(f"*{SUFFIX}"))


def recipe_text(name: str) -> str:
    """Return the TOML of a built-in recipe, or of a file.

    Raise UsageError if it does not exist or cannot be read.
    """
    if not name.endswith(SUFFIX) and name not in builtin_recipes():
        known = ", ".join(builtin_recipes())
        raise UsageError(f"unknown recipe {name!r}; choose {known}, or give a {SUFFIX} file")
    path = Path(name) if name.endswith(SUFFIX) else _DIRECTORY / f"{name}{SUFFIX}"
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise UsageError(f"{name} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{name} is not UTF-8") from error


def read_recipe(name: str) -> Recipe:
    """Read a built-in recipe by name, or a file by path.

    Raise UsageError if it does not exist, cannot be read, or is not a valid recipe.
    """
    text = recipe_text(name)
    try:
        return parse_recipe(text)
    except UsageError as error:
        raise UsageError(f"recipe {name}: {error}") from error


def parse_recipe(text: str) -> Recipe:
    """Parse the TOML of a recipe.

    Raise UsageError for invalid TOML, an unknown key, or an invalid value.
    """
    try:
        values = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"invalid TOML: {error}") from error
    for key in values:
        if key not in _KEYS:
            near = get_close_matches(key, _KEYS, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"keys are {', '.join(_KEYS)}"
            raise UsageError(f"unknown key {key[:40]!r}; {hint}")
    tasks = values.get("tasks")
    if isinstance(tasks, Mapping):
        values |= {"tasks": list(tasks), "weights": list(tasks.values())}
    try:
        recipe: Recipe = TypeAdapter(Recipe).validate_python(values)
    except ValidationError as error:
        raise UsageError(explain(error)) from error
    require_codes(recipe.checks)
    return recipe
