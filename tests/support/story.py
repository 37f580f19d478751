"""A task of several steps, each of which builds on the one before."""

from typing import Any

import vcgen

STEPS = 3


@vcgen.task
async def story(_clip: vcgen.Clip, ask: Any) -> list[vcgen.Turn]:
    said = None
    for step in range(STEPS):
        said = await ask("describe", after=said, min_words=step, max_words=9)
    assert said is not None
    return [vcgen.Turn("description", "What happens?", said.text)]
