"""docs/api.md has every public name, and its examples run."""

import re
from pathlib import Path

import pytest

import vcgen
from tests.support.common import ROOT
from tests.support.doc_pages import blocks

PAGE = ROOT / "docs/api.md"
EXAMPLES = blocks(PAGE, "python")


def test_every_public_name_is_on_the_page() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.+) \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    names = [name for name, _ in rows]
    assert len(names) == len(set(names))
    assert {*names, "__version__"} == set(vcgen.__all__)


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_an_example_runs(
    example: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    exec(compile(example, "docs/api.md", "exec"), {})  # noqa: S102 - our own page
    assert capsys.readouterr().out


def test_every_group_has_an_example() -> None:
    groups = PAGE.read_text("utf-8").split("\n## ")[1:]
    assert all("```python" in group for group in groups)
