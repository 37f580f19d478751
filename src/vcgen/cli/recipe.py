"""`vcgen recipe`: the recipes there are, and what they say."""

from functools import partial

from vcgen.cli.options import RecipeArgument, command, recipes
from vcgen.tasks.recipe_files import builtin_recipes, read_recipe, recipe_text


@partial(command, name="list", group=recipes)
def names() -> None:
    """List the recipes that come with vcgen."""
    print("\n".join(builtin_recipes()))


@partial(command, group=recipes)
def show(name: RecipeArgument) -> None:
    """Print a recipe, to begin your own from; a file is checked."""
    read_recipe(name)
    print(recipe_text(name), end="")
