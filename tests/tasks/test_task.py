"""A task is a named async function."""

import pytest

import vcgen
from tests.support.common import generate, make_clip
from vcgen.data.records import Record, Turn
from vcgen.errors import UsageError
from vcgen.tasks.registry import find_task
from vcgen.tasks.task import task


def test_task_is_named_after_its_function() -> None:
    @task
    async def boat_names(_clip: vcgen.Clip, _ask: vcgen.Ask) -> list[Turn]:
        return [Turn("causal", "Why?", "The tide.")]

    assert boat_names.name == "boat-names"
    assert find_task(boat_names) is boat_names
    (record,) = generate([make_clip()], tasks=[boat_names]).records
    assert isinstance(record, Record)
    assert record.id == "harbour-1/boat-names/0"


def test_only_a_named_async_function_is_a_task() -> None:
    def plain(_clip: object, _ask: object) -> list[Turn]:
        return []

    for wrong in (plain, lambda _clip, _ask: None, 3):
        with pytest.raises(UsageError, match="named async function"):
            task(wrong)  # type: ignore[arg-type]
