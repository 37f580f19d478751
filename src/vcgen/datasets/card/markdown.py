"""Render a template as Markdown in which untrusted text stays text.

In spans and blocks of code no renderer makes links, images, HTML or table cells, so a text needs no
other escaping there. `render` puts every value of a template into a span of code, unless a filter
has made Markdown of it: a forgotten filter shows a text as code, never as markup.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from vcgen.tasks.templates import load_text

_TICKS = re.compile("`+")
_LONGEST = 100  # characters of a name
_LONGEST_TEXT = 2000
# Letters, digits and characters without meaning between them; no renderer makes a link of these.
_PLAIN = re.compile(r"\A(?!.*www\.)[^\W_](?:[^\W_]|[ ,.'()-])*", re.IGNORECASE)


class Markdown(str):
    """Text that is Markdown already."""

    __slots__ = ()


def render(source: str, values: Mapping[str, Any]) -> str:
    """Render a template, escaping all values."""
    return load_text(source, FILTERS, _finalize).render(values)


def visible(text: str) -> str:
    """Put a text on one line, without characters that take no room or that move others."""
    shown = "".join(each if each.isprintable() else " " for each in text[: 2 * _LONGEST])
    return " ".join(shown.split())[:_LONGEST]


def prose(text: str) -> Markdown:
    """Show a name within a sentence or heading: as it is, or as code if it could be markup."""
    shown = visible(text)
    return Markdown(shown) if _PLAIN.fullmatch(shown) else code(shown)


def code(text: str) -> Markdown:
    """Show a name as a span of code, also within a table."""
    # Renderers differ in whether a vertical bar ends a cell, even an escaped one.
    shown = visible(text).replace("|", "\u00a6")
    fence = _fence(shown, least=1)
    pad = " " if not shown or "`" in (shown[0], shown[-1]) else ""
    return Markdown(f"{fence}{pad}{shown}{pad}{fence}")


def block(text: str, language: str) -> Markdown:
    """Show lines as a block of code."""
    text = text.strip("\n")
    fence = _fence(text, least=3)
    return Markdown(f"{fence}{language}\n{text}\n{fence}")


def _finalize(value: Any) -> str:
    if isinstance(value, Markdown):
        return value
    return f"{value:,}" if isinstance(value, int | float) else code(str(value))


def _json_block(value: Any) -> Markdown:
    """Show JSON as a block; invisible characters are escaped, and very long texts cut."""
    text = json.dumps(_cut(value), ensure_ascii=False, indent=2)
    return block("".join(map(_escaped, text)), "json")


def _yaml(value: Any) -> Markdown:
    """Write a value as JSON, which is YAML: a quoted string is never taken for anything else."""
    return Markdown(json.dumps(value, ensure_ascii=False))


def _toml(value: Any) -> Markdown:
    """Write a string, number, truth value or list as in JSON, with TOML's escapes."""
    text = json.dumps(value, ensure_ascii=False)
    shown = (each if each.isprintable() else f"\\U{ord(each):08x}" for each in text)
    return Markdown("".join(shown))


def _cell(text: str) -> Markdown:
    """Put Markdown of vcgen's own into a table."""
    return Markdown(text.replace("|", "\u00a6"))


FILTERS: Mapping[str, Callable[..., str]] = {
    "prose": prose,
    "block": block,
    "json": _json_block,
    "yaml": _yaml,
    "toml": _toml,
    "cell": _cell,
    "safe": Markdown,
}


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
