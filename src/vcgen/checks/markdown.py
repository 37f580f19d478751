"""Markdown: formatting for a page, as assistants write it, where plain prose is requested.

A sign by itself may be prose: a star multiplies, a dash breaks a sentence, a number sign counts.
Markdown has its signs on both sides of words, or at the beginning of lines.
"""

import re

from vcgen.checks.codes import Problem, Side, problem
from vcgen.checks.tokenize import TokenizedText

# At the edges of words, and not within one: 2*3*4, snake_case, what the ****, rock `n` roll.
_AROUND_WORDS = re.compile(
    r"(?<![\w*])(\*{1,3})(?=[^\s*])[^*\n]*[^\s*]\1(?![\w*])"
    r"|(?<![\w_])(_{1,3})(?=[^\s_])[^_\n]*[^\s_]\2(?![\w_])"
    r"|(?<!~)~~(?=[^\s~])[^~\n]*[^\s~]~~(?!~)"
    r"|(?<![\w`])`(?!n`)[^\s`](?:[^`\n]*[^\s`])?`(?![\w`])"
)
# A heading, a quotation, a rule, the second line of a table, any two of its lines. "# of people: 5"
# counts, and so does "# 1".
_LINE = re.compile(
    r"^ {0,3}#{1,6} {1,3}(?!of\b)[^\W\d][^\n]{0,40}|^ {0,3}> ?[^\W\d][^\n]{0,40}"
    r"|^ {0,3}(?:-{3,}+|={3,}+|\*{3,}+|_{3,}+) {0,3}$"
    r"|^ {0,3}\|?(?: {0,3}:?-{2,}+:? {0,3}\|)++[ :|-]*+$"
    r"|^ {0,3}\|[^\n|]{0,300}\|[^\n]{0,2000}\| {0,3}\n {0,3}\|[^\n|]{0,300}\|",
    re.MULTILINE,
)
_ITEM = re.compile(r"(?:([-*+\u2022\u25cf])|(\d{1,2})[.)]) {1,3}\S")


def find_markdown(side: Side, reading: TokenizedText) -> list[Problem]:
    """Find bold type, headings, lists, tables and code; links are `markup`."""
    text = reading.text
    found = None
    if "*" in text or "_" in text or "`" in text or "~~" in text:
        match = _AROUND_WORDS.search(text)
        found = match and match[0]
    if found is None and ("\n" in text or "#" in text or ">" in text):
        match = _LINE.search(text)
        found = match[0] if match else _list_in(text)
    if found is None:
        return []
    shown = " ".join(found.split())[:40]
    return [
        problem(
            "markdown",
            f"the {side} contains {shown!r}: write prose, without Markdown",
            side=side,
            excerpt=shown,
        )
    ]


def _list_in(text: str) -> str | None:
    """Return the first of two items in a row, or an item after a line that ends with a colon."""
    before, mark = "", None
    for line in filter(None, map(str.strip, text.split("\n"))):
        item = _ITEM.match(line)
        if item is not None:
            if before.endswith(":"):
                return line
            if mark is not None and _continues(mark, item):
                return before
        before, mark = line, item
    return None


def _continues(mark: re.Match[str], item: re.Match[str]) -> bool:
    """Whether an item continues another: with the same sign, or with the next number."""
    if mark[2] and item[2]:
        return int(item[2]) == int(mark[2]) + 1
    return mark[1] is not None and mark[1] == item[1]
