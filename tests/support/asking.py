"""A task's requests to a scripted endpoint, in virtual time."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest
from pydantic import BaseModel, RootModel

from tests.support.common import Watched, make_clip
from vcgen.engine.config import Endpoint
from vcgen.engine.engine import Engine
from vcgen.errors import SampleRejected
from vcgen.sim import virtual_clock
from vcgen.tasks.ask import Answer, Ask
from vcgen.tasks.clip_context import ClipContext
from vcgen.tasks.recipe import Recipe
from vcgen.tasks.templates import Templates

ENDPOINT = Endpoint(model="sim", base_url="http://in.memory/v1")

T = TypeVar("T")
WORDS: dict[str, Any] = {"min_words": 5, "max_words": 20}


class Boat(BaseModel):
    name: str
    length: float


class Boats(RootModel[list[Boat]]):
    """Several."""


class Kept:
    """A call store in memory."""

    def __init__(self) -> None:
        self.rows: dict[str, Any] = {}

    @property
    def has_calls(self) -> bool:
        return bool(self.rows)

    def find_call(self, key: str) -> Any:
        row = self.rows.get(key)
        return row and {
            **row,
            "completion": {"text": row["completion"].text, "model": "m", "usage": {}},
        }

    def keep_call(self, row: Any) -> None:
        self.rows[row["id"]] = row


def asking(
    transport: Watched, do: Callable[[Ask], Awaitable[T]], kept: Kept | None = None, **recipe: Any
) -> T:
    """What a task gets that asks this endpoint, in virtual time."""

    async def main() -> T:
        async with Engine(ENDPOINT, transport=transport) as engine:
            calls = ClipContext(make_clip(), engine, kept)
            return await do(Ask(calls, Templates(), Recipe(**recipe), "harbour-1/x/0"))

    with virtual_clock() as runner:
        return runner.run(main())


async def describe(ask: Ask) -> Answer:
    return await ask("describe", **WORDS)


async def boat(ask: Ask) -> Answer:
    return await ask("describe", schema=Boat, **WORDS)


def rejected(
    transport: Watched, do: Callable[[Ask], Awaitable[Any]], **recipe: Any
) -> SampleRejected:
    with pytest.raises(SampleRejected) as caught:
        asking(transport, do, **recipe)
    return caught.value
