"""A request and late copies of it, of which the first answer wins (see `vcgen.hedging`)."""

import asyncio
from asyncio import FIRST_COMPLETED
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any

from vcgen.engine.call import Attempt, Call
from vcgen.engine.chat import Completion, Usage
from vcgen.engine.hedging import HedgePolicy

Sending = Coroutine[Any, Any, Attempt | None]


async def race(
    errand: Call, first: Sending, copy: Callable[[], Sending], hedging: HedgePolicy
) -> tuple[Attempt, Usage]:
    """What wins, with what all of them used; and how much of that the others did.

    Args:
        errand: counts what was sent for it.
        first: the request.
        copy: sends it once more, each time that all which have left are late; None if there turns
            out to be no room for it.
        hedging: what is late, and whether there may be another copy.
    """
    before = errand.sent
    tasks = [asyncio.ensure_future(first)]
    try:
        while (attempt := _winner(tasks, max(1, errand.sent - before))) is None:
            tasks = [task for task in tasks if not task.done() or task.result()]
            pending = [task for task in tasks if not task.done()]
            done, _ = await asyncio.wait(
                pending, timeout=hedging.late_s, return_when=FIRST_COMPLETED
            )
            if not done and hedging.may_copy and errand.sent - before == len(tasks):
                tasks.append(asyncio.ensure_future(copy()))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    copies = errand.sent - before - 1
    if not copies or not isinstance(attempt.result, Completion):
        return attempt, Usage()
    # What was given up is billed too: as far as anybody knows, as much as its twin.
    given_up = sum([attempt.result.usage] * copies, Usage())
    result = replace(attempt.result, usage=attempt.result.usage + given_up)
    return attempt._replace(result=result), given_up


def _winner(tasks: Sequence[asyncio.Task[Attempt | None]], sent: int) -> Attempt | None:
    """The first completion, or else the last failure once all that were sent failed."""
    came = [attempt for task in tasks if task.done() and (attempt := task.result())]
    completions = [attempt for attempt in came if isinstance(attempt.result, Completion)]
    return next(iter(completions or (came[-1:] if len(came) >= sent else [])), None)
