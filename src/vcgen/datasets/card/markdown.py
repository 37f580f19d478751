"""Text of strangers on a page of Markdown: shown as it is, and never links, images, HTML or cells.

Where a renderer looks for none of these, in spans and blocks of code, a text needs no escaping.
"""

import json
import re
from typing import Any

_TICKS = re.compile("`+")
_LONGEST = 100  # characters of a name
_LONGEST_TEXT = 2000
# Letters, digits and what means nothing between them; no renderer makes a link of that.
_PLAIN = re.compile(r"(?!.*www\.)[^\W_](?:[^\W_]|[ ,.'()-])*", re.IGNORECASE)


def visible(text: str) -> str:
    """On one line, without characters that take no room or that move others."""
    shown = "".join(each if each.isprintable() else " " for each in text[: 2 * _LONGEST])
    return " ".join(shown.split())[:_LONGEST]


def prose(text: str) -> str:
    """A name within a sentence or a heading: as it is where that can be nothing else."""
    shown = visible(text)
    return shown if _PLAIN.fullmatch(shown) else code(shown)


def code(text: str) -> str:
    """A name as a span of code, within a table too."""
    # Whether a stroke ends a cell is not the same for all renderers, whatever stands before it.
    shown = visible(text).replace("|", "\u00a6")
    fence = _fence(shown, least=1)
    pad = " " if not shown or "`" in (shown[0], shown[-1]) else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def block(text: str, language: str) -> str:
    """Lines as a block of code."""
    fence = _fence(text, least=3)
    return f"{fence}{language}\n{text}\n{fence}"


def json_block(value: Any) -> str:
    """A value as JSON in a block; what cannot be seen is escaped, and very long texts are cut."""
    text = json.dumps(_cut(value), ensure_ascii=False, indent=2)
    return block("".join(map(_escaped, text)), "json")


def _escaped(character: str) -> str:
    is_seen = character.isprintable() or character == "\n"
    return character if is_seen else json.dumps(character)[1:-1]


def _fence(text: str, least: int) -> str:
    """More backticks in a row than the text has."""
    return "`" * max(least, 1 + max(map(len, _TICKS.findall(text)), default=0))


def _cut(value: Any) -> Any:
    if isinstance(value, str) and len(value) > _LONGEST_TEXT:
        return f"{value[:_LONGEST_TEXT]}..."
    if isinstance(value, dict):
        return {key: _cut(each) for key, each in value.items()}
    return [_cut(each) for each in value] if isinstance(value, list | tuple) else value
