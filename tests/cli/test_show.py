"""`vcgen show`: which records it prints."""

import re
from pathlib import Path

import pytest

from tests.support.common import CLIPS, Command, start_vcgen
from vcgen.data.records import Record, Turn
from vcgen.engine.plain_text import plain_lines
from vcgen.pipeline.store.layout import RECORDS
from vcgen.pipeline.store.lines import encode_line


@pytest.fixture
def done(command: Command, tmp_path: Path) -> Path:
    """A finished run."""
    run = tmp_path / "done"
    assert command("generate", CLIPS, "--model", "sim", "-o", run).code == 0
    return run


def test_show_prints_a_record_a_clip_or_the_first_few(command: Command, done: Path) -> None:
    def heads(*arguments: object) -> list[str]:
        shown = command("show", done, *arguments).out
        return re.findall(r"^(\S+/\S+)   video", shown, re.MULTILINE)

    assert len(heads()) == 12
    assert len(heads("--max-shown", 2)) == 2
    assert heads("pancakes/description/0") == ["pancakes/description/0"]
    assert sorted(heads("pancakes")) == ["pancakes/conversation/0", "pancakes/description/0"]


@pytest.mark.parametrize("limit", [1, 12])  # less than Python buffers, and more
def test_show_counts_as_finished_when_its_reader_leaves(done: Path, limit: int) -> None:
    with start_vcgen("show", done, "--max-shown", limit, env={"PYTHONUNBUFFERED": ""}) as shown:
        assert shown.stdout is not None
        assert shown.stderr is not None
        shown.stdout.close()
        assert shown.wait(20) == 0
        assert shown.stderr.read() == ""


def test_a_page_shows_what_a_terminal_would_obey(command: Command, done: Path) -> None:
    """Records may come from a stranger, and so may their ids."""
    hostile = "\x1b[31m\x9b2J\u202e\nforged/description/0   video a.mp4"
    turn = Turn("causal", f"Why{hostile}?", f"Because {hostile}.")
    record = Record(
        id=hostile,
        video=hostile,
        clip_id="a",
        task="description",
        turns=(turn,),
        meta={"model": hostile},
    )
    (done / RECORDS).write_bytes(encode_line(record))
    shown = command("show", done)
    assert shown.code == 0
    assert shown.out == plain_lines(shown.out)
    assert shown.out.count(r"\x1b[31m\x9b2J\u202e") == 5
    assert "\nforged" not in shown.out
