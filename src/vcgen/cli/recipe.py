"""`vcgen recipe`: the built-in recipes, and the text of one."""

from functools import partial

from vcgen.cli.app import argument, command, subcommands
from vcgen.cli.options import RECIPES
from vcgen.cli.output import print_lines
from vcgen.tasks.recipe_files import builtin_recipes, read_recipe, recipe_text

recipes = subcommands("recipe", "Show the built-in recipes.")


@partial(command, name="list", group=recipes)
def names() -> None:
    """List the recipes that come with vcgen."""
    print_lines("\n".join(builtin_recipes()))


@partial(command, group=recipes)
def show(name: str = argument("NAME", f"{RECIPES}, or a TOML file.")) -> None:
    """Print a recipe, as a start for your own; a file is checked."""
    read_recipe(name)
    print_lines(recipe_text(name))
