"""Messages of workers: they survive the pipe, and no key is in them."""

from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr

from tests.support.common import CLIPS
from vcgen.engine.budget import Budget
from vcgen.engine.chat import Usage
from vcgen.engine.config import Endpoint, EndpointSpec, Limits
from vcgen.engine.dispatcher import Counters
from vcgen.engine.limits.bottleneck import BottleneckTimes
from vcgen.errors import UsageError
from vcgen.pipeline.progress import Progress, RunSnapshot
from vcgen.pipeline.workers.protocol import Command, Status, WorkerSpec, decode, encode
from vcgen.tasks.recipe import Recipe

URL = "https://api.example.com/v1"
SPEC = WorkerSpec(
    inputs=(CLIPS,),
    input_format="auto",
    transcripts=None,
    endpoints=tuple(
        EndpointSpec(
            endpoint=Endpoint(model="m", base_url=f"{URL}/{at}", limits=Limits(rpm=at)),
            key_variable=f"KEY_{at}",
        )
        for at in (1, 2)
    ),
    output=Path("runs/a"),
    recipe=Recipe(weights=(1.0, 2.0), checks={"order": "off"}),
    templates=None,
    timeout_s=30.0,
    hedge=True,
    budget=Budget(cost=2.5),
    judge=EndpointSpec(endpoint=Endpoint(model="j", limits=Limits(tpm=3)), key_variable="KEY_J"),
    max_records=7,
    workers=3,
)


def test_a_spec_survives_the_pipe() -> None:
    line = encode(SPEC)
    assert line.count(b"\n") == 1
    assert decode(WorkerSpec, line) == SPEC


def test_commands_and_statuses_survive_the_pipe() -> None:
    progress = Progress(clips=9, records=3)
    progress.rejects["refusal"] = 4
    snapshot = RunSnapshot(
        progress,
        Counters(requests=7, usage=Usage(5, 6)),
        2,
        BottleneckTimes(rpm=1.5),
        8,
        left_out=(("endpoint 2", "it refuses the key"),),
    )
    status = Status(snapshot=snapshot, done=True, error=("RunStopped", "two\nlines"))
    assert decode(Status, encode(status)) == status
    command = Command(limits=(Limits(rpm=5), Limits(concurrency=3, processes=2)), stop="enough")
    assert decode(Command, encode(command)) == command
    assert decode(Command, encode(Command())) == Command()


def test_lone_surrogates_survive_the_pipe() -> None:
    """A file name need not be UTF-8, and the text of an error may quote any reply."""
    spec = replace(SPEC, inputs=(Path("clips-\udcff.jsonl"),), output=Path("runs/\udcff"))
    assert decode(WorkerSpec, encode(spec)) == spec
    status = Status(snapshot=RunSnapshot(Progress(records=2)), error=("RunStopped", "half \ud83d"))
    status.snapshot.progress.rejects["refusal"] = 4
    line = encode(status)
    assert line.index(b"\n") == len(line) - 1
    assert decode(Status, line) == status
    assert decode(Command, encode(Command(stop="half \ud83d"))).stop == "half \ud83d"


def test_no_key_is_in_a_spec(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY_1", "sk-secret-of-this-test")
    endpoint = SPEC.endpoints[0].with_key()
    assert endpoint.key == SecretStr("sk-secret-of-this-test")
    assert b"sk-secret" not in encode(SPEC)


def test_limits_are_replaced_in_their_order() -> None:
    assert SPEC.limits == (Limits(rpm=1), Limits(rpm=2), Limits(tpm=3))
    others = (Limits(rpm=10), Limits(rpm=20), Limits(tpm=30))
    assert SPEC.with_limits(others).limits == others
    alone = replace(SPEC, judge=None)
    assert alone.with_limits(others[:2]).limits == others[:2]


def test_rows_are_bounded_by_the_records_wanted() -> None:
    assert replace(SPEC, max_records=None).count_rows() == 6
    assert replace(SPEC, max_records=2).count_rows() == 2  # a weighted task a clip
    both = Recipe(tasks=("description", "conversation"))
    assert replace(SPEC, recipe=both, max_records=5).count_rows() == 3


def test_a_run_needs_a_worker() -> None:
    with pytest.raises(UsageError, match="workers must be at least 1, not 0"):
        replace(SPEC, workers=0)
