"""`vcgen generate` used as meant; wrong use is in `test_bad_input.py`."""

import json
import re
from pathlib import Path

import orjson
import pytest

import vcgen
from tests.support.canary import KEY
from tests.support.common import CLIPS, Command, Serving, lines_of
from vcgen.data.readers.read import read_clips
from vcgen.pipeline.store.read import read_records, read_rejects
from vcgen.sim import Simulator, parse_faults


@pytest.fixture
def done(command: Command, tmp_path: Path) -> Path:
    """A finished run."""
    run = tmp_path / "done"
    assert command("generate", CLIPS, "--model", "sim", "-o", run).code == 0
    return run


SUMMARY_KEYS = {
    "samples",
    "records",
    "rejects",
    "rejects_by_reason",
    "rejects_by_code",
    "commonest_messages",
    "requests",
    "retries",
    "usage",
    "cost",
    "seconds",
    "records_per_second",
}


def contents(run: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in run.iterdir()}


def test_every_sample_is_written_and_summed_up(command: Command, tmp_path: Path) -> None:
    run = tmp_path / ("long" * 30) / "run"
    finished = command("generate", CLIPS, "--model", "sim", "-o", run)

    assert (finished.code, finished.out) == (0, "")
    wanted = {
        f"{clip.id}/{task}/0"
        for clip in read_clips(CLIPS)
        if isinstance(clip, vcgen.Clip)
        for task in ("description", "conversation")
    }
    assert {record.id for record in read_records(run)} == wanted
    lines = finished.err.splitlines()
    assert re.fullmatch(r"records +12", lines[1]), lines
    assert lines[-1] == f"output    {run}"
    assert lines == [line.rstrip() for line in lines]


def test_the_same_command_again_changes_nothing(
    command: Command, serving: Serving, tmp_path: Path
) -> None:
    simulator = Simulator()
    arguments = ("generate", CLIPS, "--model", "sim", "--base-url", serving(simulator))
    command(*arguments, "-o", tmp_path / "run")
    sent, before = simulator.requests, contents(tmp_path / "run")

    again = command(*arguments, "-o", tmp_path / "run")

    assert again.code == 0
    assert "done before  12" in again.err
    assert sent == simulator.requests == 18
    assert contents(tmp_path / "run") == before


def test_json_prints_one_object_and_nothing_else(command: Command, tmp_path: Path) -> None:
    finished = command("generate", CLIPS, "--model", "sim", "-o", tmp_path / "run", "--json")

    summary = orjson.loads(finished.out)
    assert finished.out.count("\n") == 1
    assert finished.err == ""
    assert summary.keys() >= SUMMARY_KEYS
    assert summary["samples"] == summary["records"] + summary["rejects"] == 12
    assert summary["requests"] == 18
    assert summary["usage"]["completion_tokens"] > 0


def test_json_is_printed_of_a_run_that_stopped(
    command: Command, serving: Serving, tmp_path: Path
) -> None:
    base_url = serving(Simulator(faults=parse_faults("quota:1")))
    finished = command(
        *("generate", CLIPS, "--model", "sim", "--base-url", base_url),
        *("-o", tmp_path / "run", "--json"),
    )
    assert finished.code == 1
    assert orjson.loads(finished.out)["records"] == 0
    assert finished.err.count("\n") == 1


def test_rejects_end_in_3_under_fail_on_reject_only(
    command: Command, serving: Serving, tmp_path: Path
) -> None:
    base_url = serving(Simulator(faults=parse_faults("refusal:0.3")))
    arguments = ("generate", CLIPS, "--model", "sim", "--base-url", base_url, "-o", tmp_path / "a")

    assert command(*arguments).code == 0
    failed = command(*arguments, "--fail-on-reject")

    assert failed.code == 3
    assert re.search(r"^rejects +\d+\n  refusal +\d+$", failed.err, re.MULTILINE)


def test_a_run_without_a_record_ends_in_4_and_names_the_commonest_message(
    command: Command, serving: Serving, tmp_path: Path
) -> None:
    base_url = serving(Simulator(faults=parse_faults("refusal:1")))
    known = ("generate", CLIPS, "--model", "sim", "--base-url", base_url, "-o")
    failed = command(*known, tmp_path / "a", "--fail-on-reject")
    assert failed.code == 4
    assert re.search(r"^  refusal +12   the model refused$", failed.err, re.MULTILINE)
    nothing = tmp_path / "nothing.jsonl"
    nothing.write_text('{"id": 1}\n')
    assert command("generate", nothing, "--model", "sim", "-o", tmp_path / "b").code == 4


def test_a_trial_stops_when_it_makes_nothing(
    command: Command, serving: Serving, tmp_path: Path
) -> None:
    base_url = serving(simulator := Simulator(faults=parse_faults("refusal:1")))
    known = ("generate", CLIPS, "--model", "sim", "--base-url", base_url, "-o")
    stopped = command(*known, tmp_path / "a", "--max-records", 1)
    assert stopped.code == 1
    assert "5 samples and no record, most often: the model refused" in stopped.err
    assert simulator.requests <= 5


def test_limit_takes_the_first_clips(command: Command, tmp_path: Path) -> None:
    for workers in (1, 2):
        run = tmp_path / str(workers)
        arguments = ("--model", "sim", "--limit", 2, "--workers", workers, "-o", run)
        assert command("generate", CLIPS, *arguments).code == 0
        assert {record.clip_id for record in read_records(run)} == {"harbour-dawn", "pancakes"}
    assert command("plan", CLIPS, "--model", "sim", "--limit", 2, "--rpm", 60).code == 0
    assert command("generate", CLIPS, "--model", "sim", "--limit", 0, "-o", tmp_path).code == 2


def test_fail_on_reject_without_rejects_ends_in_0(command: Command, tmp_path: Path) -> None:
    arguments = ("generate", CLIPS, "--model", "sim", "-o", tmp_path / "run")
    assert command(*arguments, "--fail-on-reject").code == 0


def test_no_resume_begins_a_run_and_continues_none(command: Command, tmp_path: Path) -> None:
    arguments = ("generate", CLIPS, "--model", "sim", "-o", tmp_path / "run", "--no-resume")
    assert command(*arguments).code == 0
    before = contents(tmp_path / "run")

    again = command(*arguments)

    assert again.code == 2
    assert again.err.startswith(f"vcgen: {tmp_path / 'run'} is not empty")
    assert contents(tmp_path / "run") == before


def test_several_files_and_their_transcripts_become_one_run(
    command: Command, tmp_path: Path
) -> None:
    for name in ("first", "second"):
        clip = {"id": name, "video": f"v/{name}.mp4", "caption": "A cat sleeps.", "duration": 9}
        (tmp_path / f"{name}.jsonl").write_text(json.dumps(clip) + "\n")
    speech = tmp_path / "speech"
    speech.mkdir()
    (speech / "second.srt").write_text("1\n00:00:01,000 --> 00:00:03,000\nWake up, Tiger.\n")
    inputs = (tmp_path / "first.jsonl", tmp_path / "second.jsonl")
    options = ("--model", "sim", "--tasks", "description", "--transcripts", speech)

    finished = command("generate", *inputs, *options, "-o", tmp_path / "run")

    assert finished.code == 0
    told = {record.clip_id: record.turns[0].answer for record in read_records(tmp_path / "run")}
    assert told.keys() == {"first", "second"}
    assert "Wake up, Tiger" in told["second"]
    assert "Wake up, Tiger" not in told["first"]


def test_the_key_of_the_environment_appears_nowhere(
    command: Command, serving: Serving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    options = ("--model", "sim", "--key-env", "MY_KEY", "--json")
    accepted = serving(Simulator(key=KEY))
    refused = serving(Simulator(key="another"))

    good = command("generate", CLIPS, *options, "--base-url", accepted, "-o", tmp_path / "good")
    bad = command("generate", CLIPS, *options, "--base-url", refused, "-o", tmp_path / "bad")

    assert (good.code, bad.code) == (0, 1)
    written = [path.read_text("utf-8") for path in tmp_path.rglob("*") if path.is_file()]
    assert len(written) > 8
    assert not [text for text in [*good, *bad, *written] if KEY in str(text)]


def test_damaged_lines_are_named(command: Command, done: Path) -> None:
    lines = (done / "records.jsonl").read_bytes().split(b"\n")
    lines[1] = lines[1].replace(b"a", b"b", 1)
    (done / "records.jsonl").write_bytes(b"\n".join(lines))

    finished = command("generate", CLIPS, "--model", "sim", "-o", done)

    assert finished.code == 0
    first = finished.err.splitlines()[0]
    assert first == "vcgen: damaged lines of records.jsonl moved to records.jsonl.bad: 1"
    assert len(lines_of(done / "records.jsonl")) == 12


@pytest.mark.parametrize(("language", "lines"), [("Chinese", 1), ("en-GB", 0), ("Klingon", 0)])
def test_a_language_the_simulated_model_lacks_is_warned_of(
    command: Command, tmp_path: Path, language: str, lines: int
) -> None:
    arguments = ("generate", CLIPS, "--model", "sim", "--language", language, "-o", tmp_path)
    assert command(*arguments).err.count("the simulated model writes English") == lines


def test_rejected_rows_are_in_the_summary_and_on_disk(command: Command, tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_bytes(CLIPS.read_bytes() + b'{"id": "nothing"}\n{"id": \n')

    finished = command("generate", rows, "--model", "sim", "-o", tmp_path / "run")

    assert finished.code == 0
    assert re.search(r"^  invalid_clip +2   rows", finished.err, re.MULTILINE)
    assert {reject.id for reject in read_rejects(tmp_path / "run")} == {
        "rows.jsonl:7",
        "rows.jsonl:8",
    }
