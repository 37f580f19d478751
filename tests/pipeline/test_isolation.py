"""One sample that makes vcgen fail is rejected alone; the machine's failures stop the run."""

import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import vcgen
from tests.support.common import generate, make_clips, outcome_ids
from vcgen.data.records import Reason, Turn
from vcgen.errors import InternalError
from vcgen.pipeline.isolation import task_reference
from vcgen.pipeline.store.read import read_rejects
from vcgen.tasks.registry import find_task

# Reading `accept` is vcgen's work, so its failure is not the author's.
TASK = """
import os, signal
import vcgen

def fault(clip):
    FAULT

@vcgen.task
async def mine(clip, ask):
    answer = await ask("describe", min_words=1, max_words=9)
    if clip.id == "clip-3":
        await ask("describe", min_words=1, max_words=9, accept=lambda _: iter(fault(clip), 0))
        await ask("describe", min_words=1, max_words=9, accept=5)
    return [vcgen.Turn("description", "What is in the video?", answer.text)]
"""


def task_of(tmp_path: Path, fault: str) -> vcgen.Task:
    path = tmp_path / "own.py"
    path.write_text(TASK.replace("FAULT", fault))
    return find_task(f"{path}:mine")


def in_child(statement: str) -> str:
    """A statement that only the process of the one sample runs."""
    return f"{statement} if os.getpid() != {os.getpid()} else None; return [].append"


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param("return [].append", id="it fails"),
        pytest.param(in_child(f"os.kill(os.getpid(), {int(signal.SIGSEGV)})"), id="it crashes"),
    ],
)
def test_a_sample_that_alone_makes_vcgen_fail_is_the_only_reject(
    tmp_path: Path, fault: str
) -> None:
    result = generate(make_clips(6), tasks=[task_of(tmp_path, fault)], output=tmp_path / "run")
    assert len(result.records) == 5
    (reject,) = read_rejects(tmp_path / "run")
    assert (reject.id, reject.reason) == ("clip-3/mine/0", Reason.INTERNAL_ERROR)
    assert "vcgen/tasks/ask.py:" in reject.message
    assert "the sample alone repeats it" in reject.message
    assert reject.meta["usage"]["completion_tokens"] > 0


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(in_child("os._exit(0)"), id="it leaves no verdict"),
        pytest.param(in_child("exec('raise vcgen.RunStopped')"), id="it would have to send"),
    ],
)
def test_an_error_that_the_sample_alone_does_not_repeat_stops_the_run(
    tmp_path: Path, fault: str
) -> None:
    with pytest.raises(InternalError, match=r"no sample caused, at vcgen/tasks/ask\.py"):
        generate(make_clips(6), tasks=[task_of(tmp_path, fault)], output=tmp_path / "run")
    assert list(read_rejects(tmp_path / "run")) == []


def test_an_error_of_the_moment_stops_the_run_and_the_next_one_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process that makes the sample once more does not fail."""

    def broken(*_: object) -> None:
        raise RecursionError

    with monkeypatch.context() as patch:
        patch.setattr("vcgen.tasks.ask.read_reply", broken)
        with pytest.raises(InternalError, match="RecursionError"):
            generate(make_clips(2), output=tmp_path)
    assert outcome_ids(tmp_path) == []
    generate(make_clips(2), output=tmp_path)
    assert len(outcome_ids(tmp_path)) == 4


async def _mine(_clip: Any, _ask: Any) -> Sequence[Turn]:
    return ()


def test_a_task_is_known_by_its_name_or_its_file(monkeypatch: pytest.MonkeyPatch) -> None:
    assert task_reference(find_task("description")) == "description"
    assert task_reference(vcgen.Task("mine", _mine)) == f"{__file__}:_mine"
    monkeypatch.setattr(_mine, "__module__", "__main__")
    assert task_reference(vcgen.Task("mine", _mine)) is None
