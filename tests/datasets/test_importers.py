"""Anybody's instruction data as records: every layout, and whatever else a row may be."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, strategies as st

from tests.support.trainers import JSON_FILES, JSON_FORMATS
from vcgen.data.records import Outcome, Record, Reject, Turn
from vcgen.datasets.export import FORMATS, export_records
from vcgen.datasets.importers import LAYOUTS, is_array, read_exported, read_run
from vcgen.errors import UsageError
from vcgen.pipeline.store.directory import RunDirectory
from vcgen.pipeline.store.manifest import Manifest

TURNS = (Turn("descriptive", "Who is there?", "A man."), Turn("causal", "Why?", "The tide."))
RECORD = Record(id="a/conversation/0", video="a.mp4", clip_id="a", task="conversation", turns=TURNS)
PAIRS = [(turn.question, turn.answer) for turn in TURNS]
TOLD = [
    {"role": role, "content": text}
    for pair in PAIRS
    for role, text in zip(("user", "assistant"), pair, strict=True)
]


def read(path: Path, rows: Any, layout: str = "auto") -> list[Outcome]:
    path.write_bytes(orjson.dumps(rows))
    return [row.outcome for row in read_exported(path, layout)]


def pairs(outcome: Outcome) -> list[tuple[str, str]]:
    assert isinstance(outcome, Record), outcome
    return [(turn.question, turn.answer) for turn in outcome.turns]


@pytest.mark.parametrize(("name", "suffix"), JSON_FILES)
def test_what_is_exported_is_read_again(tmp_path: Path, name: str, suffix: str) -> None:
    path = tmp_path / f"train.{suffix}"
    export_records([RECORD, RECORD], name, path)
    for layout in ("auto", name):
        rows = list(read_exported(path, layout))
        assert [pairs(row.outcome) for row in rows] == [PAIRS, PAIRS]
        assert all(row.outcome.video == "a.mp4" for row in rows if isinstance(row.outcome, Record))
        assert [orjson.loads(row.line()) for row in rows] == [FORMATS[name].row(RECORD)] * 2
    assert is_array(path) == (suffix == "json")


def test_every_export_in_json_can_be_checked() -> None:
    assert set(JSON_FORMATS) <= LAYOUTS.keys()


def test_the_records_of_a_run_are_read_from_it_and_from_its_file(tmp_path: Path) -> None:
    run = RunDirectory.open(tmp_path / "run", Manifest())
    run.add(RECORD)
    run.close()
    file = tmp_path / "run/records.jsonl"
    file.write_bytes(file.read_bytes() + b'{"id":"damaged"}\n')
    whole, damaged = read_run(tmp_path / "run")
    assert whole.outcome == RECORD
    assert whole.line() == file.read_bytes().split(b"\n")[0]
    assert isinstance(damaged.outcome, Reject)
    assert next(read_exported(file)).outcome == RECORD


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"messages": TOLD, "videos": ["a.mp4"]}, PAIRS),
        ({"messages": [{"role": "system", "content": "Be kind."}, *TOLD]}, PAIRS),
        ({"conversations": TOLD, "video": "a.mp4"}, PAIRS),
        (
            {"messages": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"}]},
            [("Q", "A")],
        ),
        (
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [
                            {"type": "video_url", "video_url": {"url": "a.mp4"}},
                            {"type": "text", "text": "Who?"},
                        ],
                    },
                    {"role": "assistant", "content": [{"type": "text", "value": "A man."}]},
                ]
            },
            [("Who?", "A man.")],
        ),
        ({"QA": [{"i": "Describe it.", "q": "", "a": "A man."}]}, [("Describe it.", "A man.")]),
        ({"QA": [{"i": "Be brief.", "q": "Who?", "a": "A man."}]}, [("Who?", "A man.")]),
        ({"QA": []}, []),
    ],
)
def test_each_layout_gives_questions_and_answers(
    tmp_path: Path, row: Any, expected: list[tuple[str, str]]
) -> None:
    [outcome] = read(tmp_path / "rows.json", [row])
    assert pairs(outcome) == expected


def test_a_row_is_about_what_it_names_or_about_nothing_known(tmp_path: Path) -> None:
    part = {"type": "image_url", "value": "3.jpg"}
    rows = [
        {"QA": [], "video": "0.mp4"},
        {"QA": [], "videos": ["1.mp4", "2.mp4"]},
        {"QA": [], "image": "2.jpg"},
        {"messages": [{"role": "user", "content": [part]}, TOLD[1]]},
        {"QA": [], "video": None},
        {"QA": [], "video": [5]},
    ]
    found = [row.video for row in read(tmp_path / "rows.json", rows) if isinstance(row, Record)]
    assert found == ["0.mp4", "1.mp4", "2.jpg", "3.jpg", "", ""]


def test_tags_around_a_question_are_not_its_words_and_one_within_is(tmp_path: Path) -> None:
    asked = ["<video>\nWho?", "<image><image> Who?", "Who?\n<video>", "Who <video>?"]
    rows = [
        {"conversations": [{"from": "human", "value": q}, {"from": "gpt", "value": "A man."}]}
        for q in asked
    ]
    found = [pairs(row)[0][0].strip() for row in read(tmp_path / "rows.json", rows)]
    assert found == ["Who?", "Who?", "Who?", "Who <video>?"]


def test_a_long_answer_is_a_description_unless_a_reason_is_asked_for(tmp_path: Path) -> None:
    long = "A man walks. " * 20
    rows = [
        {"QA": [{"q": "Tell me what you see.", "a": long}]},
        {"QA": [{"q": "Tell me what you see.", "a": "A man."}]},
        {"QA": [{"q": "Why does he walk?", "a": long}, {"q": "Who is it?", "a": long}]},
    ]
    kinds = [
        [turn.kind for turn in row.turns]
        for row in read(tmp_path / "rows.json", rows)
        if isinstance(row, Record)
    ]
    assert kinds == [["description"], ["descriptive"], ["causal", "description"]]


BROKEN: list[tuple[Any, str]] = [
    (None, "not a JSON object"),
    (["QA"], "not a JSON object"),
    ({}, "no turns, QA, conversations or messages"),
    ({"QA": 5}, "QA is not"),
    ({"QA": {"q": "Who?", "a": "A man."}}, "QA is not"),
    ({"QA": [{"q": "Who?"}]}, "QA is not"),
    ({"QA": [{"q": "Who?", "a": None}]}, "QA is not"),
    ({"conversations": [{"from": "human", "value": "Who?"}]}, "conversations is not"),
    ({"conversations": [{"from": ["human"], "value": "Who?"}]}, "conversations is not"),
    ({"messages": TOLD[::-1]}, "messages is not"),
    ({"messages": [{"role": "user", "content": [{"type": "text"}]}, TOLD[1]]}, "messages is not"),
    ({"turns": [{"kind": "funny", "question": "Who?", "answer": "A man."}]}, "turns is not"),
]


@pytest.mark.parametrize(("row", "message"), BROKEN)
def test_a_row_that_is_none_is_one_reject_with_its_place(
    tmp_path: Path, row: Any, message: str
) -> None:
    good = {"QA": [{"q": "Who?", "a": "A man."}]}
    before, broken, after = read(tmp_path / "rows.json", [good, row, good])
    assert isinstance(broken, Reject)
    assert broken.message.startswith(f"rows.json:2: {message}")
    assert pairs(before) == pairs(after)


def test_a_line_that_is_no_json_is_one_reject(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"QA": []}\n\n{"QA": \n\xff\xfe\n{"QA": []}')
    outcomes = [row.outcome for row in read_exported(path)]
    assert [isinstance(outcome, Record) for outcome in outcomes] == [True, False, False, True]
    assert outcomes[1].id == "rows.jsonl:3"


def test_a_named_format_takes_no_other(tmp_path: Path) -> None:
    [outcome] = read(tmp_path / "rows.json", [{"QA": []}], "llava")
    assert isinstance(outcome, Reject)
    assert "no conversations" in outcome.message


@pytest.mark.parametrize(
    ("content", "layout", "named"),
    [
        (b"[{]", "auto", "not valid JSON"),
        (b"[" * 100_000, "auto", "not valid JSON"),
        (b" \n", "auto", "is empty"),
        (b"{}", "csv", "'csv'"),
    ],
)
def test_a_useless_file_is_one_clear_error(
    tmp_path: Path, content: bytes, layout: str, named: str
) -> None:
    path = tmp_path / "rows.json"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=named):
        list(read_exported(path, layout))


KEYS = (
    *("id", "video", "videos", "QA", "q", "a", "i", "conversations", "from", "value", "messages"),
    *("role", "content", "type", "text", "turns", "kind", "question", "answer"),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(KEYS),
            inner | st.sampled_from(["human", "gpt", "user", "assistant", "text", "causal"]),
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(st.lists(JSON, max_size=5))
def test_any_json_gives_an_outcome_a_row(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Any]
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.json"
    assert len(read(path, rows)) == len(rows)
