"""Statistics of a run agree with its records."""

import statistics
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import vcgen
from benchmarks.quality import write_sloppily
from tests.support.common import make_clips
from vcgen.data.records import KINDS, Outcome, Reason, Record, Reject, Turn
from vcgen.datasets import near_duplicates
from vcgen.datasets.statistics import (
    MOST_FIRST,
    MOST_SECOND,
    DatasetStatistics,
    DuplicateCounts,
    FirstWord,
)
from vcgen.pipeline.store.manifest import Manifest
from vcgen.pipeline.store.read import read_records, read_rejects
from vcgen.sim import SimTransport, Simulator

START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run with rejects and flags, which no test may change."""
    path = tmp_path_factory.mktemp("done") / "run"
    transport = SimTransport(Simulator(write=write_sloppily))
    vcgen.run(make_clips(60), model="sim", transport=transport, output=path)
    return path


def outcomes(path: Path) -> list[Outcome]:
    return [*read_records(path), *read_rejects(path)]


def collected(outcomes: list[Outcome]) -> DatasetStatistics:
    data = DatasetStatistics()
    for outcome in outcomes:
        data.add(outcome)
    return data


def figures(data: DatasetStatistics) -> list[object]:
    lengths = [data.turns, *(words.all for words in (data.questions, data.answers))]
    lengths += [*data.questions.by_kind.values(), *data.answers.by_kind.values()]
    return [
        *(data.totals, data.requests, data.repaired, data.tasks, data.kinds, data.first_words),
        *(data.ground.bins, data.ground.mean, data.duplicates, data.time.bins),
        *((each.mean, each.percentiles, each.width, each.bins) for each in lengths),
    ]


def record(name: str, *turns: Turn, **fields: object) -> Record:
    whole = {"id": f"{name}/conversation/0", "video": f"{name}.mp4", "clip_id": name}
    return Record(**{**whole, "task": "conversation", "turns": turns, **fields})  # type: ignore[arg-type]


def test_statistics_agree_with_manifest_and_records(run: Path) -> None:
    data = collected(outcomes(run))
    counts = Manifest.read(run).counts
    assert counts["rejects"]
    assert counts["flags"]
    assert data.totals.to_json() == counts
    records = list(read_records(run))
    assert data.tasks == dict(Counter(each.task for each in records).most_common())
    assert data.kinds == Counter(turn.kind for each in records for turn in each.turns)
    assert data.repaired == sum(each.meta["repairs"] > 0 for each in records)
    assert data.requests == sum(each.meta["attempts"] for each in outcomes(run))
    assert data.ground.mean == pytest.approx(
        statistics.mean(each.meta["ground"] for each in records), abs=1e-4
    )
    asked = Counter(turn.question.split()[0].lower() for each in records for turn in each.turns)
    shown = {each.word: each.count for each in data.first_words}
    assert shown.items() <= asked.items()  # which of two words that are as frequent is left open
    assert sorted(shown.values()) == sorted(dict(asked.most_common(MOST_FIRST)).values())


def test_all_parts_count_the_same_outcomes(run: Path) -> None:
    data = collected(outcomes(run))
    for words in (data.questions, data.answers):
        assert words.all.count == sum(data.kinds.values())
        assert {kind: each.count for kind, each in words.by_kind.items()} == data.kinds
    assert data.turns.count == data.totals.records == sum(each.records for each in data.time.bins)
    assert sum(each.rejects for each in data.time.bins) == data.totals.rejected
    assert sum(each.requests for each in data.time.bins) == data.requests
    usage = data.totals.usage
    tokens = usage.prompt_tokens + usage.completion_tokens
    assert sum(each.tokens for each in data.time.bins) == tokens


def test_the_same_outcomes_give_the_same_statistics(run: Path) -> None:
    one, other = (figures(collected(outcomes(run))) for _ in range(2))
    assert one == other


def test_records_without_metadata_are_counted() -> None:
    bare = record("a", Turn("causal", "Why does he run?", "He is late for the bus."))
    row = Reject(id="rows.json:2", reason=Reason.INVALID_CLIP, message="not JSON")
    data = collected([bare, row])
    assert (data.totals.records, data.totals.rejects) == (1, {"invalid_clip": 1})
    assert (data.ground.count, data.ground.without, data.ground.mean) == (0, 1, None)
    assert not data.time
    assert (data.models, data.requests) == ({}, 0)


def test_no_outcomes_have_statistics() -> None:
    data = collected([])
    assert data.totals.samples == 0
    assert not any((data.turns, data.time, data.questions.all, data.answers.by_kind))


def test_an_unknown_price_makes_the_cost_unknown() -> None:
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "cached_tokens": 0}
    priced = record("a", meta={"usage": usage, "cost": 0.5})
    assert collected([priced, priced]).totals.cost == 1.0
    unpriced = record("b", meta={"usage": usage, "cost": None})
    assert collected([priced, unpriced, priced]).totals.cost is None


@pytest.mark.parametrize("has_rensa", [True, False])
def test_repeats_are_counted(monkeypatch: pytest.MonkeyPatch, *, has_rensa: bool) -> None:
    if not has_rensa:
        monkeypatch.setattr(near_duplicates, "RMinHash", None)
    text = "A man carries two crates along a pier and unties the rope of his boat."
    turn = Turn("descriptive", "What happens?", text)
    data = collected([record("a", turn), record("b", turn), record("a", turn)])
    assert data.duplicates == DuplicateCounts(1, 1, 0 if has_rensa else None)


def test_first_words_are_two_deep_also_without_spaces() -> None:
    asked = ["What is he doing?", "What is that?", "WHAT does she do?", "视频12秒发生了什么", "?"]
    turns = [Turn("descriptive", each, "He waves.") for each in asked]
    assert collected([record("a", *turns)]).first_words == [
        FirstWord("what", 3, {"is": 2, "does": 1}),
        FirstWord("", 1, {"": 1}),
        FirstWord("视频", 1, {"12": 1}),
    ]


def test_only_the_most_frequent_first_words_are_named() -> None:
    turns = [
        Turn("descriptive", f"{first} {second}?", "Yes.")
        for first in "abcdefghijklmnopq"
        for second in "rstuvwxyz"
    ]
    first_words = collected([record("a", *turns)]).first_words
    assert [each.word for each in first_words] == list("abcdefghijkl")
    assert all(len(each.next) == MOST_SECOND for each in first_words)


def test_statistics_of_many_records_take_no_more_room() -> None:
    data = DatasetStatistics()
    sizes = []
    for number in range(3_000):
        turn = Turn(KINDS[number % 4], f"What is {number}?", "word " * (number % 300))
        moment = (START + timedelta(hours=number)).isoformat()
        data.add(record(str(number), turn, meta={"time": moment, "model": f"m-{number}"}))
        sizes.append(len(repr(figures(data))))
    assert sizes[-1] < 1.5 * sizes[500]
