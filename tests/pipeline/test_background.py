"""Coroutines beside a main one: they end with it, and its error is not wrapped."""

from collections.abc import Callable, Coroutine
from typing import Any

import anyio
import pytest

from tests.support.common import run
from vcgen.pipeline.background import run_with_background


def waiting(log: list[str]) -> Callable[[], Coroutine[Any, Any, None]]:
    async def wait() -> None:
        log.append("began")
        try:
            await anyio.sleep_forever()
        finally:
            log.append("ended")

    return wait


def test_the_background_ends_with_the_main_coroutine() -> None:
    log: list[str] = []

    async def main() -> None:
        await anyio.sleep(1)
        log.append("main")

    run(lambda: run_with_background(main, waiting(log), waiting(log)))
    assert log == ["began", "began", "main", "ended", "ended"]


def test_an_error_of_the_main_coroutine_is_raised_as_it_is() -> None:
    log: list[str] = []

    async def main() -> None:
        await anyio.sleep(1)
        raise ValueError("wrong")

    with pytest.raises(ValueError, match="wrong"):
        run(lambda: run_with_background(main, waiting(log)))
    assert log == ["began", "ended"]


def test_background_that_returns_leaves_the_main_coroutine_alone() -> None:
    async def nothing() -> None:
        pass

    async def main() -> None:
        await anyio.sleep(1)

    run(lambda: run_with_background(main, nothing))
