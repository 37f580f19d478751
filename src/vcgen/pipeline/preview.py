"""See a prompt as it would be sent: the simulator does the tasks for one clip, and is watched."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from vcgen.data.clips import Clip
from vcgen.engine.chat import Message
from vcgen.engine.config import Endpoint
from vcgen.engine.engine import Engine
from vcgen.errors import UsageError
from vcgen.pipeline.samples import SampleMaker, sample_id
from vcgen.tasks.clip_context import ClipContext
from vcgen.tasks.judge import Judge
from vcgen.tasks.recipe import Recipe
from vcgen.tasks.registry import find_task
from vcgen.tasks.templates import Templates


class _Watched(Templates):
    """Prompts in a language that remember the first rendering of each template."""

    def __init__(self, directory: Path | None, language: str) -> None:
        super().__init__(directory)
        self._language = language
        self.seen: dict[str, tuple[Message, ...]] = {}

    def render(
        self, name: str, variables: Mapping[str, Any], after: tuple[Message, ...] = ()
    ) -> tuple[Message, ...]:
        asked = super().render(name, {**variables, "language": self._language}, after)
        self.seen.setdefault(name, asked)
        return asked


async def preview(
    clip: Clip,
    template: str,
    tasks: Sequence[str],
    templates: Path | None = None,
    language: str | None = None,
) -> tuple[Message, ...]:
    """The messages of a template as one of the tasks would send it.

    Earlier replies are simulated, and in English whatever the language asked for.

    Raises:
        UsageError: there is no such template, or none of the tasks sends it.
    """
    recipe = Recipe()
    watched = _Watched(templates, language or recipe.language)
    watched.digest(template)
    async with Engine(Endpoint(model="sim")) as engine:
        judge = Judge(engine, None, watched, recipe)
        samples = SampleMaker(watched, recipe, None, lambda: datetime.now(UTC), judge)
        calls = ClipContext(clip, engine, None)
        for name in tasks:
            task = find_task(name)
            await samples.make(task, calls, sample_id(clip.id, task))
            if template in watched.seen:
                return watched.seen[template]
    raise UsageError(f"none of the tasks {', '.join(tasks)} sends {template!r}; name one: --tasks")
