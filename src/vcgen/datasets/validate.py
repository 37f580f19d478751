"""The checks of records that exist: which codes they have, how often, and an example or three.

Takes outcomes one at a time and holds on to nothing but counts, the examples, and the few bytes of
each answer that `vcgen.duplicates` keeps. Of the same records in the same order it says the same.
"""

import re
from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from vcgen.checks.checker import CODES, Checker, Problem, apply_severities, problem
from vcgen.checks.codes import SeverityOverride
from vcgen.checks.leaks import find_leaks
from vcgen.data.cleaning import clean_text
from vcgen.data.clips import Clip
from vcgen.data.records import Outcome, Record
from vcgen.datasets.near_duplicates import Duplicate, Duplicates
from vcgen.tasks.evidence import render_evidence

EXAMPLES = 3
_AS_REGISTERED: Mapping[str, SeverityOverride] = {}
_EXCERPT = 100  # characters
_BEFORE = 30
_FOUND = re.compile(r"'([^']{2,60})")


class Example(NamedTuple):
    """One problem, as people see it: without control characters, on one line.

    Attributes:
        id: of the record.
        turn: its number from 1, None where it is the record as a whole.
        excerpt: what the text says there.
    """

    id: str
    turn: int | None
    message: str
    excerpt: str


class Validation:
    """What is found in records, so far.

    Attributes:
        records: that were looked at.
        unreadable: rows that are no records.
        evident: records whose clip is known, so that checks beside the evidence were made.
        clean: records of which nothing but flags was found.
        counts: records that have a code, by code.
        examples: the first of each code, by code.
        broken: messages of the first rows that are no records.
    """

    def __init__(
        self,
        *,
        language: str = "English",
        words: tuple[int, int] = (80, 160),
        severities: Mapping[str, SeverityOverride] = _AS_REGISTERED,
        instructions: Collection[str] = (),
    ) -> None:
        """`language`, `words` and `severities` are those of `vcgen.checks.Checker`.

        `instructions` are what no record may repeat, as `Prompts.instructions` has them.
        """
        self._language, self._words, self._severities = language, words, severities
        self._instructions = instructions
        self._duplicates = Duplicates()
        self.records = self.unreadable = self.evident = self.clean = 0
        self.counts: Counter[str] = Counter()
        self.examples: dict[str, list[Example]] = {}
        self.broken: list[str] = []

    def is_clean(self, outcome: Outcome, clip: Clip | None = None) -> bool:
        """Take in a record, or a row that is none; whether it may stay in the data set.

        Args:
            outcome: the record, or the reject of a row that is no record.
            clip: of the record, None where there is none: checks that need it find nothing then.
        """
        if not isinstance(outcome, Record):
            self.unreadable += 1
            if len(self.broken) < EXAMPLES:
                self.broken.append(_shown(outcome.message))
            return False
        self.records += 1
        self.evident += clip is not None
        checker = Checker(clip, language=self._language, words=self._words)
        found = [
            *checker.turns(outcome.turns),
            *self._leaks(outcome, clip),
            *self._repeats(outcome),
        ]
        found = apply_severities(found, self._severities)
        self.counts.update({each.code for each in found})
        for each in found:
            examples = self.examples.setdefault(each.code, [])
            if len(examples) < EXAMPLES and outcome.id not in {known.id for known in examples}:
                examples.append(_example(outcome, each))
        is_clean = all(each.severity == "flag" for each in found)
        self.clean += is_clean
        return is_clean

    def _leaks(self, record: Record, clip: Clip | None) -> list[Problem]:
        evidence = None if clip is None else render_evidence(clip)
        return [
            each._replace(turn=number, message=each.message.replace("it", f"the {side}", 1))
            for number, turn in enumerate(record.turns, 1)
            for side, text in (("question", turn.question), ("answer", turn.answer))
            for each in find_leaks(text, self._instructions, evidence)
        ]

    def _repeats(self, record: Record) -> list[Problem]:
        seen = self._duplicates.look_at(record.video, record.turns)
        if seen is None:
            return [problem("duplicate-record", "an earlier record says all this of this video")]
        return [
            problem(*_REPEATED[each])._replace(turn=number)
            for number, each in enumerate(seen, 1)
            if each in _REPEATED
        ]

    def summary(self) -> dict[str, Any]:
        """All that was found, for JSON; codes in the order of `vcgen.checks.CODES`."""
        return {
            "records": self.records,
            "unreadable": self.unreadable,
            "with_clip": self.evident,
            "clean": self.clean,
            "codes": {
                code: {
                    "severity": self._severities.get(code, CODES[code].severity),
                    "count": self.counts[code],
                    "share": self.counts[code] / self.records,
                    "examples": [each._asdict() for each in self.examples[code]],
                }
                for code in CODES
                if self.counts[code]
            },
            "broken": self.broken,
        }


_REPEATED: Mapping[Duplicate, tuple[str, str]] = {
    Duplicate.SAME: ("duplicate-answer", "the answer is word for word one about another video"),
    Duplicate.NEARLY: ("near-duplicate-answer", "the answer is nearly one of an earlier record"),
}


def _example(record: Record, found: Problem) -> Example:
    text = ""
    if record.turns:
        turn = record.turns[(found.turn or 1) - 1]
        text = turn.question if found.message.startswith("the question") else turn.answer
    match = _FOUND.search(found.message)
    at = max(0, text.lower().find(match[1].lower()) - _BEFORE) if match else 0
    return Example(
        _shown(record.id),
        found.turn,
        _shown(found.message),
        _shown(text[at : at + _EXCERPT]),
    )


def _shown(text: str) -> str:
    # What is in the data may steer a terminal, or break a line.
    return clean_text(text[: 2 * _EXCERPT], Counter())
