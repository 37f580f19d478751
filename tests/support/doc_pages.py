"""Pages of the documentation, and the commands and programs in their code blocks."""

import re
import shlex
from pathlib import Path

from tests.support.common import ROOT

README = ROOT / "README.md"
PAGES = [README, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted(ROOT.glob("docs/*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    """The contents of the page's code blocks of a language."""
    text = page.read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def commands(page: Path, program: str) -> list[list[str]]:
    """The arguments of each command that a page gives for a program."""
    lines = [
        shlex.split(line, comments=True)
        for block in blocks(page, "sh")
        for line in block.replace("\\\n", " ").split("\n")
    ]
    return [line[1:] for line in lines if line and line[0] == program]


def table(page: Path, heading: str) -> list[list[str]]:
    """The cells of the rows of the first table below a heading, without the table's head."""
    section = page.read_text("utf-8").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (.+) \|$", section, re.MULTILINE)
    return [row.split(" | ") for row in rows[1:]]


def redirected(text: str, endpoint: str) -> str:
    """The text with another base URL for each that it has."""
    return re.sub(r"https?://[^\s,\"]+/v1\b", endpoint, text)
