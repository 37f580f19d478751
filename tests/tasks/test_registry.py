"""Tasks are found by name, in modules and in files."""

import sys
from pathlib import Path

import pytest

from vcgen.errors import UsageError
from vcgen.tasks.registry import find_task

SOURCE = """
import vcgen

@vcgen.task
async def mine(clip, ask):
    return [vcgen.Turn("causal", "Why?", "The tide.")]

plain = 3
"""


def test_own_task_is_found_in_a_file_and_a_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "harbour_tasks.py"
    path.write_text(SOURCE)
    assert find_task(f"{path}:mine").name == "mine"
    sys.modules.pop("harbour_tasks")
    monkeypatch.syspath_prepend(tmp_path)
    assert find_task("harbour_tasks:mine").name == "mine"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("poem", "unknown task 'poem'; choose description, conversation, conversation-selfchat"),
        ("mine.py:poem", "has no task 'poem'"),
        ("mine.py:plain", "mark its function with @vcgen.task"),
        ("nothing.py:mine", r"no file nothing\.py"),
        ("no.such.module:mine", "does not load: ModuleNotFoundError"),
        ("broken.py:mine", "does not load: SyntaxError"),
        ("failing.py:mine", "does not load: ZeroDivisionError"),
        (":mine", "unknown task"),
    ],
)
def test_unknown_task_is_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(SOURCE)
    Path("broken.py").write_text("def (")
    Path("failing.py").write_text("1 / 0")
    with pytest.raises(UsageError, match=said) as caught:
        find_task(name)
    assert "\n" not in str(caught.value)
