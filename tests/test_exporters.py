import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from vcgen.errors import UsageError
from vcgen.exporters import FORMATS, export_records
from vcgen.records import Record, Turn

INSTRUCT = Path(__file__).parents[2] / "shared" / "data" / "instruct"
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
    turns=(Turn("descriptive", "Who?", "A man."), Turn("causal", "Why?", "The tide.")),
)
BOTH = (DESCRIPTION, CONVERSATION)


def sample(name: str) -> list[dict[str, Any]]:
    if not (INSTRUCT / name).exists():
        pytest.skip(f"no {name} in shared/data/instruct")
    rows: list[dict[str, Any]] = json.loads((INSTRUCT / name).read_bytes())
    return rows


@pytest.mark.parametrize("format_name", FORMATS)
@pytest.mark.parametrize("count", [0, 1, 2])
def test_an_export_is_a_json_array_or_json_lines(
    tmp_path: Path, format_name: str, count: int
) -> None:
    rows = [FORMATS[format_name](record) for record in BOTH[:count]]
    assert export_records(BOTH[:count], format_name, tmp_path / "out.json") == count
    assert json.loads((tmp_path / "out.json").read_bytes()) == rows
    assert export_records(iter(BOTH[:count]), format_name, tmp_path / "out.jsonl") == count
    written = (tmp_path / "out.jsonl").read_bytes()
    assert [json.loads(line) for line in written.split(b"\n")[:-1]] == rows
    assert written.count(b"\n") == count


def test_llava_has_one_video_tag_in_the_first_human_turn() -> None:
    for record in BOTH:
        turns = FORMATS["llava"](record)["conversations"]
        assert [turn["from"] for turn in turns] == ["human", "gpt"] * len(record.turns)
        assert turns[0]["value"] == f"<video>\n{record.turns[0].question}"
        assert sum(turn["value"].count("<video>") for turn in turns) == 1


def test_a_description_is_an_instruction_in_videochat2_and_a_question_in_videochat() -> None:
    answer = DESCRIPTION.turns[0].answer
    assert FORMATS["videochat2"](DESCRIPTION)["QA"] == [
        {"i": "What is shown?", "q": "", "a": answer}
    ]
    assert FORMATS["videochat"](DESCRIPTION)["QA"] == [{"q": "What is shown?", "a": answer}]
    pairs = FORMATS["videochat2"](CONVERSATION)["QA"]
    assert [(pair["i"], pair["q"]) for pair in pairs] == [("", "Who?"), ("", "Why?")]


def test_videochat_has_the_keys_of_the_released_data() -> None:
    released = [row for row in sample("videochat_v1_v2_samples_transcribed.json") if "QA" in row]
    known = [{key for key in row if not key.startswith("_")} for row in released]
    pairs = [set(pair) for row in released for pair in row["QA"]]
    for name in ("videochat", "videochat2"):
        for record in BOTH:
            row = FORMATS[name](record)
            assert set(row) in known
            assert all(set(pair) in pairs for pair in row["QA"])


def test_videochat_has_the_keys_of_the_released_captions() -> None:
    (keys,) = {
        frozenset(pair)
        for row in sample("videochat_anno_minigpt_caption_first300.json")
        for pair in row["QA"]
    }
    assert all(set(pair) == keys for record in BOTH for pair in FORMATS["videochat"](record)["QA"])


def test_llava_has_the_keys_its_relatives_read() -> None:
    for row in sample("qwen3vl_demo_video.json"):
        ours = FORMATS["llava"](CONVERSATION)
        assert set(row) - {"id"} <= set(ours)
        assert {frozenset(turn) for turn in row["conversations"]} == {frozenset({"from", "value"})}
        assert row["conversations"][0]["value"].startswith("<video>\n")


def test_a_failing_export_leaves_the_old_file(tmp_path: Path) -> None:
    def broken() -> Iterator[Record]:
        yield DESCRIPTION
        raise UsageError("damaged")

    output = tmp_path / "out.json"
    output.write_text("old")
    with pytest.raises(UsageError, match="damaged"):
        export_records(broken(), "llava", output)
    assert output.read_text() == "old"
    assert list(tmp_path.iterdir()) == [output]


def test_what_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    for output, said in [
        (tmp_path, "not a regular file"),
        (Path("/dev/null"), "not a regular file"),
        (tmp_path / "nowhere" / "out.json", "cannot write: No such file"),
        (tmp_path / ("n" * 300), "cannot write: File name too long"),
    ]:
        with pytest.raises(UsageError, match=said):
            export_records([DESCRIPTION], "llava", output)
    with pytest.raises(UsageError, match="no format 'coco': choose videochat, videochat2, llava"):
        export_records([DESCRIPTION], "coco", tmp_path / "out.json")
