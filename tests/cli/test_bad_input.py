"""Wrong use and bad input at a shell: an exit code, one line that names it, and nothing lost."""

import json
import re
import resource
import socket
from collections import Counter
from pathlib import Path

import pytest

import vcgen
from tests.support.canary import KEY
from tests.support.common import (
    CLIPS,
    ROOT,
    Command,
    Finished,
    Serving,
    lines_of,
    start_vcgen,
    wait_until,
)
from vcgen.data.records import Reject
from vcgen.pipeline.store.read import read_records, read_rejects
from vcgen.sim import Simulator, parse_faults

KEYLESS = ("generate", str(CLIPS), "--model", "gpt-4o", "--key-env", "NO_KEY")
GENERATE = ("generate", str(CLIPS), "--model", "sim", "-o", "{tmp}/run")
EXPORT = ("export", "{run}", "--format", "llava", "-o", "{tmp}/train.json")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run, which no test may change."""
    path = tmp_path_factory.mktemp("done") / "run"
    vcgen.run(CLIPS, model="sim", output=path)
    return path


def assert_one_line(finished: Finished, code: int, *named: str) -> None:
    assert finished.code == code, finished
    assert finished.out == ""
    assert finished.err.startswith("vcgen: ")
    assert finished.err.count("\n") == 1, finished.err
    assert not [words for words in named if words not in finished.err], finished.err


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--bogus",), ["--bogus", "vcgen --help"]),
        (("nothing",), ["'nothing'", "vcgen --help"]),
        (("generate", "--model", "sim", "-o", "{tmp}/run"), ["INPUT", "generate --help"]),
        (("generate", str(CLIPS), "-o", "{tmp}/run"), ["--model"]),
        (("generate", str(CLIPS), "--model", "sim"), ["--output"]),
        ((*GENERATE, "--bogus"), ["--bogus", "vcgen generate --help"]),
        ((*GENERATE, "--rpm", "many"), ["--rpm"]),
        ((*GENERATE, "--rpm", "0"), ["rpm", "at least 1", "0"]),
        ((*GENERATE, "--concurrency", "-1"), ["concurrency", "-1"]),
        ((*GENERATE, "--workers", "0"), ["workers", "at least 1", "0"]),
        ((*GENERATE, "--workers", "-1"), ["workers", "-1"]),
        ((*GENERATE, "--workers", "all"), ["--workers", "generate --help"]),
        ((*GENERATE, "--workers", "2", "--rpm", "0"), ["rpm", "at least 1", "0"]),
        ((*GENERATE, "--workers", "2", "--tasks", "nothing"), ["'nothing'", "conversation"]),
        ((*GENERATE, "--workers", "2", "--tasks", "{tmp}/missing.py:mine"), ["missing.py"]),
        ((*GENERATE, "--turns", "some"), ["'some'", "3-5"]),
        ((*GENERATE, "--turns", "3-"), ["'3-'", "3-5"]),
        ((*GENERATE, "--turns", "5-3"), ["5-3"]),
        ((*GENERATE, "--turns", "0-3"), ["0-3"]),
        ((*GENERATE, "--kinds", "causal,funny"), ["funny", "temporal"]),
        ((*GENERATE, "--kinds", ","), ["none", "temporal"]),
        ((*GENERATE, "--tasks", "nothing"), ["'nothing'", "conversation"]),
        ((*GENERATE, "--tasks", "{tmp}/missing.py:mine"), ["missing.py"]),
        ((*GENERATE, "--tasks", str(ROOT / "examples/custom_task.py:mine")), ["'mine'"]),
        ((*GENERATE, "--tasks", "description,description"), ["once"]),
        ((*GENERATE, "--tasks", ""), ["at least one"]),
        ((*GENERATE, "--input-format", "tsv"), ["'tsv'", "webvid"]),
        ((*GENERATE, "--templates", "{tmp}/missing"), ["{tmp}/missing"]),
        ((*GENERATE, "--transcripts", "{tmp}/missing"), ["{tmp}/missing"]),
        ((*GENERATE, "--json-mode", "yaml"), ["'yaml'", "json_object"]),
        ((*GENERATE, "--base-url", "localhost:80"), ["'localhost:80'", "http"]),
        ((*GENERATE, "--base-url", f"http://me:{KEY}@127.0.0.1/v1"), ["environment"]),
        ((*GENERATE, "--base-url", KEY), ["not shown"]),
        (
            ("generate", str(CLIPS), "--model", "m", "--key-env", KEY, "-o", "{tmp}/run"),
            ["set"],
        ),
        ((*GENERATE, "--max-reply-tokens", "0"), ["max_reply_tokens", "0"]),
        (("generate", "{tmp}/missing", "--model", "sim", "-o", "{tmp}/run"), ["{tmp}/missing"]),
        (("generate", "{tmp}", "--model", "sim", "-o", "{tmp}/run"), ["{tmp} is a directory"]),
        ((*KEYLESS, "-o", "{tmp}/run"), ["NO_KEY"]),
        (("generate", str(CLIPS), "--model", "sim", "-o", "{tmp}/file/run"), ["{tmp}/file/run"]),
        (("generate", str(CLIPS), "--model", "sim", "-o", "{tmp}/file"), ["{tmp}/file"]),
        (
            ("generate", str(CLIPS), "--model", "sim", "-o", "{tmp}"),
            ["{tmp} is not a run directory"],
        ),
        (("generate", str(CLIPS), "--model", "sim", "-o", "{run}", "--seed", "7"), ["seed", "7"]),
        (("generate", str(CLIPS), "--model", "sim:b", "-o", "{run}"), ["model was sim", "sim:b"]),
        (("generate", str(CLIPS), "--model", "sim", "-o", "{run}", "--no-resume"), ["{run}"]),
        (
            ("export", "{tmp}", "--format", "llava", "-o", "{tmp}/x"),
            ["{tmp} is not a run directory"],
        ),
        (("export", "{run}", "--format", "tsv", "-o", "{tmp}/x"), ["'tsv'", "videochat2"]),
        (("export", "{run}", "--format", "llava", "-o", "{tmp}"), ["{tmp} is"]),
        (("export", "{run}", "--format", "llava", "-o", "{tmp}/file/x"), ["{tmp}/file/x"]),
        (("show", "{run}", "nothing"), ["{run}", "'nothing'"]),
        (("show", "{tmp}"), ["{tmp} is not a run directory"]),
        (("prompts", "describe"), ["--clip"]),
        (("prompts", "nothing", "--clip", str(CLIPS)), ["nothing", "describe"]),
        (("prompts", "describe", "--clip", "{tmp}/missing"), ["{tmp}/missing"]),
        (("prompts", "question", "--clip", str(CLIPS), "--tasks", "description"), ["'question'"]),
        (("sim", "--faults", "gremlins:0.1"), ["'gremlins'", "badjson"]),
        (("sim", "--faults", "429:2"), ["429", "'2'"]),
        (("sim", "--latency", "-1"), ["-1"]),
        (("plan", str(CLIPS), "--model", "sim", "--latency", "-1"), ["latency", "-1"]),
        (("sim", "--port", "99999"), ["--port"]),
        (("sim", "--rpm", "0"), ["rpm", "0"]),
    ],
    ids=lambda value: " ".join(value)[-40:] if isinstance(value, tuple) else "",
)
def test_wrong_use_is_one_line_and_exit_code_2(
    command: Command, run: Path, tmp_path: Path, arguments: tuple[str, ...], named: list[str]
) -> None:
    (tmp_path / "file").touch()
    places = {"tmp": str(tmp_path), "run": str(run)}
    before = {path.name: path.read_bytes() for path in run.iterdir()}

    finished = command(*(argument.format(**places) for argument in arguments))

    assert_one_line(finished, 2, *(words.format(**places) for words in named))
    assert not (tmp_path / "run").exists()
    assert before == {path.name: path.read_bytes() for path in run.iterdir()}


@pytest.mark.parametrize("content", [b"", b" \n\n", b"\xef\xbb\xbf"])
def test_an_empty_input_file_is_named(command: Command, tmp_path: Path, content: bytes) -> None:
    empty = tmp_path / "empty.jsonl"
    empty.write_bytes(content)
    finished = command("generate", empty, "--model", "sim", "-o", tmp_path / "run")
    assert_one_line(finished, 2, f"{empty} is empty")


def test_wrong_use_of_the_real_command_leaves_no_traceback(tmp_path: Path) -> None:
    with start_vcgen(*KEYLESS, "-o", tmp_path / "run") as process:
        out, err = process.communicate(timeout=20)
    assert_one_line(Finished(process.returncode, out, err), 2, "no key", "--model sim")


def test_a_taken_port_is_named(command: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert_one_line(command("sim", "--port", port), 2, str(port), "taken")


def test_an_output_file_that_may_not_be_written_is_named(command: Command, run: Path) -> None:
    assert_one_line(
        command("export", run, "--format", "llava", "-o", "/dev/full/x"), 2, "/dev/full/x"
    )


def test_an_endpoint_that_is_not_there_stops_the_run(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vcgen.engine.limits.limiter.NEVER_REACHED_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/v1"
    run = tmp_path / "run"

    finished = command("generate", CLIPS, "--model", "any", "--base-url", url, "-o", run)

    assert_one_line(finished, 1, url, "no answer", f"{run}; the same command continues")
    assert not list(read_rejects(run))


@pytest.mark.parametrize(
    ("faults", "model", "named"),
    [
        ("", "missing-model", ["404", "missing-model"]),
        ("key:1", "sim", ["401", "key"]),
        ("quota:1", "sim", ["429", "quota"]),
    ],
)
def test_what_no_other_request_can_survive_stops_the_run(
    command: Command, serving: Serving, tmp_path: Path, faults: str, model: str, named: list[str]
) -> None:
    simulator = Simulator(faults=parse_faults(faults))
    options = ("--model", model, "--base-url", serving(simulator), "--concurrency", "2")

    finished = command("generate", CLIPS, *options, "-o", tmp_path / "run")

    assert_one_line(finished, 1, *named, "records so far: 0", "the same command continues")
    assert simulator.requests <= 2


@pytest.mark.parametrize(
    ("fault", "rejects"),
    [
        ("fence", {}),
        ("comma", {}),
        ("badjson", {"invalid_reply": 6}),
        ("turns", {"failed_checks": 6}),
        ("length", {"truncated": 12}),
        ("refusal", {"refusal": 12}),
        ("cut", {"invalid_response": 12}),
        ("500", {"server_error": 12}),
        ("reset", {"network": 12}),
    ],
)
def test_a_bad_reply_costs_its_own_sample_at_most(
    command: Command,
    serving: Serving,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fault: str,
    rejects: dict[str, int],
) -> None:
    monkeypatch.setattr("vcgen.engine.retry.BASE_S", 0.001)
    base_url = serving(Simulator(faults=parse_faults(f"{fault}:1")))
    options = ("--model", "sim", "--base-url", base_url, "--turns", "3-3")

    finished = command("generate", CLIPS, *options, "-o", tmp_path / "run")

    assert finished.code == (4 if sum(rejects.values()) == 12 else 0)
    found = Counter(reject.reason.value for reject in read_rejects(tmp_path / "run"))
    assert found == rejects
    assert len(list(read_records(tmp_path / "run"))) == 12 - sum(rejects.values())
    shown = dict(re.findall(r"^  (\w+) +(\d+)   \S", finished.err, re.MULTILINE))
    assert {reason: int(count) for reason, count in shown.items()} == rejects


@pytest.mark.parametrize("fault", ["html", "empty"])
def test_an_endpoint_that_answers_everything_alike_stops_the_run(
    command: Command, serving: Serving, tmp_path: Path, fault: str
) -> None:
    """A page in front of the endpoint, for example: no sample is to blame."""
    base_url = serving(Simulator(faults=parse_faults(f"{fault}:1")))
    run = tmp_path / "run"
    finished = command("generate", CLIPS, "--model", "sim", "--base-url", base_url, "-o", run)
    assert_one_line(finished, 1, "refuses all requests alike", "no chat completion")
    assert list(read_rejects(run)) == []


def test_a_clip_id_used_twice_is_a_reject_that_names_its_line(
    command: Command, tmp_path: Path
) -> None:
    clip = {"id": "twice", "caption": "A cat sleeps."}
    (tmp_path / "a.jsonl").write_text(f"{json.dumps(clip)}\n")
    (tmp_path / "b.jsonl").write_text(f"\n{json.dumps(clip)}\n")

    finished = command(
        *("generate", tmp_path / "a.jsonl", tmp_path / "b.jsonl"),
        *("--model", "sim", "-o", tmp_path / "run"),
    )

    assert finished.code == 0
    [reject] = read_rejects(tmp_path / "run")
    assert isinstance(reject, Reject)
    assert reject.reason == "duplicate_clip"
    assert "b.jsonl:2" in reject.message
    assert "'twice'" in reject.message
    assert len(list(read_records(tmp_path / "run"))) == 2


def test_a_directory_that_another_process_writes_is_left_to_it(
    command: Command, serving: Serving, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    simulator = Simulator(latency_s=3600)
    options = ("--model", "sim", "--base-url", serving(simulator))
    with start_vcgen("generate", CLIPS, *options, "-o", run) as writer:
        wait_until(lambda: simulator.requests)
        finished = command("generate", CLIPS, *options, "-o", run)
        writer.kill()

    assert_one_line(finished, 2, str(run), "another process")


def test_a_full_disk_stops_the_run_and_loses_nothing(command: Command, tmp_path: Path) -> None:
    arguments = ("generate", CLIPS, "--model", "sim", "--concurrency", 1, "-o", tmp_path / "run")

    def allow_5_kb_a_file() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, 5_000))

    with start_vcgen(*arguments, preexec_fn=allow_5_kb_a_file) as process:
        out, err = process.communicate(timeout=20)

    assert_one_line(
        Finished(process.returncode, out, err),
        1,
        "cannot write: File too large",
        "the same command continues",
    )
    kept = {json.loads(line)["id"] for line in lines_of(tmp_path / "run/records.jsonl")}
    assert 0 < len(kept) < 12
    assert command(*arguments).code == 0
    assert len(list(read_records(tmp_path / "run"))) == 12
    assert (tmp_path / "run/records.jsonl").stat().st_size > 5_000
