"""Show a prompt as a task would send it, with placeholders for the replies before it."""

from collections.abc import Sequence
from pathlib import Path

from vcgen.data.clips import Clip
from vcgen.engine.chat import Message
from vcgen.errors import UsageError
from vcgen.pipeline.dry_run import DryRun, unsent
from vcgen.tasks.clip_context import ClipContext
from vcgen.tasks.recipe import Recipe
from vcgen.tasks.registry import find_task
from vcgen.tasks.templates import Templates


async def preview(
    clip: Clip,
    template: str,
    tasks: Sequence[str],
    templates: Path | None = None,
    language: str | None = None,
) -> tuple[Message, ...]:
    """The messages of a template as one of the tasks would send it.

    Raises:
        UsageError: the template is unknown, or none of the tasks sends it.
    """
    recipe = Recipe() if language is None else Recipe(language=language)
    prompts = Templates(templates)
    prompts.digest(template)
    async with unsent() as engine:
        run = DryRun(ClipContext(clip, engine, None), prompts, recipe, text=_named)
        for name in tasks:
            await run.make(find_task(name), is_judged=True)
            if template in run.rendered:
                return run.rendered[template]
    raise UsageError(f"none of the tasks {', '.join(tasks)} sends {template!r}; name one: --tasks")


def _named(template: str, words: int) -> str:
    return f"[the reply to `{template}`, about {words} words]"
