"""What the simulated model says as a judge: by words, from the evidence and the answers alone.

An answer is contradicted where it gives something another number or colour than the evidence does,
supported where the evidence has most of its words, and otherwise not in evidence.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from vcgen.checks.evidence_index import COLOURS, NUMBERS, contents, qualified
from vcgen.checks.tokenize import words_of

_ANSWER = re.compile(r"^(\d+)\. Question: .*\n   Answer: (.*)$", re.MULTILINE)
_PLACE = re.compile(r"^(?:\[[\d.-]+\] (?:\(\w+\) )?|(?:Caption|Summary|Tags): )")
_SUPPORTED = 0.4  # of its words of content; the rest is how models join and round off


class _Line(NamedTuple):
    text: str
    words: list[str]
    content: frozenset[str]


def judge(evidence: str, answers: str) -> dict[str, Any]:
    """The verdicts on numbered answers, as `judge.jinja` asks for them."""
    texts = [_PLACE.sub("", line) for line in evidence.split("\n")]
    lines = [
        _Line(text, words, frozenset(contents(words)))
        for text, words in zip(texts, words_of(texts), strict=True)
    ]
    return {
        "verdicts": [
            {"answer": int(number)} | _verdict(answer, lines)
            for number, answer in _ANSWER.findall(answers)
        ]
    }


def _verdict(answer: str, lines: Sequence[_Line]) -> dict[str, str]:
    (words,) = words_of([answer])
    for values in (NUMBERS, COLOURS):
        if (against := _against(words, values, lines)) is not None:
            return {"span": against.text, "verdict": "contradicted"}
    content = frozenset(contents(words))
    known = frozenset().union(*(line.content for line in lines))
    if len(content & known) < _SUPPORTED * len(content):
        return {"span": "", "verdict": "not in evidence"}
    nearest = max(lines, key=lambda line: len(line.content & content))
    return {"span": nearest.text, "verdict": "supported"}


def _against(
    words: Sequence[str], values: Mapping[str, str], lines: Sequence[_Line]
) -> _Line | None:
    """A line that has another value of something that the answer speaks of, where none has its."""
    told = [(line, found) for line in lines for found in qualified(line.words, values)]
    for said in qualified(words, values):
        same = [(line, found) for line, found in told if found.noun == said.noun]
        if same and all(found.value != said.value for _, found in same):
            return same[0][0]
    return None
