r"""Make any text safe to print on a terminal.

A terminal obeys control characters, and bidirectional ones make a line read as another one. Both
come in ids, replies and messages of endpoints. Python's escapes show them: `\x1b`, `\u202e`.
Not for JSON on standard output, which programs read, nor for files.
"""

import re

INVISIBLE = (
    "\u0000-\u0008\u000e-\u001f\u007f-\u009f\u00ad\u061c\u200b\u200e\u200f"
    "\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f"
)
"""Ranges of a regular expression: characters that take no room, without white space.

Zero-width joiner and non-joiner are not among them: Persian, Indic scripts and emoji need them.
"""

# Further format characters; they stay in evidence, where they do no harm.
_FORMAT = "\u180e\u206a-\u206f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
_IN_LINES = re.compile(f"[{INVISIBLE}{_FORMAT}\u000b-\u000d\u2028\u2029]")
_IN_A_LINE = re.compile(f"[{INVISIBLE}{_FORMAT}\u0009-\u000d\u2028\u2029]")


def plain(text: str) -> str:
    r"""Escape what a terminal would obey or hide, line ends and tabs among it: `\n`."""
    return text if text.isprintable() else _IN_A_LINE.sub(_escape, text)


def plain_lines(text: str) -> str:
    """Escape as `plain` does, but keep line ends and tabs."""
    return _IN_LINES.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode("ascii")
