"""See a prompt as it would be sent: the simulator does the tasks for one clip, and is watched."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from vcgen.answers import ClipCalls
from vcgen.chat import Message
from vcgen.clips import Clip
from vcgen.config import Endpoint, Recipe
from vcgen.engine import Engine
from vcgen.errors import UsageError
from vcgen.judge import Judge
from vcgen.prompts import Prompts
from vcgen.samples import Samples
from vcgen.tasks import find_task


class _Watched(Prompts):
    """Prompts that remember the first rendering of each template."""

    def __init__(self, directory: Path | None) -> None:
        super().__init__(directory)
        self.seen: dict[str, tuple[Message, ...]] = {}

    def render(
        self, name: str, variables: Mapping[str, Any], after: tuple[Message, ...] = ()
    ) -> tuple[Message, ...]:
        if name not in self.seen:
            self.seen[name] = super().render(name, variables)
        return super().render(name, variables, after)


async def preview(
    clip: Clip, template: str, tasks: Sequence[str], templates: Path | None
) -> tuple[Message, ...]:
    """The messages of a template as one of the tasks would send it; earlier replies are simulated.

    Raises:
        UsageError: there is no such template, or none of the tasks sends it.
    """
    watched = _Watched(templates)
    watched.digest(template)
    async with Engine(Endpoint(model="sim")) as engine:
        judge = Judge(engine, None, watched, Recipe())
        samples = Samples(watched, Recipe(), None, lambda: datetime.now(UTC), judge)
        calls = ClipCalls(clip, engine, None)
        for name in tasks:
            await samples.make(find_task(name), clip, calls)
            if template in watched.seen:
                return watched.seen[template]
    raise UsageError(f"none of the tasks {', '.join(tasks)} sends {template!r}; name one: --tasks")
