"""What the command line does when it is used as meant; wrong use is in `test_cli_bad_input.py`."""

import json
import re
import signal
from pathlib import Path

import orjson
import pytest

import vcgen
from tests.support.canary import KEY
from tests.support.common import CLIPS, ROOT, Command, Serving, lines_of, start_vcgen
from vcgen.data.readers.read import read_clips
from vcgen.pipeline.store.directory import read_records, read_rejects
from vcgen.sim import Simulator, parse_faults

SUMMARY_KEYS = {
    "samples",
    "records",
    "rejects",
    "rejects_by_reason",
    "requests",
    "retries",
    "usage",
    "cost",
    "seconds",
    "records_per_second",
}


@pytest.fixture
def done(command: Command, tmp_path: Path) -> Path:
    """A finished run."""
    run = tmp_path / "done"
    assert command("generate", CLIPS, "--model", "sim", "-o", run).code == 0
    return run


def contents(run: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in run.iterdir()}


def test_generate_writes_every_sample_and_a_tidy_summary(command: Command, tmp_path: Path) -> None:
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


def test_the_same_command_again_sends_nothing_and_changes_no_byte(
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


def test_rejects_end_in_3_under_strict_and_in_0_otherwise(
    command: Command, serving: Serving, tmp_path: Path
) -> None:
    base_url = serving(Simulator(faults=parse_faults("refusal:1")))
    arguments = ("generate", CLIPS, "--model", "sim", "--base-url", base_url, "-o", tmp_path / "a")

    assert command(*arguments).code == 0
    strict = command(*arguments, "--strict")

    assert strict.code == 3
    assert re.search(r"^rejects +12\n  refusal +12$", strict.err, re.MULTILINE)


def test_strict_without_rejects_ends_in_0(command: Command, tmp_path: Path) -> None:
    arguments = ("generate", CLIPS, "--model", "sim", "-o", tmp_path / "run")
    assert command(*arguments, "--strict").code == 0


def test_fresh_begins_a_run_and_continues_none(command: Command, tmp_path: Path) -> None:
    arguments = ("generate", CLIPS, "--model", "sim", "-o", tmp_path / "run", "--fresh")
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
    options = ("--model", "sim", "--tasks", "description", "--speech", speech)

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
    options = ("--model", "sim", "--api-key-env", "MY_KEY", "--json")
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


def test_export_says_that_data_is_simulated(command: Command, done: Path, tmp_path: Path) -> None:
    finished = command("export", done, "--format", "videochat", "-o", tmp_path / "train.json")

    assert finished.code == 0
    assert len(orjson.loads((tmp_path / "train.json").read_bytes())) == 12
    assert "simulated data" in finished.err
    assert "12 records" in finished.err


def test_show_prints_a_record_a_clip_or_the_first_few(command: Command, done: Path) -> None:
    def heads(*arguments: object) -> list[str]:
        shown = command("show", done, *arguments).out
        return re.findall(r"^(\S+/\S+)   video", shown, re.MULTILINE)

    assert len(heads()) == 12
    assert len(heads("--limit", 2)) == 2
    assert heads("pancakes/description/0") == ["pancakes/description/0"]
    assert sorted(heads("pancakes")) == ["pancakes/conversation/0", "pancakes/description/0"]


@pytest.mark.parametrize("limit", [1, 12])  # less than Python buffers, and more
def test_show_counts_as_finished_when_its_reader_leaves(done: Path, limit: int) -> None:
    with start_vcgen("show", done, "--limit", limit, env={"PYTHONUNBUFFERED": ""}) as shown:
        assert shown.stdout is not None
        assert shown.stderr is not None
        shown.stdout.close()
        assert shown.wait(20) == 0
        assert shown.stderr.read() == ""


def test_prompts_lists_every_template_of_ours(command: Command) -> None:
    listed = {line.split()[0] for line in command("prompts").out.splitlines()}
    assert listed == {path.stem for path in (ROOT / "templates").glob("*.jinja")}


def test_prompts_shows_a_template_as_it_would_be_sent(command: Command) -> None:
    shown = command("prompts", "describe", "--clip", CLIPS)

    assert shown.code == 0
    assert shown.out.startswith("--- system ---\n")
    assert "\n--- user ---\n" in shown.out
    assert "a man in a yellow coat" in shown.out


def test_prompts_shows_the_conversation_that_a_turn_belongs_to(command: Command) -> None:
    shown = command("prompts", "answer", "--clip", CLIPS).out

    roles = re.findall(r"^--- (\w+) ---$", shown, re.MULTILINE)
    assert roles == ["system", "user", "assistant", "user"]
    assert "a man in a yellow coat" in shown


def test_prompts_are_shown_in_any_language(command: Command) -> None:
    for name in ("describe", "converse", "answer"):
        shown = command("prompts", name, "--clip", CLIPS, "--language", "Chinese")
        assert shown.code == 0
        assert "Write in Chinese" in shown.out


@pytest.mark.parametrize(("language", "lines"), [("Chinese", 1), ("en-GB", 0), ("Klingon", 0)])
def test_that_the_simulated_model_writes_english_is_said_where_it_matters(
    command: Command, tmp_path: Path, language: str, lines: int
) -> None:
    arguments = ("generate", CLIPS, "--model", "sim", "--language", language, "-o", tmp_path)
    assert command(*arguments).err.count("the simulated model writes English") == lines


def test_templates_of_ones_own_win_by_name(command: Command, tmp_path: Path) -> None:
    (tmp_path / "describe.jinja").write_text(
        '{% extends "base.jinja" %}{% block task %}Tell it like a sailor.{% endblock %}'
    )
    shown = command("prompts", "describe", "--clip", CLIPS, "--templates", tmp_path)

    assert "Tell it like a sailor." in shown.out
    assert "a man in a yellow coat" in shown.out  # ours is still what it extends


def test_sim_serves_until_it_is_interrupted() -> None:
    with start_vcgen("sim", "--port", 0, "--rpm", 1000) as served:
        assert served.stdout is not None
        assert served.stderr is not None
        base_url = re.search(r"http://\S+", served.stdout.readline())
        assert base_url is not None
        endpoint = vcgen.Endpoint(model="sim", base_url=base_url[0])
        clip = vcgen.Clip(id="a", caption="A dog catches a ball.")
        assert vcgen.run([clip], model=endpoint, tasks=["description"]).summary["records"] == 1
        served.send_signal(signal.SIGINT)
        assert served.wait(20) == 130
        assert served.stderr.read() == ""


def test_version_is_that_of_the_package(command: Command) -> None:
    assert command("--version") == (0, f"vcgen {vcgen.__version__}\n", "")


def test_the_command_alone_shows_what_there_is(command: Command) -> None:
    finished = command()
    assert finished.code == 2
    assert all(name in finished.out for name in ("generate", "export", "show", "prompts", "sim"))


@pytest.mark.parametrize("name", ["generate", "export", "show", "prompts", "sim"])
def test_help_explains_every_option_and_shows_defaults(command: Command, name: str) -> None:
    help_text = command(name, "--help").out

    assert "<str>" not in help_text.partition("Options:")[2]
    options = re.split(r"\n  (?=-)", help_text.partition("Options:")[2])[1:]
    assert all(len(option.split()) > 3 for option in options)
    if name == "generate":
        assert re.search(r"\[default:\s+default\]", help_text)


def test_the_module_runs_as_the_command_does() -> None:
    with start_vcgen("--version") as process:
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, f"vcgen {vcgen.__version__}\n", "")


def test_rejected_rows_are_in_the_summary_and_on_disk(command: Command, tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_bytes(CLIPS.read_bytes() + b'{"id": "nothing"}\n{"id": \n')

    finished = command("generate", rows, "--model", "sim", "-o", tmp_path / "run")

    assert finished.code == 0
    assert re.search(r"^  invalid_clip +2$", finished.err, re.MULTILINE)
    assert {reject.id for reject in read_rejects(tmp_path / "run")} == {
        "rows.jsonl:7",
        "rows.jsonl:8",
    }
