"""`vcgen check` prints counts by code, writes clean records, and fails under --strict."""

from pathlib import Path

import orjson

from tests.support.common import CLIPS, Command
from vcgen.engine.plain_text import plain_lines


def write(path: Path, *answers: str) -> Path:
    rows = [
        {
            "id": f"r{at}",
            "video": f"{at}.mp4",
            "conversations": [
                {"from": "human", "value": "<video>\nWhat does the man carry?"},
                {"from": "gpt", "value": answer},
            ],
        }
        for at, answer in enumerate(answers)
    ]
    path.write_bytes(orjson.dumps(rows))
    return path


def test_faults_are_counted_and_clean_rows_written(command: Command, tmp_path: Path) -> None:
    data, clean = tmp_path / "data.json", tmp_path / "clean.json"
    write(data, "He carries two crates.", "As an AI language model, I cannot see the video.")
    finished = command("check", data, "-o", clean, "--json")
    result = orjson.loads(finished.out)
    assert (finished.code, result["records"], result["clean"]) == (0, 2, 1)
    assert [row["id"] for row in orjson.loads(clean.read_bytes())] == ["r0"]
    assert command("check", data, "--strict").code == 3
    assert command("check", clean, "--strict").code == 0


def test_layout_of_a_directory_is_wrong_use(command: Command, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert command("generate", CLIPS, "--model", "sim", "-o", run).code == 0
    assert command("check", run).code == 0
    finished = command("check", run, "--layout", "llava")
    assert finished.code == 2
    assert "--layout llava applies to a file" in finished.err


def test_an_example_is_one_plain_line(command: Command, tmp_path: Path) -> None:
    data = tmp_path / "data.json"
    turns = [
        {"from": "human", "value": "<video>\nWhy?"},
        {"from": "gpt", "value": "The caption says\x1b[2J\u202e that."},
    ]
    row = {"id": "a\x1b[31m\u202e\nforged: all is well", "video": "a.mp4", "conversations": turns}
    data.write_bytes(orjson.dumps([row]))
    finished = command("check", data)
    assert r"a\x1b[31m\u202e forged: all is well" in finished.out
    assert r"The caption says\x1b[2J\u202e that." in finished.out
    assert "\nforged" not in finished.out
    assert finished.out == plain_lines(finished.out)
