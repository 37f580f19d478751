"""Rejects that are moved aside are made again; nothing else of the run changes."""

import os
from pathlib import Path
from typing import Any

import pytest

from tests.support.common import Watched, generate, make_clips, outcome_ids
from vcgen.data.records import Reason
from vcgen.engine.transport.base import Reply
from vcgen.errors import UsageError
from vcgen.pipeline.store.directory import RunDirectory
from vcgen.pipeline.store.layout import CALLS, REJECTS, RETRIED, RETRIED_CALLS
from vcgen.pipeline.store.manifest import Manifest
from vcgen.pipeline.store.read import read_records, read_rejects, read_rows
from vcgen.pipeline.store.retry import CAN_PASS, set_aside
from vcgen.sim import Simulator, parse_faults


def faulty_run(run: Path, faults: str, seed: int = 0) -> Watched:
    transport = Watched(Simulator(faults=parse_faults(faults), seed=seed))
    generate(make_clips(8), output=run, transport=transport)
    return transport


def test_rejects_of_the_endpoint_are_made_again(tmp_path: Path) -> None:
    faulty_run(tmp_path, "length:0.5,refusal:0.2")
    before = outcome_ids(tmp_path)
    rejects = {reject.id: reject.reason for reject in read_rejects(tmp_path)}
    records = [record.id for record in read_records(tmp_path)]
    assert {Reason.TRUNCATED, Reason.REFUSAL} <= set(rejects.values())
    assert records

    moved = set_aside(tmp_path, CAN_PASS)
    cut = sum(reason is Reason.TRUNCATED for reason in rejects.values())
    assert moved == {Reason.TRUNCATED: cut}
    assert len(outcome_ids(tmp_path)) == 16 - cut
    assert Manifest.read(tmp_path).counts["rejects"] == {Reason.REFUSAL: len(rejects) - cut}

    again = faulty_run(tmp_path, "")
    assert sorted(outcome_ids(tmp_path)) == sorted(before)
    assert {reject.reason for reject in read_rejects(tmp_path)} == {Reason.REFUSAL}
    assert {record.id for record in read_records(tmp_path)} >= {*records}
    assert again.bodies


def test_what_was_paid_for_them_still_counts(tmp_path: Path) -> None:
    faulty_run(tmp_path, "length:0.5")
    usage = Manifest.read(tmp_path).counts["usage"]
    set_aside(tmp_path, [Reason.TRUNCATED])
    assert Manifest.read(tmp_path).counts["usage"] == usage
    faulty_run(tmp_path, "")
    assert Manifest.read(tmp_path).counts["usage"]["prompt_tokens"] > usage["prompt_tokens"]


def test_a_reply_that_was_unusable_is_not_used_again(tmp_path: Path) -> None:
    """A kept call would give the same cut reply once more."""
    faulty_run(tmp_path, "length:1")
    assert not list(read_records(tmp_path))
    calls = list(read_rows(tmp_path, CALLS))
    set_aside(tmp_path, CAN_PASS)
    assert list(read_rows(tmp_path, CALLS)) == []
    assert list(read_rows(tmp_path, RETRIED_CALLS)) == calls != []
    faulty_run(tmp_path, "")
    assert len(list(read_records(tmp_path))) == 16


class Refusing(Watched):
    """Refuses a conversation, and answers the narrative that it begins with."""

    async def post(self, url: str, headers: Any, body: bytes, timeout_s: float) -> Reply:
        reply = await super().post(url, headers, body, timeout_s)
        return Reply(400, {}, b"{}") if b"turns" in body else reply


def test_a_call_before_a_refused_one_is_used_again(tmp_path: Path) -> None:
    clips, tasks = make_clips(3), ["conversation"]
    generate(clips, output=tmp_path, transport=Refusing(), tasks=tasks)
    assert {reject.reason for reject in read_rejects(tmp_path)} == {Reason.BAD_REQUEST}
    calls = list(read_rows(tmp_path, CALLS))
    assert len(calls) == 3
    set_aside(tmp_path, CAN_PASS)
    assert list(read_rows(tmp_path, CALLS)) == calls
    again = Watched()
    generate(clips, output=tmp_path, transport=again, tasks=tasks)
    assert len(list(read_records(tmp_path))) == 3
    assert len(again.bodies) == 3


def test_nothing_changes_without_such_rejects(tmp_path: Path) -> None:
    faulty_run(tmp_path, "")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert set_aside(tmp_path, CAN_PASS) == {}
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_crash_between_leaves_the_line_in_both_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faulty_run(tmp_path, "length:1")
    before = (tmp_path / REJECTS).read_bytes()

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("vcgen.pipeline.store.atomic_files.replacing", crash)
        with pytest.raises(KeyboardInterrupt):
            set_aside(tmp_path, CAN_PASS)
    assert (tmp_path / REJECTS).read_bytes() == before
    assert (tmp_path / RETRIED).read_bytes() == before
    assert set_aside(tmp_path, CAN_PASS).total() == 16
    assert list(read_rejects(tmp_path)) == []


def test_a_run_that_is_being_written_is_left_alone(tmp_path: Path) -> None:
    faulty_run(tmp_path, "length:1")
    held = RunDirectory.open(tmp_path, Manifest.read(tmp_path))
    with pytest.raises(UsageError, match="another process is writing"):
        set_aside(tmp_path, CAN_PASS)
    held.close()
    assert set_aside(tmp_path, CAN_PASS)


def test_files_are_private_and_no_link_is_followed(tmp_path: Path) -> None:
    run, elsewhere = tmp_path / "run", tmp_path / "elsewhere"
    faulty_run(run, "length:1")
    elsewhere.write_text("")
    (run / RETRIED).symlink_to(elsewhere)
    with pytest.raises(UsageError, match="symbolic link"):
        set_aside(run, CAN_PASS)
    assert elsewhere.read_text() == ""
    (run / RETRIED).unlink()
    set_aside(run, CAN_PASS)
    assert os.stat(run / RETRIED).st_mode & 0o777 == 0o600  # noqa: PTH116 - as `ls` shows it
