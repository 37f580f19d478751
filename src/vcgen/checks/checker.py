"""Checks of one sample: pure, total, and in words a model can act on.

    for problem in check(turns, clip):
        print(problem.code, problem.severity, problem)

`Checker` is the same for all texts of one clip, each of which is read once.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

from vcgen.checks.codes import (
    CODES,
    MOST_PROBLEMS,
    Code,
    Problem,
    Severity,
    SeverityOverride,
    apply_severities,
    problem,
    require_codes,
)
from vcgen.checks.coherence import duplicate_questions, refers_back
from vcgen.checks.evidence_index import EvidenceIndex, contents
from vcgen.checks.form import LENGTHS, Span, broken, ending, find_artifacts, length, repetition
from vcgen.checks.grounding import contradictions, score, support, ungrounded
from vcgen.checks.language import code_of, other_language
from vcgen.checks.markdown import markdown
from vcgen.checks.question_kind import possible_kinds, question_kind
from vcgen.checks.timing import order, past_the_end
from vcgen.checks.tokenize import TokenizedText, read
from vcgen.checks.voice import voice
from vcgen.data.clips import Clip
from vcgen.data.records import Kind, Turn

__all__ = [
    "CODES",
    "MOST_PROBLEMS",
    "Checker",
    "Code",
    "Problem",
    "Review",
    "Severity",
    "apply_severities",
    "check",
    "problem",
    "question_kind",
    "require_codes",
]

Side = Literal["question", "answer"]
_WORDS = (80, 160)
_AS_REGISTERED: Mapping[str, SeverityOverride] = {}


class Review(NamedTuple):
    """What the checks say of a sample.

    Attributes:
        problems: in the order of the turns, those of the sample as a whole last.
        ground: the share of the answers' content words that the evidence has, None if the
            two cannot be compared.
    """

    problems: list[Problem]
    ground: float | None


class _Checked(NamedTuple):
    reading: TokenizedText
    problems: list[Problem]


class Checker:
    """The checks of texts about one clip. Each text is read once, however often it is asked for."""

    def __init__(
        self,
        clip: Clip | None,
        *,
        language: str = "English",
        words: tuple[int, int] = _WORDS,
        severities: Mapping[str, SeverityOverride] = _AS_REGISTERED,
    ) -> None:
        """Without a clip nothing is found that needs its evidence or its duration.

        Args:
            clip: whose evidence the texts are made from.
            language: asked for, by name or tag.
            words: the fewest and the most asked for of a description.
            severities: by code, where they are not those of `CODES`; `off` is no problem.
        """
        self._severities = severities
        self._wanted = code_of(language)
        self._facts = EvidenceIndex(clip, self._wanted)
        least, most = LENGTHS["description"]
        self._description = Span(min(least, words[0] // 2), max(most, 2 * words[1]))
        self._checked: dict[tuple[str, str], _Checked] = {}

    def question(self, text: str, asked: Sequence[str] = ()) -> list[Problem]:
        """What is wrong with a question that comes after those `asked`."""
        problems = self._check("question", text, "question").problems
        if asked:
            all_asked = (*asked, text)
            readings = [self._check("question", each, "question").reading for each in all_asked]
            again = duplicate_questions(readings)
            problems = [*problems, *(each for each in again if each.turn == len(readings))]
        return apply_severities(problems, self._severities)

    def answer(self, text: str, kind: Kind = "description") -> list[Problem]:
        """What is wrong with an answer alone."""
        return apply_severities(self._check("answer", text, kind).problems, self._severities)

    def turns(self, turns: Sequence[Turn]) -> list[Problem]:
        """What is wrong with the turns of a sample."""
        return self.review(turns).problems

    def review(self, turns: Sequence[Turn]) -> Review:
        """What is wrong with the turns of a sample, and how much the evidence supports them."""
        if not turns:
            none = problem("no-turns", "there are no turns")
            return Review(apply_severities([none], self._severities), None)
        facts, found, readings = self._facts, list[Problem](), list[TokenizedText]()
        supports = []
        for number, turn in enumerate(turns, 1):
            asked = self._check("question", turn.question, "question")
            said = self._check("answer", turn.answer, turn.kind)
            problems = [*asked.problems, *said.problems]
            readings.append(asked.reading)
            if asked.reading.words and said.reading.words:
                problems += _wrong_kind(turn)
                if len(turns) > 1:
                    problems += refers_back(asked.reading, said.reading)
                if facts.comparable:
                    content = contents(said.reading.words)
                    supports.append(support(content, facts))
                    problems += ungrounded(supports[-1])
                    problems += contradictions(said.reading, facts)
                    problems += order(asked.reading, said.reading, content, facts)
            if problems:
                found += [each._replace(turn=number) for each in problems]
        if len(turns) > 1:
            found += duplicate_questions(readings)
        return Review(apply_severities(found, self._severities), score(supports))

    def _check(self, side: Side, text: str, kind: str) -> _Checked:
        key = (text, kind)
        checked = self._checked.get(key)
        if checked is None:
            checked = self._checked[key] = self._read(side, text, kind)
        return checked

    def _read(self, side: Side, text: str, kind: str) -> _Checked:
        if side == "question":
            reading, found = _asked(text, self._wanted)
        else:
            span = self._description if kind == "description" else LENGTHS[kind]
            reading, found = _read(side, text, span, self._wanted)
            if reading.words:
                found = [*found, *ending(side, reading), *repetition(side, reading)]
        late = past_the_end(side, reading, self._facts)
        return _Checked(reading, [*found, *late] if late else found)


def _read(side: Side, text: str, span: Span, wanted: str) -> _Checked:
    """A text, and what is wrong with it on either side of a turn, whatever the clip."""
    unfit = broken(side, text)
    if unfit is not None:
        return _Checked(read(""), [unfit])
    reading = read(text)
    found = [
        *find_artifacts(side, reading),
        *markdown(side, reading),
        *length(side, reading, span),
        *voice(side, reading),
        *other_language(side, reading, wanted),
    ]
    return _Checked(reading, found)


@lru_cache(maxsize=256)
def _asked(text: str, wanted: str) -> _Checked:
    """A question by itself. Those for descriptions are a few, and come with every clip."""
    return _read("question", text, LENGTHS["question"], wanted)


def _wrong_kind(turn: Turn) -> list[Problem]:
    if turn.kind == "description" or turn.kind in (possible := possible_kinds(turn.question)):
        return []
    said = f"the question is labelled {turn.kind}, but asks for what is {possible[0]}"
    return [problem("wrong-kind", said)]


def check(
    turns: Sequence[Turn],
    clip: Clip | None,
    *,
    language: str = "English",
    words: tuple[int, int] = _WORDS,
) -> list[Problem]:
    """What is wrong with a sample, by all checks; empty if nothing is. Never raises on any text.

    Args:
        turns: of the sample, in order.
        clip: whose evidence they are made from; without one nothing is found that needs it.
        language: that was asked for, by name or tag; one that is not known is not checked.
        words: the fewest and the most words asked for of a description.
    """
    return Checker(clip, language=language, words=words).turns(turns)
