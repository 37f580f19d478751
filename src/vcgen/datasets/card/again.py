"""How to make a data set again: the recipe of a run as TOML, and the command that takes it."""

import json
import shlex
from collections.abc import Mapping
from typing import Any

from vcgen.datasets.card.markdown import block, prose, visible
from vcgen.tasks.registry import builtin_tasks

_RECIPE = "recipe.toml"


def again(run: Mapping[str, Any], version: str) -> str:
    """The section, of what `run.json` has under `run`."""
    words = ["vcgen", "generate", "clips.jsonl", "--model", run["model"], "--recipe", _RECIPE]
    if "judge" in run:
        words += ["--judge", run["judge"]]
    command = shlex.join([*map(visible, words), "-o", "runs/again"])
    strangers = [name for name in run["tasks"] if name not in builtin_tasks()]
    how = (
        f"With vcgen {prose(version)}, the same clips, and templates of the same hashes (`vcgen "
        "prompts` lists those at hand, `--templates DIR` brings others), and with this as "
        f"`{_RECIPE}`:"
    )
    shown = [
        "## How to make it again",
        how,
        block(recipe_toml(run), "toml"),
        block(command, "sh"),
        "The draws are the same; the replies of a model need not be.",
    ]
    if strangers:
        shown.append("Tasks that are not vcgen's own have to be named as `FILE.py:FUNCTION`.")
    return "\n\n".join(shown)


def recipe_toml(run: Mapping[str, Any]) -> str:
    """A recipe that `vcgen.recipes` reads as the one of the run."""
    recipe = {key: value for key, value in run["recipe"].items() if value is not None}
    weights, checks = recipe.pop("weights", None), recipe.pop("checks", {})
    tasks = [] if weights is None else zip(run["tasks"], weights, strict=True)
    lines = [] if weights is not None else [f"tasks = {_toml(run['tasks'])}"]
    lines += [f"{key} = {_toml(value)}" for key, value in recipe.items()]
    lines += ["", "[tasks]"] * (weights is not None)
    lines += [f"{_toml(name)} = {_toml(weight)}" for name, weight in tasks]
    lines += ["", "[checks]"] * bool(checks)
    lines += [f"{_toml(code)} = {_toml(severity)}" for code, severity in checks.items()]
    return "\n".join(lines)


def _toml(value: Any) -> str:
    """Strings, numbers, truths and lists of them are written as in JSON."""
    text = json.dumps(value, ensure_ascii=False)
    return "".join(each if each.isprintable() else f"\\U{ord(each):08x}" for each in text)
