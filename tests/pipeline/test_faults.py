"""An error of vcgen or of the machine is never a sample's; an author's names its line."""

import errno
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import vcgen
from tests.support.common import Watched, generate, make_clips, outcome_ids
from vcgen.data.records import Reason, Turn
from vcgen.errors import RunStopped, SampleRejected, UsageError
from vcgen.pipeline.faults import ending_of, stopped_by
from vcgen.pipeline.store.read import read_rejects
from vcgen.tasks.registry import find_task
from vcgen.tasks.templates import Templates

TURNS = [Turn("causal", "Why does the boat leave?", "So that it can catch fish.")]
SAMPLES = [f"clip-{at}/{task}/0" for at in (0, 1) for task in ("description", "conversation")]
HELPER = """
import json

def broken():
    return json.loads("{")
"""
AUTHORS = """
import json, os
import anyio, pydantic
import helper
import vcgen

class Form(pydantic.BaseModel):
    value: int

async def plain(ask):
    raise KeyError("colour")

async def library(ask):
    json.loads("{")

async def third_party(ask):
    Form.model_validate({"value": "x"})

async def own_helper(ask):
    helper.broken()

async def callback(ask):
    await ask("describe", min_words=1, max_words=9, accept=lambda answer: [][0])

async def recursion(ask):
    await recursion(ask)

async def grouped(ask):
    async with anyio.create_task_group() as group:
        group.start_soon(plain, ask)
        group.start_soon(library, ask)

async def in_vcgen(ask):
    await ask("describe", min_words=1, max_words=9, accept=5)

async def in_vcgen_grouped(ask):
    async with anyio.create_task_group() as group:
        group.start_soon(plain, ask)
        group.start_soon(shielded, ask)

async def shielded(ask):
    with anyio.CancelScope(shield=True):
        await in_vcgen(ask)

async def descriptors(ask):
    raise OSError(24, os.strerror(24))

async def memory(ask):
    raise MemoryError

@vcgen.task
async def mine(clip, ask):
    await BODY(ask)
"""


@pytest.fixture
def authors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Gives the task of a file, outside of vcgen and of these tests, with that body."""
    (tmp_path / "helper.py").write_text(HELPER)
    monkeypatch.syspath_prepend(tmp_path)

    def task(body: str) -> vcgen.Task:
        path = tmp_path / f"{body}.py"
        path.write_text(AUTHORS.replace("BODY", body))
        return find_task(f"{path}:mine")

    return task


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("plain", "KeyError: 'colour'"),
        ("library", "JSONDecodeError: "),
        ("third_party", "ValidationError: "),
        ("own_helper", "JSONDecodeError: "),
        ("callback", "IndexError: "),
        ("recursion", "RecursionError: "),
        ("grouped", "KeyError: 'colour'"),
    ],
)
def test_error_of_the_author_is_a_reject_that_names_the_line(
    authors: Any, body: str, error: str
) -> None:
    task = authors(body)
    result = generate(make_clips(2), tasks=["description", task])
    assert len(result.records) == 2
    source = AUTHORS.split("\n")
    for reject in result.rejects:
        assert reject.reason is Reason.TASK_ERROR
        assert "\n" not in reject.message
        assert reject.message.startswith(f"the task mine failed at {body}.py:")
        assert error in reject.message
        line = source[int(reject.message.split(":")[1]) - 1]
        assert line.startswith("    ")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("in_vcgen", r"vcgen/tasks/ask\.py:\d+: TypeError"),
        ("in_vcgen_grouped", r"vcgen/tasks/ask\.py:\d+: TypeError"),
        ("descriptors", r"descriptors\.py:\d+: OSError: \[Errno 24\]"),
        ("memory", r"memory\.py:\d+: MemoryError"),
    ],
)
def test_any_other_error_stops_the_run(
    authors: Any, tmp_path: Path, body: str, message: str
) -> None:
    """The task fails for each sample alone, so two are rejected before the third stops the run."""
    with pytest.raises(RunStopped, match=f"no sample caused, at {message}") as caught:
        generate(make_clips(3), tasks=[authors(body)], output=tmp_path / "run")
    assert "\n" not in str(caught.value)
    reasons = [reject.reason for reject in read_rejects(tmp_path / "run")]
    assert reasons == [Reason.INTERNAL_ERROR] * 2


@pytest.mark.parametrize("code", [errno.EMFILE, errno.ENOENT])
def test_a_file_that_vcgen_cannot_open_stops_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """As when all file descriptors are connections: the run continues once there are more."""
    read, reads = Templates.lines, 0

    def lines(templates: Templates, file: str) -> list[str]:
        nonlocal reads
        reads += 1
        if reads == 3:
            raise OSError(code, os.strerror(code), file)
        return read(templates, file)

    clips = make_clips(20)
    with monkeypatch.context() as patch:
        patch.setattr(Templates, "lines", lines)
        with pytest.raises(RunStopped, match=rf"tasks/description\.py:\d+: .*Errno {code}"):
            generate(clips, output=tmp_path, tasks=["description"])
    before = outcome_ids(tmp_path)
    assert 2 <= len(before) < 20
    result = generate(clips, output=tmp_path, tasks=["description"])
    assert len(list(result.rejects)) == 0
    assert len(outcome_ids(tmp_path)) == 20
    assert result.summary.resumed == len(before)


def test_an_error_between_samples_stops_the_run_with_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def count(*_: object) -> int:
        raise RuntimeError("a\nbug")

    with monkeypatch.context() as patch:
        patch.setattr("vcgen.pipeline.runner.content_of", count)
        with pytest.raises(RunStopped, match=r"pipeline/runner\.py:\d+: RuntimeError: a bug"):
            generate([{"id": "bare"}, *make_clips(2)], output=tmp_path)
    generate([{"id": "bare"}, *make_clips(2)], output=tmp_path)
    assert sorted(outcome_ids(tmp_path)) == sorted(["clips[0]", *SAMPLES])


@pytest.mark.parametrize("in_flight", [1, 8])
def test_the_third_task_error_in_a_row_stops_the_run(tmp_path: Path, in_flight: int) -> None:
    broken = True

    async def mine(clip: vcgen.Clip, ask: Any) -> Sequence[Turn]:
        await ask("describe", min_words=1, max_words=9)
        if broken:
            raise LookupError(clip.id)
        return TURNS

    clips, limits = make_clips(12), vcgen.Limits(concurrency=in_flight)
    task = vcgen.Task("mine", mine)
    with pytest.raises(RunStopped, match=r"failed at test_faults\.py:\d+: LookupError: clip-"):
        generate(clips, tasks=[task, "description"], output=tmp_path, limits=limits)
    assert sum("/mine/" in name for name in outcome_ids(tmp_path)) == 2
    broken = False
    again = Watched()
    result = generate(
        clips, tasks=[task, "description"], output=tmp_path, limits=limits, transport=again
    )
    assert [reject.reason for reject in result.rejects] == [Reason.TASK_ERROR] * 2
    assert len(outcome_ids(tmp_path)) == 24


def test_task_errors_not_in_a_row_do_not_stop_the_run() -> None:
    count = 0

    async def mine(_clip: vcgen.Clip, _ask: Any) -> Sequence[Turn]:
        nonlocal count
        count += 1
        if count % 3:
            raise LookupError("now and then")
        return TURNS

    result = generate(make_clips(9), tasks=[vcgen.Task("mine", mine)])
    assert len(result.rejects) == 6


def test_a_builtin_task_has_no_author() -> None:
    description = find_task("description")
    try:
        json.loads("{")
    except ValueError as error:
        ending = ending_of(error, description)
        assert isinstance(ending, RunStopped)
        assert str(ending).startswith("an error that no sample caused, at decoder.py:")


def test_an_object_that_is_called_is_found_by_its_file() -> None:
    class Callable:
        async def __call__(self, _clip: Any, _ask: Any) -> Any:
            raise ZeroDivisionError

    result = generate(make_clips(1), tasks=[vcgen.Task("mine", Callable())])
    assert "failed at test_faults.py:" in result.rejects[0].message  # type: ignore[index]


def test_errors_of_vcgen_end_a_sample_as_they_are() -> None:
    async def nothing(_clip: Any, _ask: Any) -> Any:
        """Never called."""

    task = vcgen.Task("mine", nothing)
    rejected = SampleRejected(Reason.REFUSAL, "no")
    for error in (rejected, RunStopped("stop"), UsageError("template")):
        assert ending_of(error, task) is error
        assert stopped_by(error) is error
    stop = RunStopped("stop")
    for errors in ([rejected, stop], [stop, rejected], [rejected, ExceptionGroup("", [stop])]):
        assert ending_of(ExceptionGroup("", errors), task) is stop
    assert ending_of(ExceptionGroup("", [rejected, rejected]), task) is rejected
