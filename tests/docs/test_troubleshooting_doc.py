"""docs/troubleshooting.md: its messages are those of the code, its tables are complete."""

import ast
import re
from typing import get_args

import pytest

from tests.support.common import ROOT
from tests.support.doc_pages import table
from vcgen.data.records import Reason
from vcgen.engine.limits.bottleneck import Limit

PAGE = ROOT / "docs/troubleshooting.md"
HOLE = "\0"


def message_templates() -> list[str]:
    """All strings of the code, with a hole for each value that an f-string puts in."""
    templates = []
    for path in (ROOT / "src/vcgen").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            match node:
                case ast.Constant(value=str(text)):
                    templates.append(text)
                case ast.JoinedStr(values=values):
                    parts = [
                        part.value if isinstance(part, ast.Constant) else HOLE for part in values
                    ]
                    templates.append("".join(map(str, parts)))
    return templates


TEMPLATES = message_templates()


@pytest.mark.parametrize("heading", ["Before anything is sent", "While a run works"])
def test_every_message_is_one_of_the_code(heading: str) -> None:
    rows = table(PAGE, heading)
    assert len(rows) > 9
    messages = [cell.strip("`") for cell, _ in rows]
    unknown = [text for text in messages if not any(text in template for template in TEMPLATES)]
    assert not unknown


def test_every_reason_of_a_reject_is_explained() -> None:
    assert [row[0].strip("`") for row in table(PAGE, "Reasons of rejects")] == list(Reason)


def test_every_bottleneck_is_explained() -> None:
    rows = table(PAGE, "Slower than expected")
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row[0])}
    assert named == set(get_args(Limit))
