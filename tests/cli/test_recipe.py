"""`vcgen recipe`: the built-in recipes listed, and one shown as a start for another."""

from pathlib import Path

from tests.support.common import Command
from vcgen.tasks.recipe_files import builtin_recipes, recipe_text


def test_every_builtin_recipe_is_listed(command: Command) -> None:
    assert command("recipe", "list") == (0, "".join(f"{name}\n" for name in builtin_recipes()), "")


def test_a_recipe_is_shown_as_it_is_written(command: Command) -> None:
    assert command("recipe", "show", "videochat") == (0, recipe_text("videochat"), "")


def test_a_wrong_file_is_one_line(command: Command, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("turns = 'many'\n")
    shown = command("recipe", "show", tmp_path / "mine.toml")
    assert (shown.code, shown.out, shown.err.count("\n")) == (2, "", 1)
    assert "mine.toml" in shown.err
