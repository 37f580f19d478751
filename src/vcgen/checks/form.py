"""Form: is this text that a trainer can read, whole, of a fit length, and free of machinery?"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from vcgen.checks.codes import Problem, problem
from vcgen.checks.tokenize import TokenizedText, count_words, word_set


class Span(NamedTuple):
    """The fewest and the most words."""

    least: int
    most: int


# Wide: what lies outside is no text of that kind, whatever the recipe asks for.
LENGTHS: Mapping[str, Span] = {
    "question": Span(1, 60),
    "description": Span(10, 400),
    "descriptive": Span(1, 150),
    "temporal": Span(1, 150),
    "causal": Span(2, 150),
}

_MEDIA_TAG = re.compile(
    r"<\s*+/?\s*+(?:vid|image|audio|img|im_|vi_)\w{0,20}\b[^<>]{0,200}>"
    r"|\[(?:video|image|audio)\]",
    re.IGNORECASE,
)
_CHAT_TEMPLATE = re.compile(
    r"<[|\uff5c][^<>]{1,40}[|\uff5c]>|\[/?INST\]|<<\w+>>|<</?SYS>>|</?s>|<(?:start|end)_of_turn>|<[be]os>"
    r"|</?think(?:ing)?>|#{2,}\s*(?:Human|User|Assistant|Instruction|Response|Input|System)\b"
    r"|^[\W_]*+(?:Human|User|Assistant|System|Questioner|Answerer)[ *_]*+:",
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
_FENCE = re.compile(r"=== ?(?:end of )?\w+ [0-9a-z]{8,64} ?===")
_JSON = re.compile(
    r"^\s*[{\[]\s*[\"{\[]|^\s*\{\s*'\w+'\s*:|\"(?:turns|kind|question|answer|text)\"\s*:|[\"}\]]\s*[}\]]\s*$"
)
_CLOSING = " \t\r\n\"'*)]}\u201d\u2019\u00bb\u300d\u300f\uff09\u3011"
_ENDS = tuple(".!?\u2026\u3002\uff01\uff1f\uff61\u0964\u061f\u06d4")
_LABELS = word_set(
    """
    question answer description narrative caption input output turn response reply paragraph
    descriptive temporal causal q a
    """
)

_LOOP = 4  # rows of four words that come again
_LONGEST_LOOP = 40  # words
_SENTENCE = re.compile(r"[.!?]\s+|[\u3002\uff01\uff1f]")
# Characters of a sentence that may come twice among many ("Flip the wings."), or ever again.
_SHORT, _TINY = 30, 12
_MANY = 5


def broken(side: str, text: str) -> Problem | None:
    """What keeps a text from being looked at any further."""
    if not text.strip():
        return problem("empty", f"the {side} is empty")
    if text.isascii():
        return None
    try:
        text.encode()
    except UnicodeEncodeError:
        return problem("lone-surrogate", f"the {side} contains a lone surrogate, which is no text")
    return None


def find_artifacts(side: str, reading: TokenizedText) -> list[Problem]:
    """What belongs to prompts, formats and templates, not to prose."""
    text = reading.text
    found = list[Problem]()
    if not reading.marks or reading.marks.isdigit():
        return found
    if ("<" in text or "[" in text) and (tag := _MEDIA_TAG.search(text)):
        found.append(problem("media-tag", f"the {side} contains the markup {_shown(tag)}"))
    elif ("<" in text or "[" in text) and (tag := _MARKUP.search(text)):
        found.append(problem("markup", f"the {side} contains the markup {_shown(tag)}"))
    if ("<" in text or "[" in text or "#" in text or ":" in text) and (
        mark := _CHAT_TEMPLATE.search(text)
    ):
        found.append(
            problem("chat-template", f"the {side} contains {_shown(mark)!r}, a mark of a chat")
        )
    if "===" in text and _FENCE.search(text):
        found.append(problem("fence-leak", f"the {side} repeats a line of the prompt"))
    elif _may_hold_fragment(reading) and (part := _FRAGMENT.search(text)):
        found.append(
            problem("prompt-fragment", f"the {side} contains {_shown(part)!r}, which is no prose")
        )
    if "```" in text:
        found.append(problem("code-fence", f"the {side} contains '```', which is no prose"))
    if ("{" in text or "[" in text or '":' in text or '"}' in text or '"]' in text) and (
        left := _JSON.search(text)
    ):
        found.append(
            problem("json-left", f"the {side} contains {_shown(left)!r}, which is no prose")
        )
    return found


def _may_hold_fragment(reading: TokenizedText) -> bool:
    text = reading.text
    return (
        "_" in text
        or "{" in text
        or "[" in text
        or (":" in text and not _LABELS.isdisjoint(reading.known))
    )


def _shown(match: re.Match[str]) -> str:
    return match[0].strip()[:40]


def length(side: str, reading: TokenizedText, span: Span) -> list[Problem]:
    """Whether it is shorter or longer than a text of its kind."""
    count = count_words(reading)
    if count < span.least:
        return [problem("too-short", f"the {side} has {count:.0f} words, fewer than {span.least}")]
    if count > span.most:
        return [problem("too-long", f"the {side} has {count:.0f} words, more than {span.most}")]
    return []


def ending(side: str, reading: TokenizedText) -> list[Problem]:
    """Whether it ends as a sentence."""
    if reading.text.rstrip(_CLOSING).endswith(_ENDS):
        return []
    last = " ".join(reading.text.split()[-4:])[-60:]
    return [problem("no-sentence-end", f"the {side} does not end as a sentence: {last!r}")]


def repetition(side: str, reading: TokenizedText) -> list[Problem]:
    """Sentences said twice, and rows of words that come again and again."""
    words, plain = reading.words, reading.plain
    sentences = plain.rstrip(".!? \n").split(". ") if plain.isascii() else _SENTENCE.split(plain)
    if len(set(sentences)) < len(sentences) and (again := _said_again(sentences)):
        return [problem("repetition", f"the {side} repeats: {again.strip()[:60]!r}")]
    # Every other row, which shows a loop too at half the cost.
    ends = words[3::2]
    if len(set(zip(words[::2], words[1::2], words[2::2], ends, strict=False))) == len(ends):
        return []
    return _loops(side, list(zip(words, words[1:], words[2:], words[3:], strict=False)))


def _said_again(sentences: list[str]) -> str | None:
    """A sentence that comes too often: a long one twice, a short one twice without much between."""
    said = Counter[str]()
    before = ""
    for sentence in sentences:
        if sentence in said and len(sentence) >= _TINY:
            few = len(sentences) < _MANY or before == sentence
            if few or len(sentence) > _SHORT or said[sentence] > 1:
                return sentence
        said[sentence] += 1
        before = sentence
    return None


def _loops(side: str, rows: Sequence[tuple[str, ...]]) -> list[Problem]:
    """Of rows of words some come again; whether it is right away and all the time, or most."""
    if len(rows) - len(set(rows)) < min(_LOOP, len(rows) / 2):
        return []
    last: dict[tuple[str, ...], int] = {}
    again = run = distance = 0
    for at, row in enumerate(rows):
        apart = at - last.get(row, at)
        last[row] = at
        again += apart > 0
        run = run + 1 if apart == distance else 1
        distance = apart
        if 0 < distance <= _LONGEST_LOOP and run >= max(_LOOP, distance + 1):
            return [problem("repetition", f"the {side} says the same {distance} words on and on")]
    if 2 * again > len(rows):
        return [problem("repetition", f"most of the {side} repeats what it said before")]
    return []
