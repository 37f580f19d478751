"""Checks of finished turns: pure functions that say what is wrong in words a model can act on."""

import re
from collections.abc import Sequence

from vcgen.clips import Clip
from vcgen.records import Turn

# Trainers count media tags in the text and fail on one that is no medium; pages run scripts. No
# repeat here may begin inside another's, or a long reply takes hours.
_TAG = re.compile(
    r"<\s*+(?:/\s*+)?(?:video|image|audio|img)\b[^<>]*>|</?[a-z][a-z0-9_-]*(?:\s[^<>]*)?/?>"
    r"|<\|[a-z_]+\|>|<<\w+>>|\[/?INST\]|<!(?:--|DOCTYPE|\[CDATA)",
    re.IGNORECASE,
)
_LEFTOVER = re.compile(r"```|^\s*[{\[]\s*\"|=== (end of )?\w+ \w{16,64} ===|\]\(|!\[")
_ROLE = re.compile(
    r"^[\W_]*(?:system|user|assistant|human|questioner|answerer)[ *_]*:",
    re.IGNORECASE | re.MULTILINE,
)
_QUOTED_CHARACTERS = 40  # of a reply: what is quoted goes back to the model, outside any fence
MOST_PROBLEMS = 10
_DIGITS = "0123456789"
_NUMBER = r"(\d+(?:\.\d+)?)"
# A bare `s` needs its preposition: a man in his 30s is no time in the video.
_SECONDS = re.compile(
    rf"\b{_NUMBER}[- ]?(?:secs?|seconds?)\b|\bsecond {_NUMBER}\b"
    rf"|\b(?:at|after|around|about|by|until) {_NUMBER} ?s\b",
    re.IGNORECASE,
)
# Times are given to a tenth, and models round up.
_TOLERANCE_S = 0.5


def form_problems(turns: Sequence[Turn], clip: Clip) -> list[str]:
    """What keeps these turns from being training data, each in one line; empty if nothing does."""
    if not turns:
        return ["there are no turns"]
    problems: list[str] = []
    for number, turn in enumerate(turns, 1):
        where = "" if len(turns) == 1 else f"turn {number}: "
        found = [*text_problems("question", turn.question), *text_problems("answer", turn.answer)]
        found += time_problems(turn.answer, clip.duration)
        problems.extend(where + problem for problem in found)
    return problems


def answer_problems(text: str, clip: Clip) -> list[str]:
    """The same for one answer alone, before there are turns."""
    return [*text_problems("answer", text), *time_problems(text, clip.duration)]


def text_problems(side: str, text: str) -> list[str]:
    """What is wrong with the text of one side, `question` or `answer`, whatever it says."""
    if not text.strip():
        return [f"the {side} is empty"]
    try:
        text.encode()
    except UnicodeEncodeError:
        return [f"the {side} contains a lone surrogate, which is no text"]
    problems = []
    # Nearly all prose is without these characters, and to see that costs next to nothing.
    if ("<" in text or "[" in text) and (tag := _TAG.search(text)):
        problems.append(f"the {side} contains the markup {_quoted(tag)}")
    if ("{" in text or "[" in text or "```" in text or "===" in text) and (
        left := _LEFTOVER.search(text)
    ):
        problems.append(f"the {side} contains {_quoted(left)!r}, which is no prose")
    if ":" in text and (role := _ROLE.search(text)):
        problems.append(f"the {side} has a line that begins with {_quoted(role)!r}")
    return problems


def _quoted(found: re.Match[str]) -> str:
    return " ".join(found[0].split())[:_QUOTED_CHARACTERS]


def time_problems(text: str, duration: float | None) -> list[str]:
    """Times named in seconds that lie past the end of the video."""
    if duration is None or not any(map(text.__contains__, _DIGITS)):
        return []
    named = (float(match[match.lastindex or 0]) for match in _SECONDS.finditer(text))
    return [
        f"it names {second:g} seconds, but the video ends at {duration:g}"
        for second in named
        if second > duration + _TOLERANCE_S
    ]
