"""Captions' words made clean, and sentences made of clauses."""

import re
from collections.abc import Sequence
from itertools import pairwise

_MARKUP = re.compile(r"<[^<>]*>|[`*_#]{2,}")
_COMMA = re.compile(r" *,(?=[A-Za-z ])")
_TWICE = frozenset({"and", "the", "a", "an", "to", "of", "is", "in", "with", "on"})
_DANGLING = frozenset({"the", "a", "an", "and", "or", "of", "with", "to", "his", "her", "their"})
# What a caption may say and somebody who watched the video would not.
_TELLTALE = {
    "into frame": "into view",
    "into the frame": "into view",
    "out of frame": "out of view",
    "out of the frame": "out of view",
    "in frame": "in view",
    "in the frame": "in view",
    "caption": "line of text",
    "captions": "lines of text",
    "description": "account",
    "descriptions": "accounts",
    "evidence": "proof",
    "tag": "label",
    "tags": "labels",
    "frames": "borders",
    "transcript": "text",
    "transcripts": "texts",
}
_TELLTALE_STEMS = ("frame", "caption", "description", "evidence", "tag", "transcript")
_TELLTALES = re.compile(
    rf"\b(?:{'|'.join(sorted(_TELLTALE, key=len, reverse=True))})\b", re.IGNORECASE
)
# Full-width stops end a sentence without white space after them.
_WIDE_STOPS = "\u3002\uff01\uff1f"
_CLOSERS = "\"'\u201d\u2019)\\]"
_SENTENCE = re.compile(rf"\S.*?(?:[.!?]+[{_CLOSERS}]*(?=\s|$)|[{_WIDE_STOPS}]+|$)\s*", re.DOTALL)
_WHOLE = re.compile(rf"[.!?{_WIDE_STOPS}][{_CLOSERS}]*\s*\Z")


def sentences(text: str) -> list[str]:
    """The sentences of a text, each with the white space that follows it."""
    return _SENTENCE.findall(text)


def is_whole(text: str) -> bool:
    """Whether the text ends as a sentence does."""
    return _WHOLE.search(text) is not None


def sentence(clause: str) -> str:
    """The clause with a capital and a stop."""
    return capital(clause) + ("" if clause.endswith((".", "!", "?")) else ".")


def capital(text: str) -> str:
    """The text with its first letter large."""
    return text[:1].upper() + text[1:]


def listed(items: Sequence[str]) -> str:
    """`a, b and c`."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def without_telltales(text: str) -> str:
    """The text without words that name the written source instead of the video."""
    lower = text.lower()
    if not any(stem in lower for stem in _TELLTALE_STEMS):
        return text
    return _TELLTALES.sub(lambda found: _TELLTALE[found[0].lower()], text)


def tidy(text: str) -> str:
    """One caption's words, without markup, slips of the pen, and a final stop."""
    if not text.replace(" ", "").isalnum():
        text = _COMMA.sub(", ", _MARKUP.sub(" ", text))
    words = text.strip(" .,;:!?-").split()
    kept = words[:1] + [
        word for before, word in pairwise(words) if word != before or word not in _TWICE
    ]
    while len(kept) > 1 and kept[-1].lower() in _DANGLING:
        kept.pop()
    return without_telltales(" ".join(kept)).strip(" .,;:!?-")


def shorten(clause: str, most_words: int) -> str:
    """The clause cut before a comma, conjunction or preposition so that it still reads whole."""
    words = clause.split()
    if len(words) <= most_words:
        return clause
    for at in range(most_words, 4, -1):
        if words[at - 1].endswith(",") or words[at] in {"and", "while", "as", "with", "before"}:
            kept = " ".join(words[:at]).rstrip(",")
            return kept + '"' if kept.count('"') % 2 else kept
    return clause
