"""Run coroutines beside a main one."""

from collections.abc import Callable, Coroutine
from typing import Any

import anyio

Work = Callable[[], Coroutine[Any, Any, None]]


async def run_with_background(main: Work, *background: Work) -> None:
    """Run `main`; cancel the background when it ends, and raise its error as it is."""
    failure: Exception | None = None
    async with anyio.create_task_group() as group:
        for function in background:
            group.start_soon(function)
        try:
            await main()
        except Exception as error:  # noqa: BLE001 - raised below, outside the group that would wrap it
            failure = error
        group.cancel_scope.cancel()
    if failure is not None:
        raise failure
