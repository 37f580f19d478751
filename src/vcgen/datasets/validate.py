"""Check existing records: count the codes of their problems, and keep examples of each.

The validator takes outcomes one at a time and keeps counts, examples, and the few bytes of each
answer that `DuplicateIndex` keeps. The same records in the same order give the same validation.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from vcgen.checks.checker import Checker
from vcgen.checks.codes import CODES, Problem, SeverityOverride, apply_severities, problem
from vcgen.checks.leaks import find_leaks
from vcgen.data.clips import Clip
from vcgen.data.records import Outcome, Record
from vcgen.datasets.near_duplicates import Duplicate, DuplicateIndex
from vcgen.engine.plain_text import plain
from vcgen.tasks.evidence import render_evidence

EXAMPLES = 3
_AS_REGISTERED: Mapping[str, SeverityOverride] = {}
_EXCERPT = 100  # characters
_BEFORE = 30
_REPEATED: Mapping[Duplicate, tuple[str, str]] = {
    Duplicate.EXACT: ("duplicate-answer", "the answer is word for word one about another video"),
    Duplicate.NEAR: ("near-duplicate-answer", "the answer is nearly one of an earlier record"),
}


@dataclass(frozen=True, slots=True)
class Example:
    """A problem for display: without control characters, on one line.

    Attributes:
        id: of the record.
        turn: its number from 1, None where the problem is the record as a whole.
        excerpt: the text around the problem.
    """

    id: str
    turn: int | None
    message: str
    excerpt: str


@dataclass(frozen=True, slots=True)
class CodeCount:
    """Records that have problems of a code.

    Attributes:
        share: of all records.
        examples: the first of them.
    """

    severity: SeverityOverride
    count: int
    share: float
    examples: Sequence[Example]


@dataclass(frozen=True, slots=True)
class Validation:
    """The problems of a data set.

    Attributes:
        records: that were checked.
        unreadable: rows that are not records.
        with_clip: records whose clip is known, so that they were checked against the evidence.
        clean: records with no problem but flags.
        codes: in the order of `vcgen.checks.CODES`.
        broken: messages of the first rows that are not records.
        near_duplicates: whether they were looked for.
    """

    records: int
    unreadable: int
    with_clip: int
    clean: int
    codes: Mapping[str, CodeCount]
    broken: Sequence[str]
    near_duplicates: bool


class Validator:
    """Checks records, one at a time."""

    def __init__(
        self,
        *,
        language: str = "English",
        description_words: tuple[int, int] = (80, 160),
        severities: Mapping[str, SeverityOverride] = _AS_REGISTERED,
        instructions: Collection[str] = (),
    ) -> None:
        """Set up the checks.

        Args:
            language: as for `vcgen.checks.Checker`, like `description_words`.
            description_words: the fewest and the most asked for.
            severities: overrides of the registered ones.
            instructions: texts that no record may repeat, from `Templates.instructions`.
        """
        self._language, self._severities = language, severities
        self._words, self._instructions = description_words, instructions
        self._index = DuplicateIndex()
        self._records = self._unreadable = self._with_clip = self._clean = 0
        self._counts: Counter[str] = Counter()
        self._examples: dict[str, list[Example]] = {}
        self._broken: list[str] = []

    def is_clean(self, outcome: Outcome, clip: Clip | None = None) -> bool:
        """Check a record; return whether it has no problem but flags.

        Args:
            outcome: the record, or the reject of a row that is not a record.
            clip: of the record, None if unknown; checks that need it then find nothing.
        """
        if not isinstance(outcome, Record):
            self._unreadable += 1
            if len(self._broken) < EXAMPLES:
                self._broken.append(_shown(outcome.message))
            return False
        self._records += 1
        self._with_clip += clip is not None
        problems = apply_severities(self._problems(outcome, clip), self._severities)
        self._counts.update({each.code for each in problems})
        for each in problems:
            examples = self._examples.setdefault(each.code, [])
            shown_id = _shown(outcome.id)
            if len(examples) < EXAMPLES and shown_id not in {other.id for other in examples}:
                examples.append(_example(outcome, each))
        is_clean = all(each.severity == "flag" for each in problems)
        self._clean += is_clean
        return is_clean

    def _problems(self, record: Record, clip: Clip | None) -> list[Problem]:
        checker = Checker(clip, language=self._language, description_words=self._words)
        return [*checker.turns(record.turns), *self._leaks(record, clip), *self._repeats(record)]

    def _leaks(self, record: Record, clip: Clip | None) -> list[Problem]:
        evidence = None if clip is None else render_evidence(clip)
        return [
            each._replace(turn=number)
            for number, turn in enumerate(record.turns, 1)
            for each in (
                *find_leaks(turn.question, self._instructions, evidence, "question"),
                *find_leaks(turn.answer, self._instructions, evidence, "answer"),
            )
        ]

    def _repeats(self, record: Record) -> list[Problem]:
        duplicates = self._index.add_record(record.video, record.turns)
        if duplicates is None:
            return [problem("duplicate-record", "an earlier record says all this of this video")]
        return [
            problem(*_REPEATED[duplicate], side="answer")._replace(turn=number)
            for number, duplicate in enumerate(duplicates, 1)
            if duplicate in _REPEATED
        ]

    def validation(self) -> Validation:
        """Return the result so far."""
        return Validation(
            records=self._records,
            unreadable=self._unreadable,
            with_clip=self._with_clip,
            clean=self._clean,
            codes={
                code: CodeCount(
                    self._severities.get(code, CODES[code].severity),
                    self._counts[code],
                    self._counts[code] / self._records,
                    self._examples[code].copy(),
                )
                for code in CODES
                if self._counts[code]
            },
            broken=self._broken.copy(),
            near_duplicates=self._index.finds_near,
        )


def _example(record: Record, shown: Problem) -> Example:
    text = ""
    if record.turns:
        turn = record.turns[(shown.turn or 1) - 1]
        text = turn.question if shown.side == "question" else turn.answer
    start = max(0, text.lower().find((shown.excerpt or "").lower()) - _BEFORE)
    excerpt = text[start : start + _EXCERPT]
    return Example(_shown(record.id), shown.turn, _shown(shown.message), _shown(excerpt))


def _shown(text: str) -> str:
    # Control characters in the data could steer a terminal or break a line.
    return plain(" ".join(text[: 2 * _EXCERPT].split()))
