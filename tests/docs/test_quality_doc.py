"""docs/quality.md has the table of codes as it is in the code, and its example runs."""

import re

import pytest

from tests.support.common import ROOT
from vcgen.checks.codes import CODES

PAGE = (ROOT / "docs/quality.md").read_text("utf-8")


def test_the_table_is_that_of_the_code() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \| (\S+) \| (.+) \|$", PAGE, re.MULTILINE)
    assert rows == [(code, check.severity, check.meaning) for code, check in CODES.items()]


def test_the_example_says_what_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    exec(compile(example, "docs/quality.md", "exec"), {})  # noqa: S102 - our own page
    printed = [line.split(" ", 2)[:2] for line in capsys.readouterr().out.splitlines()]
    assert ["evidence-mention", "re-ask"] in printed
    assert ["time-past-end", "re-ask"] in printed
