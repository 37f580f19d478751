"""docs/exports.md: its table, its rows and its commands are those of the code."""

import json
import re
import shlex
from pathlib import Path

import pytest

import vcgen
from tests.support.common import CLIPS, ROOT, Command
from vcgen.data.records import Record, Turn
from vcgen.datasets.export import FORMATS

PAGE = (ROOT / "docs/exports.md").read_text("utf-8")
RECORD = Record(
    id="dog/conversation/0",
    video="dog.mp4",
    clip_id="dog",
    task="conversation",
    turns=(
        Turn("descriptive", "What does the dog catch?", "It catches a ball."),
        Turn("causal", "Why does it run?", "To catch the ball."),
    ),
    meta={"model": "gpt-4o-mini", "ground": 0.83},
)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a reader stands who has made a run."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    (tmp_path / "data").mkdir()
    vcgen.run(CLIPS, model="sim", output=tmp_path / "runs/a")
    return tmp_path


def test_the_table_is_that_of_the_code() -> None:
    rows = re.findall(r"^\| \[`([a-z0-9-]+)`\]\(#([a-z0-9-]+)\) \| (.+) \|$", PAGE, re.MULTILINE)
    assert rows == [(name, name, form.purpose) for name, form in FORMATS.items()]
    assert re.findall(r"^### (.+)$", PAGE, re.MULTILINE) == list(FORMATS)


def test_the_rows_are_those_of_the_code() -> None:
    shown = re.findall(
        r"^### ([a-z0-9-]+)\n[^#]*?```json\n(.*?)```", PAGE, re.MULTILINE | re.DOTALL
    )
    assert len(shown) == 10
    for name, row in shown:
        assert json.loads(row) == FORMATS[name].row(RECORD), name


def test_every_command_runs(here: Path, command: Command) -> None:
    lines = re.findall(r"^vcgen (export .+)$", PAGE, re.MULTILINE)
    assert len(lines) == 5
    for line in lines:
        done = command(*shlex.split(line))
        assert done.code == 0, (line, done.err)
    assert (here / "data/dataset_info.json").exists()
    assert (here / "hub/data").is_dir()


def test_the_python_runs(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    [program] = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    exec(compile(program, "docs/exports.md", "exec"), {})  # noqa: S102 - our own page
    assert "12 records; 0 left out" in capsys.readouterr().out
    assert len((here / "swift-train.jsonl").read_bytes().splitlines()) > 0
