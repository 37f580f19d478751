"""Ground: how much of an answer the evidence supports, and what in it the evidence contradicts.

By words alone, so a paraphrase counts as unsupported: a score and flags, never a reason to reject.
"""

from collections.abc import Sequence
from typing import NamedTuple

from vcgen.checks.codes import Problem, problem
from vcgen.checks.evidence_index import (
    COLOURS,
    NEGATIONS,
    NUMBERS,
    EvidenceIndex,
    contents,
    denials,
    qualified,
)
from vcgen.checks.tokenize import TokenizedText

LEAST = 0.5
"""The share of an answer's content words that must be in the evidence."""

_CONTRADICTING = NEGATIONS | NUMBERS.keys() | COLOURS.keys()
_FEW = 4  # content words, of which a share says nothing yet


class Support(NamedTuple):
    """Of so many different content words so many are in the evidence."""

    supported: int
    total: int


def support(content: Sequence[str], facts: EvidenceIndex) -> Support:
    """How many of an answer's words of content the evidence has."""
    return Support(len(facts.stems.intersection(content)), len(content))


def score(supports: Sequence[Support]) -> float | None:
    """The share of all answers' content words that the evidence has; None without any."""
    total = sum(each.total for each in supports)
    return round(sum(each.supported for each in supports) / total, 3) if total else None


def ungrounded(found: Support) -> list[Problem]:
    """Whether the evidence has too little of an answer."""
    if found.total < _FEW or found.supported >= LEAST * found.total:
        return []
    return [
        problem(
            "ungrounded",
            f"the evidence has {found.supported} of the answer's {found.total} content words",
        )
    ]


def contradictions(answer: TokenizedText, facts: EvidenceIndex) -> list[Problem]:
    """Numbers, colours and denials that the evidence has otherwise."""
    found = list[Problem]()
    if _CONTRADICTING.isdisjoint(answer.known) and not facts.denied:
        return found
    for code, values in (("number", NUMBERS), ("colour", COLOURS)):
        if values.keys().isdisjoint(answer.known) or values.keys().isdisjoint(facts.words):
            continue
        # What the evidence says of them takes longer to find than what the answer says.
        said = [each for each in qualified(answer.words, values) if facts.names(each.noun)]
        if not said:
            continue
        told = facts.numbers if code == "number" else facts.colours
        for value, noun in said:
            if noun in told and value not in told[noun]:
                known = ", ".join(sorted(told[noun]))
                found.append(
                    problem(
                        f"{code}-contradicted",
                        f"{code} of {noun!r}: {value} in the answer, {known} in the evidence",
                    )
                )
                break
    return found + _denied(answer, facts)


def _denied(answer: TokenizedText, facts: EvidenceIndex) -> list[Problem]:
    if NEGATIONS.isdisjoint(answer.known):
        if not facts.denied:
            return []
        told = set(contents(answer.known))
        affirmed = {
            word for words in facts.texts if NEGATIONS.isdisjoint(words) for word in contents(words)
        }
        for word, along in facts.denied.items():
            if word in told - affirmed and ("" in along or not along.isdisjoint(told)):
                return [problem("negation-contradicted", f"the evidence denies {word!r}")]
        return []
    for word, beside in denials(answer.words):
        if word in facts.denied:
            continue
        for words in facts.texts:
            said = contents(words)
            if word in said and (not beside or beside in said):
                return [problem("negation-contradicted", f"the evidence affirms {word!r}")]
    return []
