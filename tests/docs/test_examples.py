"""The examples run from a fresh checkout, wherever they are started from, and are short."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.common import CLIPS, ROOT, Command
from vcgen.pipeline.store.read import read_records

EXAMPLES = ROOT / "examples"
SCRIPTS = sorted(EXAMPLES.glob("*.py"))


def run_script(script: Path, cwd: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if "OPENAI" not in name}
    finished = subprocess.run(
        [sys.executable, "-W", "error", script],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert (finished.returncode, finished.stderr) == (0, "")
    assert not list(cwd.iterdir())
    return finished.stdout


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_an_example_is_under_40_lines(script: Path) -> None:
    assert script.read_text("utf-8").count("\n") < 40


def test_custom_task_prints_the_steps_of_every_clip(tmp_path: Path) -> None:
    printed = run_script(EXAMPLES / "custom_task.py", tmp_path)
    assert printed.count("\n1. ") == 6
    assert "harbour-dawn\n1. " in printed


def test_custom_task_runs_from_the_command(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    finished = command(
        *("generate", CLIPS, "--model", "sim", "-o", tmp_path / "run"),
        *("--tasks", "examples/custom_task.py:steps", "--templates", "examples/templates"),
    )
    assert finished.code == 0
    records = list(read_records(tmp_path / "run"))
    assert len(records) == 6
    assert {record.task for record in records} == {"steps"}
    assert all(record.turns[0].answer.startswith("1. ") for record in records)


def test_pipeline_prints_every_outcome(tmp_path: Path) -> None:
    lines = run_script(EXAMPLES / "pipeline.py", tmp_path).splitlines()
    assert sum("turns" in line for line in lines) == 12
    assert sum("invalid_clip" in line for line in lines) == 1
    assert len(lines) == 13


def test_own_prompts_gets_an_answer_to_all_10000(tmp_path: Path) -> None:
    printed = run_script(EXAMPLES / "own_prompts.py", tmp_path)
    assert printed == "{'no': 2500, 'yes': 7500}\n"
