"""Check one sample. Pure functions that accept any text; a model can act on their messages.

    for problem in check(turns, clip):
        print(problem.code, problem.severity, problem)

A `Checker` serves all texts about one clip and tokenizes each text once.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from vcgen.checks.codes import (
    Problem,
    SeverityOverride,
    Side,
    apply_severities,
    problem,
)
from vcgen.checks.coherence import find_back_references, find_duplicate_questions
from vcgen.checks.evidence_index import EvidenceIndex, content_words
from vcgen.checks.form import (
    LENGTHS,
    Span,
    find_artifacts,
    find_cut_ending,
    find_repetition,
    find_unreadable,
    find_wrong_length,
)
from vcgen.checks.grounding import find_contradictions, find_ungrounded, score, support
from vcgen.checks.language import code_of, find_other_language
from vcgen.checks.markdown import find_markdown
from vcgen.checks.question_kind import possible_kinds
from vcgen.checks.timing import find_late_times, find_wrong_order
from vcgen.checks.tokenize import TokenizedText, tokenize
from vcgen.checks.voice import find_wrong_voice
from vcgen.data.clips import Clip
from vcgen.data.records import Kind, Turn

_WORDS = (80, 160)
_AS_REGISTERED: Mapping[str, SeverityOverride] = {}


class Review(NamedTuple):
    """The result of checking a sample.

    Attributes:
        ground: the fraction of the answers' content words found in the evidence; None where the
            two cannot be compared.
    """

    problems: list[Problem]  # in the order of the turns, those of the whole sample last
    ground: float | None


class _Checked(NamedTuple):
    reading: TokenizedText
    problems: list[Problem]


class Checker:
    """The checks of texts about one clip. Each text is checked once and its result kept."""

    def __init__(
        self,
        clip: Clip | None,
        *,
        language: str = "English",
        description_words: tuple[int, int] = _WORDS,
        severities: Mapping[str, SeverityOverride] = _AS_REGISTERED,
    ) -> None:
        """Without a clip, skip the checks that need its evidence or its duration.

        Args:
            clip: the source of the texts.
            language: requested, by name or tag.
            description_words: the requested range of the length of a description.
            severities: by code, overriding those of `CODES`; `off` disables a check.
        """
        self._severities = severities
        self._wanted = code_of(language)
        self._evidence = EvidenceIndex(clip, self._wanted)
        least, most = LENGTHS["description"]
        self._description = Span(
            min(least, description_words[0] // 2), max(most, 2 * description_words[1])
        )
        self._checked: dict[tuple[str, str], _Checked] = {}

    def question(self, text: str, asked: Sequence[str] = ()) -> list[Problem]:
        """Return the problems of a question that follows those `asked`."""
        problems = self._check("question", text, "question").problems
        if asked:
            all_asked = (*asked, text)
            readings = [self._check("question", other, "question").reading for other in all_asked]
            repeated = find_duplicate_questions(readings)
            problems = [*problems, *(found for found in repeated if found.turn == len(readings))]
        return apply_severities(problems, self._severities)

    def answer(self, text: str, kind: Kind = "description") -> list[Problem]:
        return apply_severities(self._check("answer", text, kind).problems, self._severities)

    def turns(self, turns: Sequence[Turn]) -> list[Problem]:
        return self.review(turns).problems

    def review(self, turns: Sequence[Turn]) -> Review:
        """Return the problems of the turns of a sample, and how far the evidence supports them."""
        if not turns:
            empty = problem("no-turns", "there are no turns")
            return Review(apply_severities([empty], self._severities), None)
        evidence, found, readings = self._evidence, list[Problem](), list[TokenizedText]()
        supports = []
        for number, turn in enumerate(turns, 1):
            question = self._check("question", turn.question, "question")
            answer = self._check("answer", turn.answer, turn.kind)
            problems = [*question.problems, *answer.problems]
            readings.append(question.reading)
            if question.reading.words and answer.reading.words:
                problems += _wrong_kind(turn)
                if len(turns) > 1:
                    problems += find_back_references(question.reading, answer.reading)
                if evidence.is_comparable:
                    content = content_words(answer.reading.words)
                    supports.append(support(content, evidence))
                    problems += find_ungrounded(supports[-1])
                    problems += find_contradictions(answer.reading, evidence)
                    problems += find_wrong_order(
                        question.reading, answer.reading, content, evidence
                    )
            if problems:
                found += [each._replace(turn=number) for each in problems]
        if len(turns) > 1:
            found += find_duplicate_questions(readings)
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
                found = [*found, *find_cut_ending(side, reading), *find_repetition(side, reading)]
        late = find_late_times(side, reading, self._evidence)
        return _Checked(reading, [*found, *late] if late else found)


def _read(side: Side, text: str, span: Span, wanted: str) -> _Checked:
    """Tokenize a text and find the problems that do not depend on the clip."""
    unfit = find_unreadable(side, text)
    if unfit is not None:
        return _Checked(tokenize(""), [unfit])
    reading = tokenize(text)
    found = [
        *find_artifacts(side, reading),
        *find_markdown(side, reading),
        *find_wrong_length(side, reading, span),
        *find_wrong_voice(side, reading),
        *find_other_language(side, reading, wanted),
    ]
    return _Checked(reading, found)


@lru_cache(maxsize=256)
def _asked(text: str, wanted: str) -> _Checked:
    """Check a question by itself. Every clip has the same few questions for descriptions."""
    return _read("question", text, LENGTHS["question"], wanted)


def _wrong_kind(turn: Turn) -> list[Problem]:
    if turn.kind == "description" or turn.kind in (possible := possible_kinds(turn.question)):
        return []
    message = f"the question is labelled {turn.kind}, but is {possible[0]}"
    return [problem("wrong-kind", message, side="question")]


def check(
    turns: Sequence[Turn],
    clip: Clip | None,
    *,
    language: str = "English",
    description_words: tuple[int, int] = _WORDS,
) -> list[Problem]:
    """Return all problems of a sample. Never raises, on any text.

    Args:
        turns: of the sample, in order.
        clip: their source; None skips the checks that need it.
        language: requested, by name or tag; an unknown one is not checked.
        description_words: the requested range of the length of a description.
    """
    return Checker(clip, language=language, description_words=description_words).turns(turns)
