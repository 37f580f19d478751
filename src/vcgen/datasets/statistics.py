"""Statistics of a data set: counts, kinds, lengths, first words, grounding, repeats, time.

They take outcomes one at a time and keep counts, and the few bytes of each answer that
`DuplicateIndex` keeps. The same outcomes in the same order give the same statistics. Outcomes of
older versions, and imported ones, lack some metadata; statistics of it then cover fewer of them.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from vcgen.checks.tokenize import DENSE, count_words, tokenize
from vcgen.data.records import KINDS, Kind, Outcome, Record
from vcgen.datasets.histograms import Activity, Fractions, Histogram, NameCounter, Timeline
from vcgen.datasets.near_duplicates import Duplicate, DuplicateIndex
from vcgen.pipeline.store.totals import RunTotals, TotalsCounter

MOST_FIRST, MOST_SECOND = 12, 6
_OPENING = 100  # characters searched for the first two words
# In scripts without spaces two characters are a word more often than not.
_FIRST_WORDS = re.compile(rf"{DENSE.pattern}{{1,2}}|(?:(?!{DENSE.pattern})[^\W_])+(?:'[a-z]+)?")


@dataclass(frozen=True, slots=True)
class FirstWord:
    """A first word of questions, and the most frequent words that follow it."""

    word: str
    count: int
    next: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class DuplicateCounts:
    """Repeats among records.

    Attributes:
        records: that repeat an earlier one as a whole.
        exact_answers: answers that are word for word about another video.
        near_answers: answers nearly as of another record, None if they were not looked for.
    """

    records: int
    exact_answers: int
    near_answers: int | None


class WordCounts:
    """Words of questions or answers: of all turns, and by kind."""

    def __init__(self) -> None:
        self.all = Histogram()
        self.by_kind: dict[Kind, Histogram] = {}

    def add(self, kind: Kind, text: str) -> None:
        """Count the words of a text."""
        words = count_words(tokenize(text))
        self.all.add(words)
        self.by_kind.setdefault(kind, Histogram()).add(words)


class DatasetStatistics:
    """Statistics of records and rejects.

    Attributes:
        requests: sent to the endpoint.
        repaired: records that needed a repair.
        turns: of each record.
        ground: fractions of the answers' words that are in the evidence.
        time: empty if no outcome has a time.
    """

    def __init__(self) -> None:
        self.requests = self.repaired = 0
        self.turns, self.ground, self.time = Histogram(), Fractions(), Timeline()
        self.questions, self.answers = WordCounts(), WordCounts()
        self._totals, self._index = TotalsCounter(), DuplicateIndex()
        self._tasks, self._models, self._first_words = NameCounter(), NameCounter(), NameCounter()
        self._kinds: Counter[Kind] = Counter()
        self._repeated = 0
        self._duplicates: Counter[Duplicate] = Counter()

    def add(self, outcome: Outcome) -> None:
        """Take in a record or a reject."""
        meta = outcome.meta
        is_record = isinstance(outcome, Record)
        if isinstance(outcome, Record):
            requests = meta.get("attempts", 0)
            self._totals.add_record(meta, outcome.flags)
            self._add_record(outcome)
        else:
            requests = outcome.attempts
            self._totals.add_reject(meta, outcome.reason.value, outcome.codes)
        self.requests += requests
        if model := meta.get("model"):
            self._models.add(str(model))
        if moment := _moment(meta.get("time")):
            usage = meta.get("usage", {})
            tokens = usage.get("prompt_tokens", 0) + usage.get("completion_tokens", 0)
            self.time.add(moment, Activity(is_record, not is_record, requests, tokens))

    def _add_record(self, record: Record) -> None:
        self._tasks.add(record.task)
        self.repaired += bool(record.meta.get("repairs"))
        self.ground.add(record.meta.get("ground"))
        self.turns.add(len(record.turns))
        for turn in record.turns:
            self._kinds[turn.kind] += 1
            self.questions.add(turn.kind, turn.question)
            self.answers.add(turn.kind, turn.answer)
            first = _FIRST_WORDS.findall(turn.question[:_OPENING].lower())[:2]
            self._first_words.add(" ".join(first))
        duplicates = self._index.add_record(record.video, record.turns)
        self._repeated += duplicates is None
        self._duplicates.update(duplicates or ())

    @property
    def totals(self) -> RunTotals:
        """Counts, tokens and cost."""
        return self._totals.totals()

    @property
    def tasks(self) -> dict[str, int]:
        """Records by task, the most frequent first."""
        return self._tasks.most_common()

    @property
    def models(self) -> dict[str, int]:
        """Outcomes by model, the most frequent first."""
        return self._models.most_common()

    @property
    def kinds(self) -> dict[Kind, int]:
        """Turns by kind."""
        return {kind: self._kinds[kind] for kind in KINDS if self._kinds[kind]}

    @property
    def first_words(self) -> list[FirstWord]:
        """The first words of questions, the most frequent first."""
        return _nested(self._first_words.most_common())

    @property
    def duplicates(self) -> DuplicateCounts:
        """Repeats so far."""
        near = self._duplicates[Duplicate.NEAR] if self._index.finds_near else None
        return DuplicateCounts(self._repeated, self._duplicates[Duplicate.EXACT], near)


def _nested(pairs: Mapping[str, int]) -> list[FirstWord]:
    """Group pairs of words, the most frequent first, by their first word."""
    counts: Counter[str] = Counter()
    following: dict[str, dict[str, int]] = {}
    for pair, count in pairs.items():
        first, _, second = pair.partition(" ")
        counts[first] += count
        following.setdefault(first, {})[second] = count
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [
        FirstWord(word, count, dict(list(following[word].items())[:MOST_SECOND]))
        for word, count in ranked[:MOST_FIRST]
    ]


def _moment(written: object) -> datetime | None:
    try:
        return datetime.fromisoformat(written) if isinstance(written, str) else None
    except ValueError:
        return None
