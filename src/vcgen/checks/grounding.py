"""Grounding: how far the evidence supports an answer, and where it contradicts the answer.

Only words are compared, and a paraphrase counts as unsupported, so these problems are flags.
"""

from collections.abc import Sequence
from typing import NamedTuple

from vcgen.checks.codes import Problem, problem
from vcgen.checks.evidence_index import (
    COLOURS,
    NEGATIONS,
    NUMBERS,
    EvidenceIndex,
    content_words,
    denials,
    qualified_nouns,
)
from vcgen.checks.tokenize import TokenizedText

MIN_SUPPORTED = 0.5
"""The fraction of an answer's content words that the evidence must have."""

_CONTRADICTING = NEGATIONS | NUMBERS.keys() | COLOURS.keys()
_FEW = 4  # content words, too few for a fraction


class Support(NamedTuple):
    """The number of different content words, and of those in the evidence."""

    supported: int
    total: int


def support(content: Sequence[str], evidence: EvidenceIndex) -> Support:
    """Count the content words of an answer that the evidence has."""
    return Support(len(evidence.stems.intersection(content)), len(content))


def score(supports: Sequence[Support]) -> float | None:
    """Return the fraction of all answers' content words in the evidence; None without any."""
    total = sum(found.total for found in supports)
    return round(sum(found.supported for found in supports) / total, 3) if total else None


def find_ungrounded(found: Support) -> list[Problem]:
    """Find an answer with too few of its content words in the evidence."""
    if found.total < _FEW or found.supported >= MIN_SUPPORTED * found.total:
        return []
    return [
        problem(
            "ungrounded",
            f"the evidence has {found.supported} of the answer's {found.total} content words",
            side="answer",
        )
    ]


def find_contradictions(answer: TokenizedText, evidence: EvidenceIndex) -> list[Problem]:
    """Find numbers, colours and denials that differ from the evidence."""
    found = list[Problem]()
    if _CONTRADICTING.isdisjoint(answer.vocabulary) and not evidence.denied:
        return found
    for code, values in (("number", NUMBERS), ("colour", COLOURS)):
        if values.keys().isdisjoint(answer.vocabulary) or values.keys().isdisjoint(evidence.words):
            continue
        # The answer is the shorter text, so it goes first.
        stated = [
            found
            for found in qualified_nouns(answer.words, values)
            if evidence.has_noun(found.noun)
        ]
        if not stated:
            continue
        given = evidence.numbers if code == "number" else evidence.colours
        for value, noun in stated:
            if noun in given and value not in given[noun]:
                others = ", ".join(sorted(given[noun]))
                message = f"{code} of {noun!r}: {value} in the answer, {others} in the evidence"
                found.append(problem(f"{code}-contradicted", message, side="answer", excerpt=noun))
                break
    return found + _find_negation(answer, evidence)


def _find_negation(answer: TokenizedText, evidence: EvidenceIndex) -> list[Problem]:
    """Find a word that the answer affirms and the evidence denies, or the reverse."""
    if NEGATIONS.isdisjoint(answer.vocabulary):
        word, verb = _affirmed_but_denied(answer, evidence), "denies"
    else:
        word, verb = _denied_but_affirmed(answer, evidence), "affirms"
    if word is None:
        return []
    message = f"the evidence {verb} {word!r}"
    return [problem("negation-contradicted", message, side="answer", excerpt=word)]


def _affirmed_but_denied(answer: TokenizedText, evidence: EvidenceIndex) -> str | None:
    if not evidence.denied:
        return None
    stated = set(content_words(answer.vocabulary))
    affirmed = frozenset[str]().union(
        *(
            content
            for words, content in zip(evidence.texts, evidence.content, strict=True)
            if NEGATIONS.isdisjoint(words)
        )
    )
    for word, following in evidence.denied.items():
        if word in stated - affirmed and ("" in following or not following.isdisjoint(stated)):
            return word
    return None


def _denied_but_affirmed(answer: TokenizedText, evidence: EvidenceIndex) -> str | None:
    for word, following in denials(answer.words):
        if word not in evidence.denied:
            for content in evidence.content:
                if word in content and (not following or following in content):
                    return word
    return None
