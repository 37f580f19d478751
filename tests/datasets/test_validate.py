"""`vcgen check`: what it counts and shows, what it writes, and that no data can make it fail."""

import json
from pathlib import Path
from typing import Any

import orjson
import pytest

import vcgen
from tests.support.common import CLIPS, Command, make_clip
from tests.support.trainers import JSON_FILES
from vcgen.checks.checker import Checker, check
from vcgen.checks.codes import CODES
from vcgen.data.cleaning import CANARY
from vcgen.data.records import Reason, Record, Reject, Turn
from vcgen.datasets.export import export_records
from vcgen.datasets.importers import LAYOUTS
from vcgen.datasets.validate import EXAMPLES, Validation, Validator
from vcgen.pipeline.store.lines import encode_line
from vcgen.pipeline.store.read import read_records
from vcgen.tasks.templates import Templates

GOOD = "A man carries two crates along a pier and unties the rope of his boat."
OTHER = "A woman in a yellow coat opens an umbrella at the bus stop across the street."
FLAGGED = (("What is she wearing?", "She wears a yellow coat."),)


def record(
    name: str, answer: str, question: str = "What does the person do?", *more: tuple[str, str]
) -> Record:
    turns = ((question, answer), *more)
    return Record(
        id=f"{name}/conversation/0",
        video=f"{name}.mp4",
        clip_id=name,
        task="conversation",
        turns=tuple(Turn("descriptive", *turn) for turn in turns),
    )


def validated(*records: Record | Reject) -> tuple[Validation, list[bool]]:
    validator = Validator()
    clean = [validator.is_clean(each) for each in records]
    return validator.validation(), clean


def counts(validation: Validation) -> dict[str, int]:
    return {code: each.count for code, each in validation.codes.items()}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run, which no test may change."""
    path = tmp_path_factory.mktemp("done") / "run"
    vcgen.run(CLIPS, model="sim", output=path)
    return path


def mixed(path: Path, format_name: str = "llava") -> Path:
    """A clean record, one that breaks off, one that says the first again, one only flagged."""
    answers = [GOOD, "The boat leaves the", GOOD, OTHER]
    questions = ["What does the man do?"] * 3 + ["What does the woman do?"]
    records = [
        record(f"clip-{at}", answer, question, *(FLAGGED if answer == OTHER else ()))
        for at, (answer, question) in enumerate(zip(answers, questions, strict=True))
    ]
    export_records(records, format_name, path)
    return path


def test_clean_records_take_the_place_of_nothing_that_they_are_made_from(
    run: Path, tmp_path: Path, command: Command
) -> None:
    clips = tmp_path / "clips.jsonl"
    clips.write_bytes(CLIPS.read_bytes())
    before = {file: file.read_bytes() for file in (*run.iterdir(), clips)}
    for output in before:
        done = command("check", run, "--clips", clips, "-o", output)
        assert (done.code, done.err.count("\n")) == (2, 1)
        assert "is an input of this command" in done.err
    assert {file: file.read_bytes() for file in before} == before


def test_without_a_clip_the_text_is_checked_and_nothing_that_needs_evidence() -> None:
    turns = [Turn("temporal", "What happens at 47 seconds?", "The caption says that a dog runs.")]
    assert {each.code for each in check(turns, None)} == {"evidence-mention"}
    assert "time-past-end" in {each.code for each in check(turns, make_clip(duration=12))}
    for language in ("English", "Chinese", "Spanish", "Klingon"):
        assert Checker(None, language=language).review(turns).ground is None


def test_records_are_counted_by_code_and_three_are_shown_of_each() -> None:
    boats = ["A", "One", "This", "That", "Her"]
    texts = [f"{boat} boat leaves the harbour and the" for boat in boats]
    result, clean = validated(*(record(f"clip-{at}", text) for at, text in enumerate(texts)))
    assert clean == [False] * 5
    found = result.codes["no-sentence-end"]
    assert (found.count, found.share, found.severity) == (5, 1.0, "re-ask")
    assert [each.id for each in found.examples] == [
        f"clip-{at}/conversation/0" for at in range(EXAMPLES)
    ]


def test_a_record_with_flags_is_clean_and_counted() -> None:
    result, clean = validated(record("a", OTHER, "What does the woman do?", *FLAGGED))
    assert clean == [True]
    assert counts(result) == {"refers-back": 1}


def test_repeats_are_found_and_the_first_of_them_stays() -> None:
    nearly = f"{GOOD} {OTHER}"
    result, clean = validated(
        record("a", GOOD),
        record("b", GOOD),
        record("a", GOOD),
        record("c", nearly),
        record("d", nearly.replace("opens", "holds")),
        record("a", GOOD, "What happens in the video?"),
    )
    assert clean == [True, False, False, True, True, True]
    assert counts(result) == {
        "duplicate-answer": 1,
        "duplicate-record": 1,
        "near-duplicate-answer": 2,
    }


LEAKS = {
    "prompt-mark": f"{GOOD} The mark is {CANARY}.",
    "instructions": f"{GOOD} State only what the evidence supports, with its numbers and colours.",
    "encoded": f"{GOOD} He shouts {'Zm9v' * 16}.",
    "hidden-characters": f"{GOOD} He\u202e leaves.",
    "unknown-address": f"{GOOD} He reads evil.com on it.",
}


@pytest.mark.parametrize("code", LEAKS)
@pytest.mark.parametrize("side", ["question", "answer"])
def test_what_ends_a_sample_of_a_run_is_found_in_a_record(code: str, side: str) -> None:
    validator = Validator(instructions=Templates().instructions())
    texts = (LEAKS[code], GOOD) if side == "answer" else (GOOD, LEAKS[code])
    assert not validator.is_clean(record("a", *texts), make_clip())
    (example,) = validator.validation().codes[code].examples
    assert example.turn == 1
    assert example.message.startswith(f"the {side} ")


def test_an_address_is_a_flag_where_the_evidence_names_it_or_is_not_there() -> None:
    said = record("a", LEAKS["unknown-address"])
    for clip in (None, make_clip(caption="The boat has evil.com on it.")):
        validator = Validator()
        assert validator.is_clean(said, clip)
        assert counts(validator.validation())["address"] == 1


def test_the_instructions_are_those_of_the_run_or_it_is_said_whose_they_are_not(
    tmp_path: Path, command: Command
) -> None:
    told = "Bring to this page nothing that a sailor would not bring to a pier, ever."
    templates, path = tmp_path / "mine", tmp_path / "run"
    templates.mkdir()
    (templates / "describe.jinja").write_text(
        '{% extends "base.jinja" %}{% block system %}' + told + "{% endblock %}"
    )
    vcgen.run([make_clip()], model="sim", output=path, templates=templates, tasks=["description"])
    row = json.loads((path / "records.jsonl").read_bytes())
    row["turns"][0]["answer"] += f" {told}"
    del row["crc"]
    (path / "records.jsonl").write_bytes(encode_line(row))
    at_hand = command("check", path, "--templates", templates)
    assert "instructions" in at_hand.out
    assert at_hand.err == ""
    not_at_hand = command("check", path)
    assert "instructions " not in not_at_hand.out
    assert "not as in the run: describe;" in not_at_hand.err


def test_where_no_video_is_named_a_repeat_is_only_flagged() -> None:
    unnamed = Record(id="x", video="", clip_id="", task="imported", turns=record("a", GOOD).turns)
    result, clean = validated(unnamed, unnamed)
    assert clean == [True, True]
    assert counts(result) == {"near-duplicate-answer": 1}


def test_no_record_and_no_turn_are_not_clean() -> None:
    reject = Reject(id="x", reason=Reason.INVALID_CLIP, message="rows.json:2: not\x1b[2J JSON")
    empty = Record(id="e", video="e", clip_id="e", task="imported", turns=())
    result, clean = validated(reject, empty)
    assert clean == [False, False]
    assert (result.unreadable, result.records) == (1, 1)
    assert result.broken == [r"rows.json:2: not\x1b[2J JSON"]


def test_the_order_of_codes_is_that_of_the_table() -> None:
    result, _ = validated(
        record("a", "The caption says that a"), record("b", GOOD), record("c", GOOD)
    )
    found = list(result.codes)
    assert found == [code for code in CODES if code in found]
    assert len(found) >= 3


def test_a_run_is_checked_beside_its_clips(run: Path, command: Command) -> None:
    finished = command("check", run, "--clips", CLIPS)
    assert finished.code == 0
    assert finished.out.startswith("12 records, 12 with no more than flags\n")
    assert "without a clip" not in finished.out
    assert "12 records without a clip" in command("check", run).out
    assert command("check", run, "--clips", CLIPS, "--strict").code == 0


@pytest.mark.parametrize(("name", "suffix"), JSON_FILES)
def test_the_clean_records_are_written_as_they_were(
    tmp_path: Path, command: Command, name: str, suffix: str
) -> None:
    data, clean = mixed(tmp_path / f"data.{suffix}", name), tmp_path / "clean.txt"
    finished = command("check", data, "--layout", name, "-o", clean)
    assert finished.code == 0, finished
    assert finished.err == f"2 clean records in {clean}\n"
    for code in ("no-sentence-end", "duplicate-answer", "refers-back"):
        assert code in finished.out
    if suffix == "json":
        rows = json.loads(data.read_bytes())
        assert json.loads(clean.read_bytes()) == [rows[0], rows[3]]
    else:
        lines = data.read_bytes().splitlines(keepends=True)
        assert clean.read_bytes() == lines[0] + lines[3]


def test_the_clean_records_of_a_run_are_its_lines(
    run: Path, tmp_path: Path, command: Command
) -> None:
    clean = tmp_path / "clean.jsonl"
    assert command("check", run, "-o", clean).code == 0
    assert sorted(clean.read_bytes().splitlines()) == sorted(
        (run / "records.jsonl").read_bytes().splitlines()
    )
    again = command("check", clean, "--json")
    assert json.loads(again.out)["records"] == len(list(read_records(run)))


def test_clips_are_found_by_video_where_that_has_one(tmp_path: Path, command: Command) -> None:
    (tmp_path / "clips.jsonl").write_text(
        "\n".join(
            make_clip(name, video=video).model_dump_json()
            for name, video in (("a", "clip-0.mp4"), ("b", "clip-1.mp4"), ("c", "clip-1.mp4"))
        )
    )
    data = mixed(tmp_path / "data.json")
    found = json.loads(command("check", data, "--json", "--clips", tmp_path / "clips.jsonl").out)
    assert found["with_clip"] == 1


def test_strict_says_3_where_more_than_flags_is_found(tmp_path: Path, command: Command) -> None:
    data = mixed(tmp_path / "data.json")
    assert command("check", data, "--strict").code == 3
    flagged = tmp_path / "flagged.json"
    flags = record("a", OTHER, "What does the woman do?", *FLAGGED)
    export_records([flags], "llava", flagged)
    assert command("check", flagged, "--strict").code == 0
    flagged.write_text('[{"conversations": 5}]')
    assert command("check", flagged, "--strict").code == 3


def test_another_language_is_asked_for(tmp_path: Path, command: Command) -> None:
    data = tmp_path / "data.json"
    export_records([record("a", "一个男人把箱子搬到船上。", "他做什么")], "llava", data)
    assert "wrong-language" in command("check", data).out
    assert "wrong-language" not in command("check", data, "--language", "Chinese").out


def test_nothing_in_the_data_steers_the_terminal(tmp_path: Path, command: Command) -> None:
    evil = "\x1b[2J\x9b31m\u202e\r\x07The caption says\u2028 \x00nothing"
    rows = [
        {"id": evil, "video": evil, "QA": [{"q": evil, "a": evil}]},
        {"id": {"a": [evil]}, "video": {}, "QA": [{"q": "", "a": ""}]},
        {"id": "x" * 100_000, evil: 1},
    ]
    data = tmp_path / "data.json"
    data.write_bytes(orjson.dumps(rows))
    finished = command("check", data)
    assert finished.code == 0
    assert all(character.isprintable() or character == "\n" for character in finished.out)
    assert max(map(len, finished.out.splitlines())) < 600


def test_hostile_data_is_counted_not_followed(tmp_path: Path, command: Command) -> None:
    big = 50_000
    texts = ["\ud800", "<video>" * big, " " * big, "'" * big, "[" * big, "says i " * big, "\x00"]
    rows: list[Any] = [{"QA": [{"q": text, "a": text}]} for text in texts]
    data, clean = tmp_path / "data.json", tmp_path / "clean.json"
    nested = "[" * 900 + "]" * 900
    data.write_text(json.dumps([*rows, None, 5, {"QA": "QA"}])[:-1] + f", {nested}]")
    finished = command("check", data, "--json", "-o", clean)
    assert finished.code == 0, finished.err
    found = json.loads(finished.out)
    assert (found["records"], found["unreadable"], found["clean"]) == (len(texts), 4, 0)
    assert json.loads(clean.read_bytes()) == []


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["{tmp}/missing"], "missing"),
        (["{tmp}"], "not a run directory"),
        (["{tmp}", "--layout", "llava"], "--layout llava"),
        (["{tmp}/data.json", "--layout", "csv"], "'csv'"),
        (["{tmp}/data.json", "--clips", "{tmp}/missing"], "missing"),
        (["{tmp}/data.json", "--clips", "{tmp}/data.json", "--clip-format", "tsv"], "'tsv'"),
        (["{tmp}/data.json", "-o", "{tmp}/data.json"], "another output file"),
        (["{tmp}/data.json", "-o", "{tmp}/empty.json/clean.json"], "cannot write"),
        (["{tmp}/empty.json"], "empty"),
    ],
)
def test_wrong_use_is_one_line(
    tmp_path: Path, command: Command, arguments: list[str], named: str
) -> None:
    mixed(tmp_path / "data.json")
    (tmp_path / "empty.json").touch()
    finished = command("check", *(each.format(tmp=tmp_path) for each in arguments))
    assert finished.code == 2
    assert finished.out == ""
    assert finished.err.count("\n") == 1
    assert named in finished.err


def test_formats_named_in_the_help_are_the_ones_there_are(command: Command) -> None:
    said = " ".join(command("check", "--help").out.split())
    assert all(name in said for name in LAYOUTS)
