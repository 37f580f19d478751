"""A row is what the trainer reads, as its released data has it."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, strategies as st

import vcgen
from tests.support import trainers
from tests.support.common import SHARED, SHARED_MARKS, make_clips, requires_shared
from tests.support.trainers import JSON_FORMATS, READERS
from vcgen.data.records import KINDS, Record, Turn
from vcgen.datasets.export import FORMATS, Selection, SkipReason, export_records
from vcgen.datasets.export.selection import select

DESCRIPTION = Record(
    id="a/description/0",
    video="sea/a.mp4",
    clip_id="a",
    task="description",
    turns=(Turn("description", "What is shown?", 'A "boat" \u2028 leaves.'),),
    meta={"model": "sim"},
)


CONVERSATION = Record(
    id="a/conversation/0",
    video="sea/a.mp4",
    clip_id="a",
    task="conversation",
    turns=(
        Turn("description", "What is it about?", "A man at sea."),
        Turn("descriptive", "Who?", "A man."),
        Turn("causal", "Why?", "The tide."),
    ),
)


BOTH = (DESCRIPTION, CONVERSATION)


def sample(name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads((SHARED / "instruct" / name).read_bytes())
    return rows


def told(record: Record) -> list[tuple[str, str]]:
    return [(turn.question, turn.answer) for turn in record.turns]


def shape(value: Any) -> Any:
    """The keys and types of a row, whatever it says."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    return [shape(value[0])] if isinstance(value, list) else type(value)


@pytest.mark.parametrize("record", BOTH, ids=["description", "conversation"])
@pytest.mark.parametrize("name", FORMATS)
def test_a_trainer_reads_what_a_record_says(name: str, record: Record) -> None:
    assert READERS[name](FORMATS[name].row(record)) == (record.video, told(record))


@pytest.fixture(scope="module", params=["made", pytest.param("real", marks=SHARED_MARKS)])
def whole(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Sequence[Record]:
    """Records of 300 clips made here, and of 300 real videos' captions."""
    real = SHARED / "evidence" / "activitynet_first300.json"
    clips = real if request.param == "real" else make_clips(300)
    run = tmp_path_factory.mktemp(request.param) / "run"
    return list(vcgen.run(clips, model="sim", output=run).records)


@pytest.mark.parametrize("name", JSON_FORMATS)
def test_a_trainer_reads_a_whole_run(tmp_path: Path, name: str, whole: Sequence[Record]) -> None:
    done = export_records(whole, name, tmp_path / "out.jsonl")
    lines = (tmp_path / "out.jsonl").read_bytes().splitlines()
    assert len(lines) == done.records > 590
    shuffled = FORMATS[name].is_shuffled
    taken = [select(record, Selection(), is_shuffled=shuffled) for record in whole]
    kept = [choice.record for choice in taken if choice.record]
    assert len(whole) == done.records + done.left_out.total()
    for line, record in zip(lines, kept, strict=True):
        assert READERS[name](json.loads(line)) == (record.video, told(record))


_PIECES = st.one_of(
    st.text(max_size=8),
    st.sampled_from(
        ["<video>", "<image>", "<Video>", "</Video>", "<audio>", "<", "vid", "eo>", "image>", " "]
    ),
    st.sampled_from(
        [
            "###",
            "Human: ",
            "###Assistant: ",
            "<|im_end|>",
            "<VIDEO >",
            "\n",
            "<IMG_CONTEXT>",
            "{{video}}",
        ]
    ),
)


_TEXTS = st.lists(_PIECES, max_size=6).map(lambda pieces: f"x {''.join(pieces)} y")


@given(st.lists(st.tuples(st.sampled_from(KINDS), _TEXTS, _TEXTS), min_size=1, max_size=4))
def test_no_text_brings_another_tag_into_a_row(turns: list[tuple[Any, str, str]]) -> None:
    record = Record(
        id="a", video="a.mp4", clip_id="a", task="t", turns=tuple(Turn(*turn) for turn in turns)
    )
    choice = select(record, Selection())
    if choice.record is None:
        assert choice.reasons == (SkipReason.MARKER,)
        return
    for name, form in FORMATS.items():
        read = READERS[name](form.row(record))
        assert [" ".join(" ".join(pair).split()) for pair in read.pairs] == [
            " ".join(" ".join(pair).split()) for pair in told(record)
        ]


def test_a_description_is_an_instruction_in_videochat2_and_a_question_in_videochat() -> None:
    answer = DESCRIPTION.turns[0].answer
    assert FORMATS["videochat2"].row(DESCRIPTION)["QA"] == [
        {"i": "What is shown?", "q": "", "a": answer}
    ]
    assert FORMATS["videochat"].row(DESCRIPTION)["QA"] == [{"q": "What is shown?", "a": answer}]
    pairs = FORMATS["videochat2"].row(CONVERSATION)["QA"]
    assert [(pair["i"], pair["q"]) for pair in pairs] == [
        ("", "What is it about?"),
        ("", "Who?"),
        ("", "Why?"),
    ]


def test_what_refers_back_is_for_all_but_videochat2(tmp_path: Path) -> None:
    back = replace(CONVERSATION, flags=("refers-back",))
    for name, form in FORMATS.items():
        done = export_records([back], name, tmp_path / f"{name}.jsonl")
        assert form.is_shuffled == (name == "videochat2")
        assert done.left_out == ({SkipReason.SHUFFLED: 1} if form.is_shuffled else {})


@requires_shared
def test_videochat_has_the_keys_of_the_released_data() -> None:
    released = [row for row in sample("videochat_v1_v2_samples_transcribed.json") if "QA" in row]
    known = [{key for key in row if not key.startswith("_")} for row in released]
    pairs = [set(pair) for row in released for pair in row["QA"]]
    for name in ("videochat", "videochat2"):
        for record in BOTH:
            row = FORMATS[name].row(record)
            assert set(row) in known
            assert all(set(pair) in pairs for pair in row["QA"])


@requires_shared
def test_videochat_has_the_keys_of_the_released_captions() -> None:
    (keys,) = {
        frozenset(pair)
        for row in sample("videochat_anno_minigpt_caption_first300.json")
        for pair in row["QA"]
    }
    rows = [FORMATS["videochat"].row(record) for record in BOTH]
    assert all(set(pair) == keys for row in rows for pair in row["QA"])


@requires_shared
@pytest.mark.parametrize("name", ["qwen", "llava"])
def test_rows_are_as_in_the_sample_of_qwen(name: str) -> None:
    ours = FORMATS[name].row(CONVERSATION)
    del ours["id"]
    for row in sample("qwen3vl_demo_video.json"):
        assert shape(ours) == shape(row)
        trainers.qwen(row)


@requires_shared
def test_rows_are_as_in_the_sample_of_llamafactory() -> None:
    ours = FORMATS["llamafactory-messages"].row(CONVERSATION)
    del ours["id"]
    for row in sample("llamafactory_mllm_video_demo.json"):
        assert shape(ours) == shape(row)
        trainers.messages_with_videos(row)


def test_a_number_stands_for_an_id_where_a_trainer_wants_one() -> None:
    numbers = [FORMATS["internvl"].row(record)["id"] for record in BOTH]
    assert numbers == [FORMATS["internvl"].row(record)["id"] for record in BOTH]
    assert len(set(numbers)) == 2


def test_a_table_has_all_of_a_record() -> None:
    row = FORMATS["parquet"].row(DESCRIPTION)
    assert row["simulated"] is True
    assert row["ground"] is None
    assert orjson.loads(row["meta"]) == {"model": "sim"}
    assert FORMATS["parquet"].row(CONVERSATION)["simulated"] is False
