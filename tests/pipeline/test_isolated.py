"""The process that makes one sample sends nothing and reports how vcgen fails."""

import asyncio
from pathlib import Path

import pytest

from tests.support.common import make_clips
from vcgen.errors import RunStopped
from vcgen.pipeline.isolated import failure_of
from vcgen.pipeline.isolation import IsolatedSample
from vcgen.tasks.recipe import Recipe


def isolated(task: str) -> IsolatedSample:
    (clip,) = make_clips(1)
    return IsolatedSample(
        clip=clip,
        task=task,
        sample="clip-0/mine/0",
        recipe=Recipe(),
        templates=None,
        model="sim",
        calls={},
    )


def test_it_sends_no_request() -> None:
    with pytest.raises(RunStopped, match="sends no request"):
        asyncio.run(failure_of(isolated("description")))


def test_it_reports_the_error_that_no_sample_caused(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "import vcgen\n@vcgen.task\nasync def mine(clip, ask):\n    raise MemoryError\n"
    )
    assert asyncio.run(failure_of(isolated(f"{path}:mine"))) == "MemoryError"


def test_a_sample_that_is_made_or_rejected_has_no_failure(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("import vcgen\n@vcgen.task\nasync def mine(clip, ask):\n    raise KeyError\n")
    assert asyncio.run(failure_of(isolated(f"{path}:mine"))) == ""
