"""What a data set is like: counts, kinds, lengths, first words, grounding, repeats, time.

Takes outcomes one at a time and holds on to counts, and to the few bytes of each answer that
`vcgen.duplicates` keeps. Of the same outcomes in the same order it says the same. Pure; outcomes of
older versions and of others lack some of `meta`, and then less is said.
"""

import re
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from vcgen.checks.tokenize import DENSE, count_words, read
from vcgen.data.records import KINDS, Outcome, Record, Turn
from vcgen.datasets.histograms import Lengths, Names, Shares, Timeline
from vcgen.datasets.near_duplicates import Duplicate, Duplicates
from vcgen.pipeline.store.totals import RunTotals

MOST_FIRST, MOST_SECOND = 12, 6
_OPENING = 100  # characters in which the first two words are looked for
# Scripts without spaces: two characters are a word more often than not.
_FIRST_WORDS = re.compile(rf"{DENSE.pattern}{{1,2}}|(?:(?!{DENSE.pattern})[^\W_])+(?:'[a-z]+)?")


class DatasetStatistics:
    """What outcomes are like, so far."""

    def __init__(self) -> None:
        self._sums = RunTotals()
        self._requests = self._repaired = self._repeated = 0
        self._tasks, self._models, self._first_words = Names(), Names(), Names()
        self._kinds: Counter[str] = Counter()
        self._turns = Lengths()
        self._questions = {kind: Lengths() for kind in ("all", *KINDS)}
        self._answers = {kind: Lengths() for kind in ("all", *KINDS)}
        self._ground = Shares()
        self._duplicates = Duplicates()
        self._seen: Counter[Duplicate] = Counter()
        self._timeline = Timeline()

    def add(self, outcome: Outcome) -> None:
        """Take in a record or a reject."""
        meta = outcome.meta
        if isinstance(outcome, Record):
            ended, requests = "records", meta.get("attempts", 0)
            self._sums.add(meta, outcome.flags, None)
            self._add_record(outcome)
        else:
            ended, requests = "rejects", outcome.attempts
            self._sums.add(meta, (), outcome.reason.value)
        self._requests += requests
        if model := meta.get("model"):
            self._models.add(str(model))
        if moment := _moment(meta.get("time")):
            usage = meta.get("usage", {})
            tokens = usage.get("prompt_tokens", 0) + usage.get("completion_tokens", 0)
            self._timeline.add(moment, {ended: 1, "requests": requests, "tokens": tokens})

    def _add_record(self, record: Record) -> None:
        self._tasks.add(record.task)
        self._repaired += bool(record.meta.get("repairs"))
        self._ground.add(record.meta.get("ground"))
        self._turns.add(len(record.turns))
        for turn in record.turns:
            self._add_turn(turn)
        seen = self._duplicates.look_at(record.video, record.turns)
        self._repeated += seen is None
        self._seen.update(seen or ())

    def _add_turn(self, turn: Turn) -> None:
        self._kinds[turn.kind] += 1
        for lengths, text in ((self._questions, turn.question), (self._answers, turn.answer)):
            words = count_words(read(text))
            lengths["all"].add(words)
            lengths[turn.kind].add(words)
        first = _FIRST_WORDS.findall(turn.question[:_OPENING].lower())[:2]
        self._first_words.add(" ".join(first))

    def summary(self) -> dict[str, Any]:
        """All of it, for JSON.

        Besides what `vcgen.sums` says (records, rejects by reason, flags, repairs, usage, cost in
        US dollars or None if any is not known, judge): `requests` sent; `repaired` records;
        `tasks`, `models`, `kinds` (of turns) with counts; `turns` a record and `words` of questions
        and answers by kind, as `Lengths`; `first_words` of questions, each with those that follow;
        `ground` as `Shares`; `duplicates`: records that are there twice, answers that are word for
        word about another video, answers that nearly are; `time` as `Timeline`.
        """
        return {
            **self._sums.summary(),
            "requests": self._requests,
            "repaired": self._repaired,
            "tasks": self._tasks.summary(),
            "models": self._models.summary(),
            "kinds": {kind: self._kinds[kind] for kind in KINDS if self._kinds[kind]},
            "turns": self._turns.summary(),
            "words": {"questions": _known(self._questions), "answers": _known(self._answers)},
            "first_words": _nested(self._first_words.summary()),
            "ground": self._ground.summary(),
            "duplicates": {
                "records": self._repeated,
                "same_answers": self._seen[Duplicate.SAME],
                "near_answers": self._seen[Duplicate.NEARLY],
            },
            "time": self._timeline.summary(),
        }


def _known(lengths: Mapping[str, Lengths]) -> dict[str, Any]:
    return {kind: found for kind, each in lengths.items() if (found := each.summary())}


def _nested(pairs: Mapping[str, int]) -> list[dict[str, Any]]:
    """The most frequent first words, each with the most frequent second ones."""
    counts: Counter[str] = Counter()
    following: dict[str, dict[str, int]] = {}
    for pair, count in pairs.items():
        first, _, second = pair.partition(" ")
        counts[first] += count
        following.setdefault(first, {})[second] = count
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [
        {
            "word": word,
            "count": count,
            "next": [
                {"word": second, "count": each}
                for second, each in list(following[word].items())[:MOST_SECOND]
            ],
        }
        for word, count in ranked[:MOST_FIRST]
    ]


def _moment(written: object) -> datetime | None:
    try:
        return datetime.fromisoformat(written) if isinstance(written, str) else None
    except ValueError:
        return None
