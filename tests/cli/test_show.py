"""`vcgen show`: which records it prints."""

import re
from pathlib import Path

import pytest

from tests.support.common import CLIPS, Command, start_vcgen


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
