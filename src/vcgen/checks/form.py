"""Form: a text must be readable, complete, of a fit length, and free of prompt artifacts."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from vcgen.checks.codes import Problem, Side, problem
from vcgen.checks.tokenize import TokenizedText, count_words, word_set
from vcgen.data.media_tags import MEDIA_TAG


class Span(NamedTuple):
    """A range of the number of words."""

    least: int
    most: int


# Wide, as they hold for every recipe.
LENGTHS: Mapping[str, Span] = {
    "question": Span(1, 60),
    "description": Span(10, 400),
    "descriptive": Span(1, 150),
    "temporal": Span(1, 150),
    "causal": Span(2, 150),
}

_MEDIA_TAG = re.compile(rf"{MEDIA_TAG}|\[(?:video|image|audio)\]", re.IGNORECASE)
_CHAT_TEMPLATE = re.compile(
    r"<[|\uff5c][^<>]{1,40}[|\uff5c]>|\[/?INST\]|<<\w+>>|<</?SYS>>|</?s>|<(?:start|end)_of_turn>|<[be]os>"
    r"|</?think(?:ing)?>|(?<!#)#{2,}+\s*+(?:Human|User|Assistant|Instruction|Response|Input|System)\b"
    r"|^(?:[^\w\n]|_)*+(?:Human|User|Assistant|System|Questioner|Answerer)[ *_]*+:",
    re.IGNORECASE | re.MULTILINE,
)
_MARKUP = re.compile(
    r"</?[a-z][a-z0-9_-]*+(?:\s[^<>]*+)?/?>|<!(?:--|DOCTYPE|\[CDATA)|\]\(|!\[", re.IGNORECASE
)
_FRAGMENT = re.compile(
    r"\{\{-? ?[a-z_.]+|\{%"
    r"|^\W{0,3}(?:(?:final|video|short|detailed|conversation) )?(?:question|answer|description"
    r"|narrative|caption|input|output|turn|response|reply|paragraph|descriptive|temporal|causal|q|a)"
    r"\s?\d*\W{0,2}:\W"
    r"|\b[A-Za-z]+(?:_[A-Za-z]+){2,}\b"
    r"|^\[(?:question|answer)\]"
    r"|\[(?:insert|your|describe|name of|object|placeholder|unknown|speech|music)\b[^\]]{0,40}\]"
    r"|\{(?:answer|question|description|narrative|name|text|kind)\}",
    re.IGNORECASE | re.MULTILINE,
)
_CODE_FENCE = re.compile("```")
_FENCE = re.compile(r"=== ?(?:end of )?\w+ [0-9a-z]{8,64} ?===")
_JSON = re.compile(
    r"^\s*[{\[]\s*[\"{\[]|^\s*\{\s*'\w+'\s*:|\"(?:turns|kind|question|answer|text)\"\s*:|[\"}\]]\s*[}\]]\s*$"
)
_NOT_PROSE = "the {side} contains {shown!r}, which is not prose"
_SHOWN = 40  # characters of a match
_CLOSING = " \t\r\n\"'*)]}\u201d\u2019\u00bb\u300d\u300f\uff09\u3011"
_ENDS = tuple(".!?\u2026\u3002\uff01\uff1f\uff61\u0964\u061f\u06d4")
_LABELS = word_set("""question answer description narrative caption input output turn response reply
    paragraph descriptive temporal causal q a""")

_LOOP = 4  # repeated runs of four words
_LONGEST_LOOP = 40  # words
_SENTENCE = re.compile(r"[.!?]\s+|[\u3002\uff01\uff1f]")
# Characters of a sentence that may occur twice among many ("Flip the wings."), or any number
# of times.
_SHORT, _TINY = 30, 12
_MANY = 5


def find_unreadable(side: Side, text: str) -> Problem | None:
    """Find the problem that rules out all other checks: an empty or undecodable text."""
    if not text.strip():
        return problem("empty", f"the {side} is empty", side=side)
    if text.isascii():
        return None
    try:
        text.encode()
    except UnicodeEncodeError:
        message = f"the {side} contains a lone surrogate, which is not text"
        return problem("lone-surrogate", message, side=side)
    return None


def find_artifacts(side: Side, reading: TokenizedText) -> list[Problem]:
    """Find text of prompts, formats and chat templates."""
    text = reading.text
    if not reading.markers or reading.markers.isdigit():
        return []
    matches: list[tuple[str, str, re.Match[str] | None]] = []
    if "<" in text or "[" in text:
        tag = _MEDIA_TAG.search(text)
        code, pattern = ("media-tag", tag) if tag else ("markup", _MARKUP.search(text))
        matches.append((code, "the {side} contains the markup {shown}", pattern))
    if "<" in text or "[" in text or "#" in text or ":" in text:
        mark = _CHAT_TEMPLATE.search(text)
        matches.append(("chat-template", "the {side} contains {shown!r}, a mark of a chat", mark))
    fence = _FENCE.search(text) if "===" in text else None
    matches.append(("fence-leak", "the {side} repeats a line of the prompt", fence))
    if not fence and _may_hold_fragment(reading):
        matches.append(("prompt-fragment", _NOT_PROSE, _FRAGMENT.search(text)))
    if "```" in text:
        matches.append(("code-fence", _NOT_PROSE, _CODE_FENCE.search(text)))
    if "{" in text or "[" in text or '":' in text or '"}' in text or '"]' in text:
        matches.append(("json-left", _NOT_PROSE, _JSON.search(text)))
    return [_of_match(code, message, side, match) for code, message, match in matches if match]


def _may_hold_fragment(reading: TokenizedText) -> bool:
    text = reading.text
    return (
        "_" in text
        or "{" in text
        or "[" in text
        or (":" in text and not _LABELS.isdisjoint(reading.vocabulary))
    )


def _of_match(code: str, message: str, side: Side, match: re.Match[str]) -> Problem:
    shown = match[0].strip()[:_SHOWN]
    return problem(code, message.format(side=side, shown=shown), side=side, excerpt=shown)


def find_wrong_length(side: Side, reading: TokenizedText, span: Span) -> list[Problem]:
    """Find a length outside the range of its kind."""
    count = count_words(reading)
    if span.least <= count <= span.most:
        return []
    if count < span.least:
        code, limit = "too-short", f"fewer than {span.least}"
    else:
        code, limit = "too-long", f"more than {span.most}"
    return [problem(code, f"the {side} has {count:.0f} words, {limit}", side=side)]


def find_cut_ending(side: Side, reading: TokenizedText) -> list[Problem]:
    """Find an answer cut off within a sentence."""
    if reading.text.rstrip(_CLOSING).endswith(_ENDS):
        return []
    last = " ".join(reading.text.split()[-4:])[-60:]
    message = f"the {side} does not end as a sentence: {last!r}"
    return [problem("no-sentence-end", message, side=side, excerpt=last)]


def find_repetition(side: Side, reading: TokenizedText) -> list[Problem]:
    """Find repeated sentences and looping runs of words."""
    words, plain = reading.words, reading.plain
    sentences = plain.rstrip(".!? \n").split(". ") if plain.isascii() else _SENTENCE.split(plain)
    if len(set(sentences)) < len(sentences) and (sentence := _repeated_sentence(sentences)):
        shown = sentence.strip()[:60]
        message = f"the {side} repeats: {shown!r}"
        return [problem("repetition", message, side=side, excerpt=shown)]
    # Every other run of four words: a loop shows there too, at half the cost.
    ends = words[3::2]
    if len(set(zip(words[::2], words[1::2], words[2::2], ends, strict=False))) == len(ends):
        return []
    runs = list(zip(words, words[1:], words[2:], words[3:], strict=False))
    loop = _describe_loop(side, runs)
    return [] if loop is None else [problem("repetition", loop, side=side)]


def _repeated_sentence(sentences: list[str]) -> str | None:
    """Return a sentence that occurs too often: a long one twice, a short one twice in a row."""
    counts = Counter[str]()
    previous = ""
    for sentence in sentences:
        if sentence in counts and len(sentence) >= _TINY:
            is_near = len(sentences) < _MANY or previous == sentence
            if is_near or len(sentence) > _SHORT or counts[sentence] > 1:
                return sentence
        counts[sentence] += 1
        previous = sentence
    return None


def _describe_loop(side: Side, runs: Sequence[tuple[str, ...]]) -> str | None:
    """Describe runs of words that repeat back to back, or that are most of the text."""
    if len(runs) - len(set(runs)) < min(_LOOP, len(runs) / 2):
        return None
    last: dict[tuple[str, ...], int] = {}
    repeated = in_a_row = distance = 0
    for at, run in enumerate(runs):
        since = at - last.get(run, at)
        last[run] = at
        repeated += since > 0
        in_a_row = in_a_row + 1 if since == distance else 1
        distance = since
        if 0 < distance <= _LONGEST_LOOP and in_a_row >= max(_LOOP, distance + 1):
            return f"the {side} loops over the same {distance} words"
    return f"most of the {side} is repeated" if 2 * repeated > len(runs) else None
